"""Stretches worked out at once say what the state machine says step by step: transitions, and where it stands after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from config.section import FailureMode, Severity
from config.units import OfLast
from detectors.machine import advance
from detectors.observe import Observations
from detectors.rule import STEADY, Flapping, Rule, Signal, Test
from detectors.samples import Floats
from detectors.state import State, Transition, fresh_state
from detectors.values import Quality, Values
from tests.fakes.samples import seen, ticks

LENGTH = 80
STRETCHES = st.lists(st.tuples(st.sampled_from("BO-"), st.integers(1, 25)), min_size=1, max_size=12)
ROW = STRETCHES.map(lambda parts: ("".join(letter * count for letter, count in parts) * LENGTH)[:LENGTH])
RULE = st.builds(
    lambda hold, clear, flap, of_last, clear_of_last: Rule(
        name="d",
        mode=FailureMode.API_DEGRADATION,
        severity=Severity.HIGH,
        source="main",
        signal=Signal("gauge", ("g",)),
        fire=Test("above", 0.5, hold, of_last=of_last if hold else None),
        clear=Test("below", 0.5, clear, of_last=clear_of_last if clear else None),
        no_data_for=300.0,
        step=30.0,
        flap=flap,
    ),
    st.sampled_from([0.0, 30.0, 45.0, 60.0, 300.0, 900.0]),
    st.sampled_from([0.0, 45.0, 60.0, 300.0]),
    st.sampled_from([STEADY, Flapping(3, 900.0, 300.0), Flapping(4, 1500.0, 90.0)]),
    st.sampled_from([None, None, None, OfLast(2, 3), OfLast(3, 5)]),
    st.sampled_from([None, None, None, OfLast(2, 4)]),
)
BLIND = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, LENGTH - 1), st.integers(1, 12), st.sampled_from("UN")),
    max_size=2,
)
EXCUSED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, LENGTH - 1)), max_size=4)
CUTS = st.lists(st.integers(1, LENGTH - 1), max_size=3)


def observed(
    rows: list[str],
    blind: list[tuple[int, int, int, str]],
    excused: list[tuple[int, int]],
    born: int,
    reach: float,
) -> tuple[Observations, Values, Floats]:
    """`reach`: seconds by which a breach's anchor lies before it; 0 for none. `born`: the first scope's first tick."""
    at = ticks(LENGTH)
    lines = [list(row) for row in rows]
    for scope, begin, count, letter in blind:
        line = lines[scope % len(lines)]
        line[begin : begin + count] = letter * len(line[begin : begin + count])
    for scope, tick in excused:
        lines[scope % len(lines)][tick] = "O"
    watched, values = seen(*("".join(line) for line in lines), at=at)
    off = np.zeros(watched.fire.shape, dtype=bool)
    for scope, tick in excused:
        off[tick, scope % len(lines)] = True
    quality = values.quality.copy()
    quality[:born, 0] = Quality.UNBORN
    fire, clear = watched.fire.copy(), watched.clear.copy()
    fire[:born, 0] = clear[:born, 0] = -1
    anchor = np.where(fire == 1, at[:, None] - reach, np.nan) if reach else watched.anchor
    watched = replace(
        watched, excused=off, fire=fire, clear=clear, anchor=anchor, dark=watched.dark & (quality > 0)
    )
    return watched, replace(values, quality=quality), at


def moved(
    rule: Rule, watched: Observations, values: Values, at: Floats, cuts: list[int]
) -> tuple[list[Transition], State]:
    state, found = fresh_state(rule), []
    for begin, end in zip([0, *cuts], [*cuts, len(at)], strict=True):
        part = slice(begin, end)
        state, moves = advance(rule, state, watched.rows(part), values.rows(part), at[part])
        found += moves
    return found, state


@settings(max_examples=300, deadline=None)
@given(
    RULE,
    st.lists(ROW, min_size=1, max_size=4),
    BLIND,
    EXCUSED,
    st.integers(0, 30),
    st.sampled_from([0.0, 100.0]),
    CUTS,
)
def test_a_sweep_says_what_steps_say(
    rule: Rule,
    rows: list[str],
    blind: list[tuple[int, int, int, str]],
    excused: list[tuple[int, int]],
    born: int,
    reach: float,
    cuts: list[int],
) -> None:
    seen_ = observed(rows, blind, excused, born, reach)
    steps, stood = moved(rule, *seen_, [*range(1, LENGTH)])
    swept, stands = moved(rule, *seen_, sorted(set(cuts)))
    assert swept == steps
    for name in (
        "phase", "since", "blind", "blind_from", "floor", "clear_since", "clear_blind", "clear_from", "dark_since",
        "back_since", "no_data", "joined", "last_known", "value", "observed_at", "quality", "flapping", "fired_at",
        "fire_hits", "fire_part", "clear_hits", "clear_part",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(stands, name), getattr(stood, name), err_msg=name)
    assert (stands.last_tick, stands.resumed) == (stood.last_tick, stood.resumed)


def test_a_breach_holds_to_the_last_bit_as_steps_reckon() -> None:
    """Instants with fractions: the sum of an instant and a hold rounds otherwise than their difference."""
    rule = Rule(
        "d", FailureMode.API_DEGRADATION, Severity.HIGH, "main", Signal("gauge", ("g",)),
        Test("above", 0.5, 59.999999), Test("below", 0.5, 0.0), no_data_for=300.0, step=30.0,
    )  # fmt: skip
    at = np.asarray(1_767_600_000.1 + np.arange(40) * 0.3, dtype=np.float64)
    watched, values = seen("O" + "B" * 38 + "O", at=at)
    steps, _ = moved(rule, watched, values, at, [*range(1, 40)])
    assert moved(rule, watched, values, at, [])[0] == steps


def test_what_nobody_saw_of_a_slot_counts_against_it_in_a_block_as_step_by_step() -> None:
    """A slot of a minute with 30 s of breach counts, unless 10 s before them were not seen: health between the two
    does not make them seen.
    """
    rule = Rule(
        "d", FailureMode.API_DEGRADATION, Severity.HIGH, "main", Signal("gauge", ("g",)),
        Test("above", 0.5, 240.0, of_last=OfLast(1, 4)), Test("below", 0.5, 60.0), no_data_for=300.0, step=10.0,
    )  # fmt: skip
    at = ticks(31, step=10.0)
    for slot, fires in (("OOOBBB", True), ("NOOBBB", False)):
        watched, values = seen("O" * 13 + slot + "O" * 12, at=at, interval=10.0)
        steps, _ = moved(rule, watched, values, at, [*range(1, 31)])
        assert moved(rule, watched, values, at, [])[0] == steps
        assert any(one.state == "fired" for one in steps) == fires
