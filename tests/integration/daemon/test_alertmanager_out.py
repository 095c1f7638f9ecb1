"""A real daemon tells a real Alertmanager: the alert is there, outlives the daemon's restart, comes back, and ends."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.living import Site, wait_for
from tests.fakes.servers import alertmanager

pytestmark = pytest.mark.live


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    with alertmanager(folder) as url:
        yield url


def alerts(url: str) -> list[dict[str, Any]]:
    """Ours, as its API lists them: what has ended is not among them."""
    with urllib.request.urlopen(
        f"{url}/api/v2/alerts?filter=alertname=FleetmendIncident", timeout=10
    ) as answer:
        listed: list[dict[str, Any]] = json.loads(answer.read())
    return listed


def told_by(site: Site, url: str) -> None:
    """Ana hears of it through the Alertmanager, and nothing mends the fault."""
    site.plant.mends = False
    site.config["people"]["ana"]["channels"] = [{"alertmanager": {"url": url, "labels": {"team": "fleet"}}}]


def test_an_alertmanager_has_the_alert_until_the_end(site: Site, server: str) -> None:
    told_by(site, server)
    daemon = site.start()
    site.plant.broken = True
    [alert] = wait_for("Alertmanager has it", lambda: alerts(server), within=60)
    incident = wait_for("the incident", site.incident)
    assert alert["labels"]["fleetmend_incident"] == incident.id
    assert alert["labels"]["team"] == "fleet"
    assert alert["status"]["state"] in {"active", "unprocessed"}
    daemon.kill()
    site.start()
    assert [one["fingerprint"] for one in alerts(server)] == [alert["fingerprint"]]
    site.plant.broken = False
    wait_for("it ends there", lambda: not alerts(server), within=60)


def test_our_own_alert_coming_back_is_no_alert_to_us(site: Site) -> None:
    """Case 17: wired to its own intake the daemon has one incident, and says that it heard itself."""
    told_by(site, f"http://127.0.0.1:{site.port}")
    spec = site.config["people"]["ana"]["channels"][0]["alertmanager"]
    site.environment["INBOX"] = "inbox-token-0123456789"
    spec["auth"] = {"bearer": {"env": "INBOX"}}
    row = {"match": {"alertname": "FleetmendIncident"}, "failure_mode": "api_degradation", "scope": []}
    site.config["inbox"] = {"alertmanager": {"token": {"env": "INBOX"}, "map": [row]}}
    daemon = site.start()
    site.plant.broken = True
    [said, *_] = wait_for("it says so", lambda: daemon.lines("our own alert came back"))
    assert said["alerts"] == 1
    assert len(site.incidents()) == 1
    assert site.incidents("api_degradation") == []
