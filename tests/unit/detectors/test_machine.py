"""The state machine, driven by letters: B breach, O fine, - fine but not clear, U no telemetry, N nothing to judge."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from config.scope import scope_of
from config.section import FailureMode, Severity
from config.units import OfLast
from detectors.machine import advance
from detectors.rule import Rule, Signal, Test
from detectors.state import State, Transition, forget, fresh_state, restore, save
from tests.fakes.samples import seen, ticks

MINUTE = 60.0


def rule(hold: float = 300.0, clear: float = 60.0, no_data: float = 300.0, **more: Any) -> Rule:
    return Rule(
        name="d",
        mode=FailureMode.STORAGE_FAILURE,
        severity=Severity.CRITICAL,
        source="main",
        signal=Signal("gauge", ("g",)),
        fire=Test("above", 0.5, hold, of_last=more.pop("of_last", None)),
        clear=Test("below", 0.5, clear),
        no_data_for=no_data,
        step=30.0,
        **more,
    )


def run(
    the_rule: Rule, letters: str, *, start: float = 0.0, state: State | None = None
) -> tuple[State, list[Transition]]:
    at = ticks(len(letters), start=start)
    observations, values = seen(letters, at=at)
    after, transitions = advance(the_rule, state or fresh_state(the_rule), observations, values, at)
    return after, list(transitions)


def told(transitions: list[Transition]) -> list[tuple[str, float]]:
    """(state, minutes), without what is only pending."""
    return [(str(t.state), t.at / MINUTE) for t in transitions if t.state not in {"pending", "withdrawn"}]


CASES = [
    ("row 1: the plain hold", rule(), "B" * 12, [("fired", 5.0)]),
    ("row 3: one failed scrape in an outage does not delay it", rule(), "-" * 4 + "B" * 6 + "U" + "B" * 12, [("fired", 7.0)]),
    (
        "row 3: scrapes that fail every second time are missing telemetry, never an outage",
        rule(),
        "BU" * 20,
        [("no_data", 5.5)],
    ),
    (
        "rule 3: a gap of 20 % of the hold is forgiven whole",
        rule(),
        "BBBBBB" + "UU" + "B" * 8,
        [("fired", 5.0)],
    ),
    (
        "rule 3: a longer gap is deducted whole, so the outage is late by the gap and never early",
        rule(),
        "BBBBBB" + "UUU" + "B" * 10,
        [("fired", 6.5)],
    ),
    (
        "contract: gaps add up within one pending hold",
        rule(),
        "BBUBBUBBUBBBBBBBBBBBBB",
        [("fired", 6.5)],
    ),
    ("one healthy sample starts the hold again", rule(), "B" * 9 + "-" + "B" * 11, [("fired", 10.0)]),
    (
        "row 4: lost data clears nothing, and only observed health does",
        rule(no_data=3600),
        "B" * 13 + "U" * 20 + "OOO",
        [("fired", 5.0), ("cleared", 17.5)],
    ),
    ("row 5: two missing samples are nothing", rule(), "O" * 20 + "UU" + "O" * 20, []),
    (
        "row 5: missing telemetry has a hold of its own, and no outage comes of it",
        rule(),
        "O" * 20 + "U" * 11 + "O" * 4,
        [("no_data", 15.0), ("data_back", 16.5)],
    ),
    ("row 12: an idle service is neither an outage nor missing telemetry", rule(), "N" * 60, []),
    (
        "row 12: firing and then idle stays firing, blind",
        rule(no_data=600),
        "B" * 11 + "N" * 60,
        [("fired", 5.0), ("no_data", 15.5)],
    ),
    (
        "the clear condition has its own hold",
        rule(),
        "B" * 11 + "O" + "-" + "OO" + "O",
        [("fired", 5.0), ("cleared", 7.5)],
    ),
    (
        "fine but not clear holds the finding up",
        rule(),
        "B" * 11 + "-" * 20,
        [("fired", 5.0)],
    ),
    ("a hold of nothing fires at once", rule(hold=0.0, clear=0.0), "OBO", [("fired", 0.5), ("cleared", 1.0)]),
    (
        "while telemetry is missing by its hold, no outage starts until data is back for a fifth of it",
        rule(hold=0.0),
        "O" * 5 + "U" * 12 + "BBB",
        [("no_data", 7.5), ("data_back", 9.5), ("fired", 9.5)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "the_rule", "letters", "expected"), CASES, ids=[case[0] for case in CASES]
)
def test_transitions(reason: str, the_rule: Rule, letters: str, expected: list[tuple[str, float]]) -> None:
    assert told(run(the_rule, letters)[1]) == expected, reason


def test_values_that_dance_on_the_threshold_fire_once_and_clear_once() -> None:
    """Row 14: 980, 1010, 990, 1020 … with fire above 1000, clear below 900, five of ten."""
    dancing = rule(of_last=OfLast(5, 10), clear=60.0)
    fired = told(run(dancing, "-B" * 30 + "O" * 10)[1])
    assert [state for state, _ in fired] == ["fired", "cleared"]
    assert fired[0][1] == 4.5  # the fifth slot in breach ends there


def test_less_than_the_slots_asked_for_does_not_fire() -> None:
    assert told(run(rule(of_last=OfLast(5, 10)), "---B" * 20)[1]) == []


def test_unobserved_slots_are_no_breach() -> None:
    assert told(run(rule(of_last=OfLast(8, 10), no_data=3600), "BUBUBUBUBU" * 4)[1]) == []
    finer = replace(rule(of_last=OfLast(8, 10), no_data=3600), step=15.0)
    at = ticks(80, step=15.0)
    _, transitions = advance(finer, fresh_state(finer), *seen("BU" * 40, at=at, interval=15.0), at)
    assert told([*transitions]) == []


def test_telemetry_that_comes_and_goes_starts_no_outage_however_long_its_own_hold() -> None:
    patient = rule(no_data=3600)
    assert told(run(patient, "BU" * 50)[1]) == []
    assert told(run(patient, "BU" * 50 + "B" * 30)[1]) == [("fired", 62.0)]


def test_firing_survives_a_restart_without_a_second_firing() -> None:
    """Row 1: firing at 6:00, down 6:30-7:00."""
    state, first = run(rule(), "B" * 13)
    again = restore(rule(), {scope: json.loads(json.dumps(row)) for scope, row in save(state).items()})
    _, second = run(rule(), "B" * 10, start=7 * MINUTE, state=again)
    assert (told(first), told(second)) == ([("fired", 5.0)], [])


def test_a_restart_within_the_forgiven_gap_does_not_delay() -> None:
    """Row 1: breach from 0:00, killed 4:00, back 4:30."""
    state, _ = run(rule(), "B" * 9)
    _, after = run(rule(), "B" * 9, start=4.5 * MINUTE, state=restore(rule(), save(state)))
    assert told(after) == [("fired", 5.0)]


def test_minutes_nobody_saw_are_deducted_after_a_restart() -> None:
    """Row 2: breach 0:00-1:00, down until 9:00, no history."""
    state, _ = run(rule(), "BBB")
    _, after = run(rule(), "B" * 12, start=9 * MINUTE, state=restore(rule(), save(state)))
    assert told(after) == [("fired", 13.0)]


def test_history_read_after_a_restart_decides() -> None:
    """Row 2: the gap shows health until 8:30 (fires at 14:00), or breach throughout (has fired by 9:00)."""
    state, _ = run(rule(), "BBB")
    _, healed = run(rule(), "-" * 15 + "B" * 12, start=1.5 * MINUTE, state=restore(rule(), save(state)))
    _, broken = run(rule(), "B" * 16, start=1.5 * MINUTE, state=restore(rule(), save(state)))
    assert told(healed)[-1] == ("fired", 14.0)
    assert told(broken)[0][1] <= 9.0


def test_a_pause_of_the_process_counts_as_unobserved() -> None:
    state, _ = run(rule(), "BBB")
    _, after = run(rule(), "B" * 12, start=9 * MINUTE, state=state)
    assert told(after) == [("fired", 13.0)]


def test_the_saved_state_is_json_and_holds_only_what_is_not_idle() -> None:
    at = ticks(4)
    observations, values = seen("BBBB", "OOOO", at=at)
    state, _ = advance(rule(), fresh_state(rule()), observations, values, at)
    saved = save(state)
    assert [dict(scope) for scope in saved] == [{"scope": "0"}]
    assert json.loads(json.dumps([*saved.values()])) == [*saved.values()]


def test_scopes_may_join_and_leave_and_what_is_firing_is_not_forgotten() -> None:
    one, two = scope_of({"tier": "hot"}), scope_of({"tier": "warm"})
    first, later = ticks(12), ticks(12, start=360.0)
    state, fired = advance(rule(), fresh_state(rule()), *seen("B" * 12, at=first, scopes=[one]), first)
    state, more = advance(rule(), state, *seen("B" * 12, at=later, scopes=[two]), later)
    assert [(t.scope, t.state, t.at) for t in fired if t.state == "fired"] == [(one, "fired", 300.0)]
    assert [(t.scope, str(t.state)) for t in more] == [(two, "pending"), (one, "no_data"), (two, "fired")]
    assert set(state.scopes) == {one, two}
    assert forget(state, [one]).scopes == (two,)


def test_a_zero_test_counts_from_the_last_growth_and_not_across_what_was_excused() -> None:
    at = ticks(20)
    observations, values = seen("-" * 4 + "B" * 16, at=at)
    anchored = replace(observations, anchor=np.where(observations.fire == 1, 70.0, np.nan))
    _, transitions = advance(rule(), fresh_state(rule()), anchored, values, at)
    assert told([*transitions]) == [("fired", 6.5)]  # 70 s + 5 min, at the next tick
    excused = replace(anchored, excused=np.arange(20)[:, None] < 4)
    _, transitions = advance(rule(), fresh_state(rule()), excused, values, at)
    assert told([*transitions]) == [("fired", 6.5)]  # 90 s, the last excused tick
