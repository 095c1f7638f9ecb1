"""What is said after a commit."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from config.scope import scope_of
from daemon import log
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.loop import say
from daemon.metrics import Metrics
from detectors.state import Transition, TransitionState
from tests.fakes import rows

NOW = 1_767_600_000.0


@pytest.mark.parametrize(
    "label", ["kind", "text", "event", "level", "message", "exc_info", "correlation_id", "state"]
)
def test_a_scope_s_label_never_breaks_or_forges_a_line(label: str) -> None:
    """A line that raised after the commit would keep its jobs from leaving."""
    incident = rows.incident("sf-1", scope=scope_of({label: "x", "tier": "hot"}))
    event = Event("sf-1", NOW, Kind.DETECTED, "It fires.", {})
    with capture_logs() as lines:
        say.changed(Change(incident=incident, events=(event,)), Metrics(CollectorRegistry()))
        say.detected([Transition("writes", incident.scope, TransitionState.FIRED, NOW, 1.0)])
    changed, fired = lines
    assert (changed["event"], changed["text"], changed["tier"]) == (log.INCIDENT_CHANGED, "It fires.", "hot")
    assert (fired["event"], fired["detector"], fired["state"]) == (log.DETECTOR_CHANGED, "writes", "fired")


def test_a_job_that_was_given_up_is_said_with_its_incident() -> None:
    with capture_logs() as lines:
        say.abandoned(Job("sf-1/1/fail-over/do/1", "action", "sf-1", NOW, {}))
    assert [(line["event"], line["correlation_id"]) for line in lines] == [(log.JOB_ABANDONED, "sf-1")]
