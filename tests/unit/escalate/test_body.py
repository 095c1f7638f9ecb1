"""The paragraphs of a page, each point of the specification with what it may and must say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.scope import WHOLE
from daemon.escalate.graphemes import octets
from daemon.escalate.text import HEADLINE, LINES, SCREEN, Around
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, IncidentState
from daemon.incidents.records import (
    DeliveryState,
    FailoverLock,
    MuteKind,
    PageEvent,
    Phase,
    PipelineChange,
)
from remediations.run import RunState
from tests.fakes import rows
from tests.fakes.dossiers import (
    ID,
    T,
    attempt,
    debt,
    delivery,
    escalation,
    events,
    gates,
    incident,
    run,
    story,
)
from tests.unit.escalate.readable import page


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("not_recovered",), "r0 without effect, 1 of 1 in vain"),
        (("not_recovered", "not_recovered", "not_recovered"), "r2 without effect, 3 of 3 in vain"),
        (("contained", "not_recovered"), "contained; r1 without effect, 1 of 2 in vain"),
        (("contained",), "r0 contained"),
        ((None,), "r0 done, not judged yet, 1 of 1 in vain"),
    ],
)
def test_line_one_counts_what_was_in_vain_and_no_containment_among_it(
    verdicts: tuple[str | None, ...], said: str
) -> None:
    tried = tuple(attempt(f"r{n}", key=f"k{n}", verdict=verdict) for n, verdict in enumerate(verdicts))
    assert page(dossier=story(attempts=tried)).headline.endswith(f"; {said}")


def test_what_is_silent_or_down_says_for_how_long_and_not_that_it_is_zero() -> None:
    down = FindingRecord("storage-down", 0.0, "= 0 for 5m", T, "firing")
    said = page(dossier=story(incident=incident(findings=(down,)))).headline
    assert said.startswith("[CRIT L1] Hot storage is down (for 10 min); ")


def test_however_long_the_names_are_line_one_says_both_what_broke_and_what_the_robot_made_of_it() -> None:
    long = incident(failure_mode="a_mode_of_our_own_" * 8)
    said = page(
        dossier=story(incident=long, attempts=(attempt("rung-" * 30, verdict="not_recovered"),))
    ).headline
    assert len(said) == HEADLINE
    assert said.startswith("[CRIT L1] A mode of our own")
    assert "; rung-rung-" in said


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"outcome": "failed", "effect": "exit 3"}, "09:06 fail-over (http): FAILED in 10 s, exit 3"),
        ({"outcome": "not_done"}, "09:06 fail-over (http): not done in 10 s, answered 200"),
        ({"outcome": "unknown"}, "09:06 fail-over (http): outcome unknown in 10 s, answered 200"),
        ({"outcome": None, "ended_at": None}, "09:06 fail-over (http): in flight"),
        ({"verdict": "contained"}, "09:06 fail-over (http): contained in 10 s, answered 200"),
        ({"phase": Phase.UNDO}, "09:06 undo of fail-over (http): done in 10 s, answered 200"),
    ],
)
def test_each_attempt_is_told_with_its_outcome_and_its_duration(fields: dict[str, Any], line: str) -> None:
    assert line in page(dossier=story(attempts=(attempt(**fields),))).body.splitlines()


def test_a_condition_that_would_have_to_hold_is_told_and_not_that_a_rung_is_for_another_fault() -> None:
    def skipped(rung: str, gate: str) -> Event:
        said = {"rung": rung, "gate": gate, "reason": f"{rung} because"}
        return Event(ID, T + 400, Kind.SKIPPED, "", said)

    asked = (skipped("a", "when"), skipped("b", "require"), skipped("c", "when"))
    body = page(dossier=story(events=asked)).body
    assert "Not done: b: require: b because\nNot for this fault: a, c\n" in body


def test_where_nothing_was_done_the_page_says_so() -> None:
    body = page(dossier=story(attempts=(), events=(), debts=())).body
    assert "What the robot did:\nnothing\nWhy you: Ladder exhausted" in body
    assert "Left behind: nothing." in body


def undoing(outcome: str) -> Any:
    undo = attempt(phase=Phase.UNDO, key="u", outcome=outcome, verdict=None)
    return story(attempts=(attempt(verdict="not_recovered"), undo), debts=())


@pytest.mark.parametrize(
    ("dossier", "left"),
    [
        (undoing("done"), "fail-over was undone"),
        (undoing("failed"), "fail-over may be half undone: its undo failed"),
        (undoing("unknown"), "fail-over may be half undone: its undo has an unknown outcome"),
        (story(debts=(), attempts=(attempt(outcome="unknown"),)), "fail-over may be half done: its outcome is unknown"),
        (story(debts=(), attempts=(attempt(verdict="not_recovered"),)), "fail-over is in place, not undone"),
        (story(), "fail-over (failover) has to be returned, due 10:06 CET / 09:06Z"),
        (story(debts=(debt(due_at=T),)), "fail-over (failover) has to be returned, overdue since 09:00 CET / 08:00Z"),
    ],
)  # fmt: skip
def test_what_is_left_behind_is_told_and_the_half_done_as_such(dossier: Any, left: str) -> None:
    assert f"Left behind:\n{left}" in page(dossier=dossier).body


def test_locks_and_silences_stand_among_what_is_left_with_their_ends() -> None:
    silence = rows.mute(
        kind=MuteKind.SILENCE, owner="ben", reason="moving", starts_at=T, ends_at=T + 7200, matchers={}
    )
    around = Around(locks=(FailoverLock("hot", T + 3600, ID, "failed over"),), mutes=(silence,))
    body = page(around=around).body
    assert "hot is locked until 10:00 CET / 09:00Z: failed over" in body
    assert "silence by ben until 11:00 CET / 10:00Z: moving" in body


@pytest.mark.parametrize(
    ("dossier", "said"),
    [
        (story(run=run(RunState.PROPOSED, proposal_expires_at=T + 1800)), f"approve or reject, until 09:30 CET / 08:30Z: fleetmend approve {ID}"),
        (story(incident=incident(blind=True)), f"find out why its telemetry is missing: fleetmend incident {ID}"),
        (story(run=run(), incident=incident()), f"watch what comes of it until 09:10 CET / 08:10Z: fleetmend incident {ID}"),
        (story(incident=incident(explained_by="po-1", stepped_back=True)), "look at its cause first: fleetmend incident po-1"),
        (story(events=(gates("grow", ("cooldown", "held")),)), f"see whether grow is right in spite of its refusal (cooldown): fleetmend explain {ID}."),
        (story(events=(), incident=incident(state=IncidentState.CONTAINED, stepped_back=True)), f"fleetmend incident {ID}. It is held, not mended, and does not close by itself"),
        (story(events=()), f"fleetmend incident {ID}. Once mended by hand, it closes by itself when its signal is clear."),
    ],
    ids=["proposed", "blind", "acting", "explained", "refused", "contained", "else"],
)  # fmt: skip
def test_the_next_step_comes_with_the_command_that_does_it(dossier: Any, said: str) -> None:
    assert f"Next: {said}" in page(dossier=dossier).body


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        (0, ""),
        (1, "the second time in"),
        (2, "the third time in"),
        (12, "the 13th time in"),
        (20, "more than 20 times in"),
    ],
)
def test_a_fault_that_comes_again_says_how_often(earlier: int, said: str) -> None:
    body = page(around=Around(earlier=earlier)).body
    assert said in body
    assert ("Recent changes" in body) is bool(earlier)


def test_symptoms_are_told_apart_from_what_is_open_beside() -> None:
    others = (incident(id="ad-1", explained_by=ID), incident(id="po-1"))
    body = page(around=Around(related=others)).body
    assert "Also open: po-1 (Hot storage). Explained by this one: ad-1." in body
    alone = page(around=Around(related=others[:1])).body
    assert "Nothing else is open. Explained by this one: ad-1." in alone


def test_the_next_level_reads_who_was_told_before_with_what_result_and_what_they_did() -> None:
    """Why it came to them, what L1 tried, and its notes."""
    failed = delivery(key="f", channel="sms", state=DeliveryState.FAILED, error="21610: stopped")
    first = delivery(state=DeliveryState.ACCEPTED, sent_at=T + 603)
    noted = Event(ID, T + 700, Kind.NOTE, "ana: it is the switch", {"by": "ana"}, "ana")
    own = Event(ID, T + 710, Kind.NOTE, "No heads-up: silence by ben")
    acked = Event(ID, T + 660, Kind.ACKED, "Acknowledged by ana", {"by": "ana", "via": "link"}, "ana")
    climbed = story(
        escalation=escalation(level=2), deliveries=(first, failed), events=(*events()[:7], acked, noted, own)
    )
    body = page(PageEvent.ESCALATE, dossier=climbed, reason="not resolved in time").body
    assert "Why you: not resolved in time" in body
    assert (
        "Also told:\nL1 ana by pagerduty: accepted 09:10\nL1 ana by sms: failed (21610: stopped)\n"
        "Nobody has acknowledged\nWhat people did:\n09:11 Acknowledged by ana, by link\n"
        "09:11 ana: it is the switch"
    ) in body


@pytest.mark.parametrize(
    ("heard", "state", "said"),
    [
        ({}, DeliveryState.ACCEPTED, "accepted 09:10"),
        ({"delivered": T + 660}, DeliveryState.ACCEPTED, "delivered 09:11"),
        ({"delivered": T + 660, "seen": T + 720}, DeliveryState.ACCEPTED, "seen 09:12"),
        ({"undelivered": T + 660}, DeliveryState.FAILED, "undelivered 09:11 (not delivered: 30003)"),
    ],
)
def test_of_each_page_the_last_that_was_heard_is_told(
    heard: dict[str, float], state: DeliveryState, said: str
) -> None:
    error = "not delivered: 30003" if state is DeliveryState.FAILED else ""
    row = delivery(channel="sms", state=state, sent_at=T + 603, heard=heard, error=error)
    assert f"L1 ana by sms: {said}" in page(dossier=story(deliveries=(row,))).body.splitlines()


def test_of_a_stack_dump_only_what_it_says_is_shown() -> None:
    dump = (
        'starting\nTraceback (most recent call last):\n  File "/srv/app/pay.py", line 12, in go\n    run(key)\n'
        "ValueError: no such table\n\tat com.acme.Go.run(Go.java:5)\nexit"
    )
    body = page(dossier=story(attempts=(attempt(output=dump),))).body
    assert "Last output:\nstarting\nValueError: no such table\nexit" in body


def crowded() -> tuple[Any, Around]:
    """As much of everything as there may be."""
    findings = tuple(FindingRecord(f"detector-{n}", 0.5, "above 1%" * 9, T, "firing") for n in range(40))
    tried = tuple(
        attempt(f"r{n}", key=f"k{n}", effect="answered " * 40, output="o" * 5000) for n in range(30)
    )
    told = tuple(delivery(key=f"d{n}", state=DeliveryState.FAILED, error="no " * 99) for n in range(50))
    asked = tuple(gates(f"g{n}", ("budget", "used " * 99)) for n in range(30))
    changed = tuple(PipelineChange(T, "deploy " * 30, "ci", f"{n}", WHOLE) for n in range(30))
    dossier = story(
        incident=incident(findings=findings), attempts=tried, deliveries=told, events=asked,
        debts=tuple(debt(id=f"d{n}", rung=f"r{n}") for n in range(30)),
    )  # fmt: skip
    return dossier, Around(changed, tuple(incident(id=f"i{n}") for n in range(99)), 20)


def test_a_page_is_one_screen_and_is_cut_from_the_bottom() -> None:
    dossier, around = crowded()
    message = page(dossier=dossier, around=around)
    assert len(message.body.splitlines()) <= LINES
    assert octets(message.body) <= SCREEN
    assert max(len(line) for line in message.body.splitlines()) <= 160
    assert message.body.startswith(f"Incident {ID}, critical, L1. L2 at ")
    for kept in (
        "Impact: ",
        "Signal:",
        "What the robot did:",
        "Now: stepped back.",
        "Left behind:",
        "Next: ",
    ):
        assert kept in message.body
    assert "What people did" not in message.body
    assert message.links, "what was cut stands behind the link"


@given(st.lists(st.text(max_size=3000), max_size=6), st.text(max_size=3000))
def test_a_page_is_one_screen_whatever_the_facts_hold(outputs: list[str], reason: str) -> None:
    tried = tuple(attempt(f"r{n}", key=f"k{n}", effect=text, output=text) for n, text in enumerate(outputs))
    message = page(dossier=story(attempts=tried), reason=reason)
    assert octets(message.body) <= SCREEN
    assert len(message.body.split("\n")) <= LINES
