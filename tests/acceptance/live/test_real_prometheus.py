"""The six failure modes seen through a real Prometheus, and an incident that a real Alertmanager's alert opens."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from daemon.cli.children import Child, kept
from daemon.cli.pipeline import free_port
from daemon.clock import SystemClock, rfc3339
from tests.acceptance.expected import ONE_OF_EACH, STORIES
from tests.acceptance.live.stages import Stage, clean_environment, short_folder, staged

pytestmark = [pytest.mark.live, pytest.mark.slow]

MAP = [
    {
        "match": {"alertname": "ArchiveChecksumsDiffer"},
        "failure_mode": "storage_failure",
        "scope": ["tier"],
    }
]
IN_TIME = 5.0 + 2 * 1.0 + 1.0 + 2.0
"""The longest `for` of the demo, two scrapes and one evaluation; the rest until the fault is really there."""
FILLS = {"provider_outage:rate-limited": 3.0}
"""Seconds more where only a part of the calls fails: the share passes its threshold when its window is nearly full."""
ALERT = {
    "labels": {"alertname": "ArchiveChecksumsDiffer", "tier": "cold", "severity": "critical"},
    "annotations": {"summary": "Two checksums of the archive differ"},
    "generatorURL": "http://127.0.0.1/graph",
}


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    program("prometheus")
    with short_folder() as folder:
        inbox = folder / "inbox.yaml"
        inbox.write_text(json.dumps({"inbox": {"alertmanager": {"map": MAP}}}), encoding="utf-8")
        with staged(source="prometheus", configs=(inbox,)) as found:
            yield found


@pytest.mark.timeout(600)
def test_the_six_modes_are_mended_through_a_real_prometheus(stage: Stage) -> None:
    source = asked(stage, "/api/v1/status")["sources"][0]
    assert (source["name"], source["state"]) == ("edge", "ok")
    rows = {name: stage.play(name) for name in ONE_OF_EACH}
    assert {name: row.resolved_by for name, row in rows.items()} == {
        name: STORIES[name].mended_by for name in ONE_OF_EACH
    }
    assert [row.paged for row in rows.values()] == [[]] * len(rows)
    late = {
        name: row.detected_after_s
        for name, row in rows.items()
        if (row.detected_after_s or 99.0) > IN_TIME + FILLS.get(name, 0.0)
    }
    assert not late


@pytest.mark.timeout(180)
def test_an_alert_of_a_real_alertmanager_opens_an_incident_and_a_page(stage: Stage) -> None:
    with alertmanager(f"{stage.playing.found.url}/api/v1/inbox/alertmanager") as url:
        assert requests.post(f"{url}/api/v2/alerts", json=[ALERT], timeout=5).status_code == 200
        incident = becomes(stage, lambda found: found["pages"] != [])
        assert (incident["state"], incident["severity"]) == ("open", "critical")
        assert incident["attempts"] == [], "the archive is mended by hand"
        assert [(page["level"], page["event"]) for page in incident["pages"]] == [(1, "trigger")]
        ended = {**ALERT, "endsAt": rfc3339(SystemClock().now())}
        assert requests.post(f"{url}/api/v2/alerts", json=[ended], timeout=5).status_code == 200
        becomes(stage, lambda found: found["state"] == "resolved")


def becomes(stage: Stage, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The incident that the alert opened, once it fits."""
    pause = threading.Event()
    found: list[dict[str, Any]] = []
    for _ in range(300):
        listed = asked(stage, "/api/v1/incidents")["incidents"]
        found = [one for one in listed if one["scope"] == {"tier": "cold"}]
        whole = [asked(stage, f"/api/v1/incidents/{one['id']}") for one in found]
        if whole and fits(whole[0]):
            return whole[0]
        pause.wait(0.2)
    raise AssertionError(f"it did not come to that: {found}\n{stage.last_words()}")


def asked(stage: Stage, path: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{stage.playing.found.url}{path}", timeout=5).json()
    return found


@contextmanager
def alertmanager(receiver: str) -> Iterator[str]:
    """A real Alertmanager that hands everything on at once; its address."""
    with short_folder() as folder:
        file, port = folder / "alertmanager.yml", free_port(0)
        hook = {"url": receiver, "send_resolved": True}
        route = {"receiver": "us", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        content = {"route": route, "receivers": [{"name": "us", "webhook_configs": [hook]}]}
        file.write_text(json.dumps(content), encoding="utf-8")
        argv = [
            program("prometheus-alertmanager"),
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with kept(Child(argv, Path(folder / "log"), clean_environment())) as child:
            url = f"http://127.0.0.1:{port}"
            ready(url, child)
            yield url


def ready(url: str, child: Child) -> None:
    pause = threading.Event()
    for _ in range(150):
        child.must_run()
        try:
            if requests.get(f"{url}/-/ready", timeout=1).status_code == 200:
                return
        except requests.RequestException:
            pass
        pause.wait(0.2)
    raise AssertionError(f"Alertmanager is not ready: {child.log.read_text(encoding='utf-8')[-2000:]}")
