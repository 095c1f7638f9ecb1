"""A scope that fires again and again flaps: it fires on until it was well for long enough, and then says so."""

from __future__ import annotations

import json

import pytest

from config.section import FailureMode, Severity
from config.units import OfLast
from detectors.findings import findings_of
from detectors.machine import advance
from detectors.rule import Flapping, Rule, Signal, Test, rule_of
from detectors.spec import DetectorSpec
from detectors.state import State, fresh_state, restore, save
from tests.fakes.samples import seen, ticks

RULE = Rule(
    "d", FailureMode.API_DEGRADATION, Severity.HIGH, "main", Signal("gauge", ("g",)), Test("above", 0.5, 60.0),
    Test("below", 0.5, 60.0), no_data_for=300.0, step=30.0, flap=Flapping(4, 1800.0, 600.0),
)  # fmt: skip
WAVE = "BBBOOO"
"""Three minutes: it fires after one of them and would clear after two and a half."""


def told(
    rows: str, rule: Rule = RULE, *, state: State | None = None, begin: int = 0
) -> tuple[list[tuple[str, float]], State]:
    """(state, minutes) of each change, and where it stands."""
    at = ticks(begin + len(rows))[begin:]
    watched, values = seen(rows, at=at)
    after, moves = advance(rule, state or fresh_state(rule), watched, values, at)
    changes = [(str(one.state), one.at / 60) for one in moves if one.state.value in {"fired", "cleared"}]
    return changes, after


def test_the_fourth_firing_in_half_an_hour_goes_on_until_it_was_well_for_ten_minutes() -> None:
    changes, state = told(WAVE * 6 + "O" * 20)
    assert changes == [
        ("fired", 1.0), ("cleared", 2.5), ("fired", 4.0), ("cleared", 5.5), ("fired", 7.0), ("cleared", 8.5),
        ("fired", 10.0), ("cleared", 26.5),
    ]  # fmt: skip
    assert not state.flapping.any()


def test_it_stands_on_the_board_as_firing_and_flapping() -> None:
    _, state = told(WAVE * 4)
    (found,) = findings_of(RULE, state)
    assert found.state.value == "clearing"
    assert found.flapping == "fired 4 times within 30m; it ends after 10m of health"
    _, state = told(WAVE * 3 + "BBB", RULE)
    (found,) = findings_of(RULE, state)
    assert (found.state.value, bool(found.flapping)) == ("firing", True)


def test_four_firings_in_more_than_the_time_are_four_outages() -> None:
    slow = "BBB" + "O" * 18  # one in ten and a half minutes: the fourth comes 31.5 min after the first
    changes, state = told(slow * 5)
    assert len(changes) == 10
    assert not state.flapping.any()


def test_what_nobody_saw_ends_no_flapping() -> None:
    changes, state = told(WAVE * 4 + "O" * 6 + "U" * 40)
    assert [what for what, _ in changes][-1] == "fired"
    assert state.flapping.all()


def test_a_restart_knows_what_flapped_and_how_often_it_fired() -> None:
    rows = WAVE * 6 + "O" * 20
    whole, _ = told(rows)
    for cut in range(1, len(rows)):
        before, state = told(rows[:cut])
        kept = {scope: json.loads(json.dumps(row)) for scope, row in save(state).items()}
        resumed = restore(RULE, kept, state.last_tick)
        resumed.resumed = False
        after, _ = told(rows[cut:], state=resumed, begin=cut)
        assert before + after == whole, f"restart after tick {cut}"


def test_with_slots_too_it_is_well_only_after_the_calm_time() -> None:
    rule = Rule(
        "d", FailureMode.API_DEGRADATION, Severity.HIGH, "main", Signal("gauge", ("g",)),
        Test("above", 0.5, 60.0, OfLast(2, 2)), Test("below", 0.5, 60.0, OfLast(2, 2)), no_data_for=300.0, step=30.0,
        flap=Flapping(3, 1800.0, 600.0),
    )  # fmt: skip
    changes, _ = told("BBBBOOOO" * 3 + "O" * 30, rule)
    assert [what for what, _ in changes] == ["fired", "cleared"] * 3
    assert changes[-1][1] - changes[-2][1] >= 10.0


@pytest.mark.parametrize(
    ("more", "within", "calm", "why"),
    [
        ({}, 6 * (300 + 120), 6 * (300 + 120), "six times the holds"),
        ({"fire": {"above": 1}, "clear": {"below": 1}}, 150.0, 150.0, "without holds ten intervals"),
        ({"flap": {"within": "20m"}}, 1200.0, 1200.0, "as calm as it was restless"),
        ({"flap": {"within": "20m", "calm": "5m"}}, 1200.0, 300.0, "as written"),
    ],
)
def test_left_out_times_follow_from_the_holds(
    more: dict[str, object], within: float, calm: float, why: str
) -> None:
    spec = {
        "failure_mode": "api_degradation", "signal": {"gauge": {"of": "g"}},
        "fire": {"above": 1, "for": "5m"}, "clear": {"below": 1, "for": "2m"},
    }  # fmt: skip
    rule = rule_of("d", DetectorSpec.model_validate({**spec, **more}), default_source="main", step=15.0)
    assert rule.flap == Flapping(4, within, calm), why
