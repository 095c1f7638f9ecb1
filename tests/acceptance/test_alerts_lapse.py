"""Alerts of other systems are claims: an end that passes in silence is no health, and one that was taken back stays so."""

from __future__ import annotations

from typing import Any

from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import Alert
from daemon.loop.inbox import REPEATED_WITHIN
from daemon.loop.messages import Recorded
from remediations.run import RunState
from tests.fakes.parts import MODE, Parts, config, rung

MINUTE = 60.0


def watched(**row: Any) -> Parts:
    """Alerts count for the failure mode of the parts; its people are to hear within four minutes."""
    known = {"match": {"alertname": "PartDown"}, "failure_mode": MODE, "scope": ["provider"], **row}
    inbox = {"inbox": {"alertmanager": {"map": [known]}}}
    story = Parts(config([rung("mend")], playbooks={"parts": {"deadline": "4m"}}, **inbox))
    story.run(30.0)
    return story


def tell(story: Parts, part: str, status: str = "firing", *, lasts: float | None = None) -> None:
    ends_at = None if lasts is None else story.now + lasts
    labels, notes = {"alertname": "PartDown", "provider": part}, {"summary": "it is down"}
    row = Alert(0, story.now, f"f-{part}", status, labels, notes, story.now, ends_at, "alertmanager")
    story.store.record(alerts=[row])
    story.driver.hear(Recorded())
    story.run(2.0)


def test_one_that_was_resolved_does_not_fire_again_after_a_restart() -> None:
    story = watched()
    tell(story, "p0")
    tell(story, "p0", "resolved")
    assert story.incident().state is IncidentState.RESOLVED
    pages = len(story.pages)
    story.driver.crash(down_for=5.0)
    story.run(5 * MINUTE)
    assert len(story.incidents()) == 1, story.told()
    assert len(story.pages) == pages


def test_whoever_is_to_verify_it_and_sees_nothing_keeps_nobody_from_being_told() -> None:
    story = watched(verify_with="part-fault")
    tell(story, "p9")  # of which no scrape says a word
    written = story.store.changes
    story.run(3 * MINUTE)
    assert story.run_of(story.incident("p9")).state is RunState.RECHECKING
    assert story.store.changes == written, "waiting for data writes nothing"
    assert story.pages == []
    story.run(MINUTE)
    (deadline,) = story.events(story.incident("p9"), Kind.DEADLINE)
    (page,) = story.triggers(story.incident("p9"))
    assert page.created_at == deadline.at
    assert deadline.data["after"] < 4 * MINUTE + 5.0
    assert story.calls == []


def test_one_whose_end_passes_untold_is_blind_until_it_is_repeated_and_over_when_it_is_taken_back() -> None:
    story = watched(verify_with="part-fault")
    tell(story, "p9", lasts=MINUTE)
    story.run(45.0)
    assert not story.incident("p9").blind
    story.run(20.0)
    incident = story.incident("p9")
    assert (incident.state, incident.blind) == (IncidentState.OPEN, True), story.told()
    (page,) = story.triggers(incident)
    assert page.created_at - incident.detected_at < MINUTE + 10.0, "blindness has a page of its own"
    tell(story, "p9", lasts=4 * MINUTE)
    story.run(5.0)
    assert not story.incident("p9").blind
    tell(story, "p9", "resolved")
    assert story.incident("p9").state is IncidentState.RESOLVED


def test_after_a_restart_its_sender_has_time_to_repeat_it() -> None:
    story = watched()
    tell(story, "p9", lasts=MINUTE)
    story.driver.crash(down_for=10 * MINUTE)
    story.run(REPEATED_WITHIN - 10.0)
    assert not story.incident("p9").blind, "who was away could not hear it"
    story.run(20.0)
    assert story.incident("p9").blind


def test_whoever_stays_silent_after_its_end_leaves_the_incident_open() -> None:
    story = watched()
    tell(story, "p9", lasts=4 * MINUTE)
    story.run(10 * MINUTE)
    incident = story.incident("p9")
    assert (incident.state, incident.blind) == (IncidentState.OPEN, True)
    assert len(story.events(incident, Kind.BLIND)) == 1
