"""An alert is a claim: nothing is done before a detector sees what it says, and its "resolved" ends nothing that is seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.living import Living, Site, pause, wait_for

pytestmark = pytest.mark.live

STARTED = "2026-01-05T08:00:00Z"


def told(daemon: Living, status: str, *, ends: str = "0001-01-01T00:00:00Z") -> None:
    """As Alertmanager's webhook (version 4) tells it."""
    alert: dict[str, Any] = {
        "status": status,
        "labels": {"alertname": "WriteErrors", "tier": "hot"},
        "annotations": {"summary": "writes of the hot tier fail"},
        "startsAt": STARTED,
        "endsAt": ends,
        "fingerprint": "c0ffee",
    }
    body = {
        "version": "4",
        "status": status,
        "receiver": "fleetmend",
        "alerts": [alert],
        "truncatedAlerts": 0,
    }
    answer = daemon.ask("/api/v1/inbox/alertmanager", method="POST", role="operator", body=body)
    assert answer.status == 200, answer.text


def test_what_an_alert_says_is_acted_on_and_ended_by_what_a_detector_sees(site: Site) -> None:
    row = {
        "match": {"alertname": "WriteErrors"},
        "failure_mode": "storage_failure",
        "scope": ["tier"],
        "verify_with": "plant-fault",
    }
    site.config["inbox"] = {"alertmanager": {"map": [row]}}
    site.plant.mends = False
    daemon = site.start()
    wait_for("it watches", lambda: daemon.metric("fleetmend_series", source="plant"))
    told(daemon, "firing")
    wait_for("the alert is an incident", site.incident)
    pause(1.0)
    assert site.plant.effects == [], "a detector that sees no fault is no reason to act"
    site.plant.broken = True
    wait_for("it is seen, and acted upon", lambda: site.plant.did("failover"))
    told(daemon, "resolved", ends="2026-01-05T08:10:00Z")
    pause(1.0)
    incident = site.incident()
    assert incident is not None
    assert not incident.ended, "the fault is still seen"
    site.plant.broken = False
    wait_for("health is seen", lambda: (i := site.incident()) and i.ended)
