"""What must hold for any telemetry: cutting ticks into blocks changes nothing, and not knowing decides nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.section import FailureMode, Severity
from config.units import OfLast
from detectors.machine import advance
from detectors.rule import STEADY, Flapping, Rule, Signal, Test
from detectors.state import Transition, fresh_state, restore, save
from tests.fakes.samples import seen, ticks

ROWS = st.integers(1, 4).flatmap(
    lambda scopes: st.integers(1, 60).flatmap(
        lambda length: st.lists(
            st.lists(st.sampled_from("BBBO-UN"), min_size=length, max_size=length).map("".join)
            | st.builds(lambda a, b, n: (a * n + b * length)[:length], st.sampled_from("BO-U"), st.sampled_from("BO-UN"), st.integers(0, 30)),
            min_size=scopes,
            max_size=scopes,
        )
    )
)  # fmt: skip
RULES = st.builds(
    lambda hold, clear, no_data, of_last, clear_of_last, flap: Rule(
        name="d",
        mode=FailureMode.API_DEGRADATION,
        severity=Severity.HIGH,
        source="main",
        signal=Signal("gauge", ("g",)),
        fire=Test("above", 0.5, hold, of_last=of_last if hold else None),
        clear=Test("below", 0.5, clear, of_last=clear_of_last if clear else None),
        no_data_for=no_data,
        step=30.0,
        flap=flap,
    ),
    st.sampled_from([0.0, 45.0, 60.0, 300.0]),
    st.sampled_from([0.0, 60.0, 150.0]),
    st.sampled_from([60.0, 300.0]),
    st.sampled_from([None, None, OfLast(2, 3), OfLast(5, 10)]),
    st.sampled_from([None, None, OfLast(2, 4)]),
    st.sampled_from([STEADY, Flapping(3, 600.0, 300.0)]),
)


def told(rule: Rule, rows: list[str], cuts: list[int]) -> list[Transition]:
    at = ticks(len(rows[0]))
    observations, values = seen(*rows, at=at)
    state = fresh_state(rule)
    out: list[Transition] = []
    for begin, end in pairwise([0, *sorted(cuts), len(at)]):
        part = slice(begin, end)
        state, more = advance(rule, state, observations.rows(part), values.rows(part), at[part])
        out += more
    return out


@settings(max_examples=150, deadline=None)
@given(RULES, ROWS, st.data())
def test_any_cutting_into_blocks_gives_the_same_transitions(rule: Rule, rows: list[str], data: Any) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(rows[0])), max_size=8))
    whole = told(rule, rows, [])
    assert told(rule, rows, cuts) == whole
    assert told(rule, rows, [*range(len(rows[0]))]) == whole


@settings(max_examples=150, deadline=None)
@given(RULES, ROWS)
def test_unknown_alone_neither_fires_nor_clears(rule: Rule, rows: list[str]) -> None:
    """Fired and cleared need an observation of their own at that very tick."""
    at = ticks(len(rows[0]))
    for one in told(rule, rows, []):
        letter = rows[int(dict(one.scope)["scope"])][int(one.at // 30)]
        if one.state == "fired":
            assert letter == "B" or (rule.fire.of_last is not None and letter in "O-")
        if one.state in {"cleared", "withdrawn", "data_back"}:
            assert letter != "U"
        if one.state == "cleared":
            assert letter == "O"
    assert len(at)


@settings(max_examples=150, deadline=None)
@given(RULES, ROWS, st.data())
def test_unknown_in_place_of_anything_never_makes_an_outage_earlier(
    rule: Rule, rows: list[str], data: Any
) -> None:
    """Blanking any tick can only delay the first firing of a scope, by no amount bring it forward."""
    row = rows[0]
    tick = data.draw(st.integers(0, len(row) - 1))
    if row[tick] in "O-":
        return  # blanking health removes what would have ended a hold: gaps up to 20 % are forgiven by design
    blanked = row[:tick] + "U" + row[tick + 1 :]
    first = [t.at for t in told(rule, [row], []) if t.state == "fired"]
    then = [t.at for t in told(rule, [blanked], []) if t.state == "fired"]
    assert not then or (first and then[0] >= first[0])


@settings(max_examples=100, deadline=None)
@given(RULES, ROWS, st.data())
def test_a_restart_without_a_pause_changes_nothing_that_fires(rule: Rule, rows: list[str], data: Any) -> None:
    """Saving and restoring keeps every firing firing: no second firing of it, and no early one."""
    at = ticks(len(rows[0]))
    cut = data.draw(st.integers(0, len(at)))
    observations, values = seen(*rows, at=at)
    state, before = advance(
        rule, fresh_state(rule), observations.rows(slice(0, cut)), values.rows(slice(0, cut)), at[:cut]
    )
    again = restore(rule, save(state))
    rest = slice(cut, len(at))
    _, after = advance(rule, again, observations.rows(rest), values.rows(rest), at[rest])
    open_: set[object] = set()
    for one in (*before, *after):
        if one.state == "fired":
            assert one.scope not in open_
            open_.add(one.scope)
        if one.state == "cleared":
            open_.discard(one.scope)
