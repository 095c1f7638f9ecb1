"""Live and replay are one kernel, and whatever telemetry does, its absence decides nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from config.scope import scope_of
from detectors.rings import Rings
from detectors.rule import Rule, rule_of
from detectors.samples import Batch, Block, Failed, Series
from detectors.spec import DetectorSpec
from detectors.state import Transition, fresh_state, restore, save
from tests.fakes.kernel import Surroundings, cycle, replay
from tests.fakes.samples import GAP, STALE, STEP, Sample, block, labels, rings_of, running

ANCHOR, BAD, ALL, DEPTH = (Series(name, labels(tier="hot")) for name in ("anchor", "bad", "all", "depth"))
COLD = Series("all", labels(tier="cold"))
WARM_DEPTH, COLD_DEPTH = (Series("depth", labels(tier=tier)) for tier in ("warm", "cold"))


def rule(name: str, signal: dict[str, Any], fire: dict[str, Any], **more: Any) -> Rule:
    spec = {
        "failure_mode": "storage_failure",
        "signal": signal,
        "fire": fire,
        "no_data": {"for": "3m"},
        **more,
    }
    return rule_of(name, DetectorSpec.model_validate(spec), default_source="main", step=STEP)


GROWTH = {"of": "all", "by": ["tier"], "window": "1m"}
RULES = [
    rule("zero", {"increase": GROWTH}, {"equals": 0, "for": "2m"}, clear={"above": 0, "for": "1m"}),
    rule("whole", {"increase": {"of": "all", "window": "1m"}}, {"equals": 0, "for": "90s"}),
    rule("ratio", {"ratio": {**GROWTH, "of": "bad", "to": "all"}}, {"above": "20%", "for": "90s"}, minimum={"events": 12, "widen_to": "5m"}),
    rule("rate", {"rate": GROWTH}, {"below": 0.1, "for": "2m", "of_last": "3 of 4"}),
    rule("gauge", {"gauge": {"of": "depth", "by": ["tier"]}}, {"above": 10, "for": "60s"}, clear={"below": 8, "for": "1m"}),
    rule("burn", {"burn_rate": {"of": "bad", "to": "all", "by": ["tier"], "objective": "90%", "windows": [{"long": "4m", "short": "1m", "burn": 3}, {"long": "8m", "short": "2m", "burn": 2}]}}, {"above": 1, "for": "30s"}, minimum={"events": 6}),
    rule("peers", {"peers": {"signal": {"gauge": {"of": "depth", "by": ["tier"]}}, "direction": "above", "at_least": 2, "min_absolute": 2}}, {"above": 3, "for": "60s"}),
    rule("growth", {"growth": {"of": "depth", "by": ["tier"], "window": "3m"}}, {"above": 0, "for": "60s"}, clear={"below": 0, "for": "30s"}),
    rule("stall", {"increase": {**GROWTH, "of": "bad"}}, {"equals": 0, "for": "1m"}, **{"while": {"signal": {"increase": {"of": "all", "window": "1m"}}, "above": 0}}),
]  # fmt: skip
UNGATED = RULES[:-1]
LISTED = {one.name: (scope_of({"tier": "hot"}),) for one in RULES if one.signal.by}
AROUND = Surroundings(LISTED, {})


@st.composite
def scrapes(draw: st.DrawFn) -> Block:
    """Forty scrapes of one target: stretches of growth and standstill, gaps, failed scrapes, restarts."""
    length = 40

    def counter() -> list[Sample]:
        total, samples = float(draw(st.sampled_from([0, 500]))), []
        while len(samples) < length:
            what = draw(st.sampled_from(["grow", "grow", "still", "gap", "stale", "restart"]))
            for _ in range(draw(st.integers(1, 9))):
                total = (
                    0.0
                    if what == "restart"
                    else total + (float(draw(st.integers(1, 9))) if what == "grow" else 0.0)
                )
                samples.append(GAP if what == "gap" else STALE if what == "stale" else total)
                if what == "restart":
                    break
        return samples[:length]

    def gauge() -> list[Sample]:
        return [draw(st.sampled_from([1.0, 9.0, 20.0, 20.0, GAP])) for _ in range(length)]

    counters: dict[Series, list[Sample]] = {
        ANCHOR: [1.0] * length,
        BAD: counter(),
        ALL: counter(),
        COLD: counter(),
    }
    return block({**counters, DEPTH: gauge(), WARM_DEPTH: gauge(), COLD_DEPTH: gauge()})


def live(one: Block, failures: set[int], *, restart_at: int | None = None) -> list[Transition]:
    """Row by row, as a daemon sees it: failed fetches bring their rows with the next one that works."""
    rings = Rings("main", retention=1500.0, max_series=100, interval=STEP)
    states = {each.name: fresh_state(each) for each in RULES}
    events: list[Transition] = []
    begun = 0
    for row, at in enumerate(one.times):
        if row in failures:
            rings.fail(Failed("main", float(at), "refused"))
        else:
            part = slice(begun, row + 1)
            rings.add(
                Batch("main", float(at), (Block(one.target, one.times[part], one.series, one.values[part]),))
            )
            begun = row + 1
        for each in RULES:
            if restart_at == row:
                states[each.name] = restore(each, save(states[each.name]))
            states[each.name], more = cycle(each, states[each.name], {"main": rings}, np.array([at]), AROUND)
            events += more
    return events


def per_rule(events: list[Transition]) -> dict[str, list[Transition]]:
    return {each.name: [event for event in events if event.detector == each.name] for each in RULES}


@settings(max_examples=15, deadline=None)
@given(scrapes(), st.integers(1, 40))
def test_row_18_replay_in_any_blocks_says_what_live_said(one: Block, size: int) -> None:
    rings = {"main": rings_of(one, interval=STEP)}
    whole = per_rule(replay(RULES, rings, one.times, AROUND))
    note(f"{sum(any(t.state == 'fired' for t in found) for found in whole.values())} rules fire")
    assert per_rule(replay(RULES, rings, one.times, AROUND, block=size)) == whole
    assert per_rule(live(one, set())) == whole


@settings(max_examples=15, deadline=None)
@given(scrapes(), st.sets(st.integers(0, 39), max_size=20))
def test_a_source_that_fails_brings_no_firing_that_its_samples_do_not_show(
    one: Block, failures: set[int]
) -> None:
    """At the tick of a failed fetch nothing fires and nothing clears."""
    for told in live(one, failures):
        if int(told.at // STEP) in failures:
            assert told.state == "no_data"


HEALTHY = {
    ANCHOR: [1.0] * 60,
    BAD: running((0, 59)),
    ALL: running((9, 59)),
    COLD: running((9, 59)),
    DEPTH: [1.0] * 60,
    WARM_DEPTH: [1.0] * 60,
    COLD_DEPTH: [1.0] * 60,
}
KINDS = ["stale", "gap", "partial", "failed", "future", "nothing"]


def hurt(kind: str, begin: int, length: int, samples: dict[Series, list[Sample]]) -> list[Transition]:
    """Telemetry that goes wrong in one way for a while."""
    whole = block(samples)
    rings = Rings("main", retention=math.inf, max_series=100, interval=STEP)
    states = {each.name: fresh_state(each) for each in UNGATED}
    events: list[Transition] = []
    for row, at in enumerate(whole.times):
        values = whole.values[row : row + 1].copy()
        moment, complete, wrong = at, True, begin <= row < begin + length
        if wrong and kind == "stale":
            values[:, 0], values[:, 1:] = 0.0, np.nan
        if wrong and kind == "gap":
            values[:, 2:] = np.nan
        if wrong and kind == "partial":
            values[:, 3:], complete = np.nan, False
        if wrong and kind == "future":
            moment = at + 3600.0
        if wrong and kind == "failed":
            rings.fail(Failed("main", float(at), "timed out"))
        elif not (wrong and kind == "nothing"):
            rings.add(
                Batch(
                    "main",
                    float(at),
                    (Block(whole.target, np.array([moment]), whole.series, values),),
                    complete,
                )
            )
        for each in UNGATED:
            states[each.name], more = cycle(each, states[each.name], {"main": rings}, np.array([at]), AROUND)
            events += more
    return events


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 3, 20])
def test_telemetry_going_wrong_at_any_moment_fires_nothing(kind: str, length: int) -> None:
    for begin in (3, 22):
        states = {str(event.state) for event in hurt(kind, begin, length, HEALTHY)}
        assert not states & {"fired", "cleared"}, (kind, begin, length)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 20])
def test_telemetry_going_wrong_while_it_fires_clears_nothing(kind: str, length: int) -> None:
    failing = {ANCHOR: [1.0] * 60, BAD: running((9, 59)), ALL: running((9, 59)), COLD: running((0, 59)), DEPTH: [float(n) for n in range(11, 71)], WARM_DEPTH: [1.0] * 60, COLD_DEPTH: [1.0] * 60}  # fmt: skip
    for begin in (15,):
        events = hurt(kind, begin, length, failing)  # type: ignore[arg-type]  # lists of floats are lists of samples
        fired = [(event.detector, event.scope) for event in events if event.state == "fired"]
        assert {name for name, _ in fired} >= {"burn", "peers", "growth"}
        assert len(fired) == len(set(fired)) > 0
        assert not [event for event in events if event.state == "cleared"], (kind, begin, length)


@settings(max_examples=15, deadline=None)
@given(scrapes(), st.integers(1, 39))
def test_a_restart_at_any_tick_fires_nothing_twice(one: Block, restart_at: int) -> None:
    firing: set[object] = set()
    for told in live(one, set(), restart_at=restart_at):
        key = (told.detector, told.scope)
        if told.state == "fired":
            assert key not in firing
            firing.add(key)
        if told.state == "cleared":
            firing.discard(key)
