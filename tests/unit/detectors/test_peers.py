"""Deviation from peers, with the figures worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.scope import Scope, scope_of
from detectors.observe import BREACH, OK, UNKNOWN, observe
from detectors.peers import deviations
from detectors.promql import wanted
from detectors.rings import Rings
from detectors.robust import NORMAL
from detectors.rule import Peering, Signal, rule_of, signal_of
from detectors.samples import Batch, Series
from detectors.signals import measure
from detectors.spec import DetectorSpec, Minimum, SignalSpec
from detectors.values import Quality, Values
from tests.fakes.samples import GAP, STEP, Sample, block, labels, rings_of, running, ticks


def peers(**more: Any) -> Signal:
    body = {"signal": {"gauge": {"of": "g", "by": ["p"]}}, "direction": "below", "min_absolute": 5, **more}
    return signal_of(SignalSpec.model_validate({"peers": body}))


def level(**samples: Sample) -> Rings:
    """One gauge per scope, standing still."""
    return rings_of(block({Series("g", labels(p=name)): [value] * 3 for name, value in samples.items()}))


def told(values: Values, **scope: str) -> tuple[float, Quality]:
    column = values.scopes.index(scope_of(scope))
    return float(values.value[-1, column]), Quality(int(values.quality[-1, column]))


def newest(signal: Signal, rings: Rings, **scope: str) -> tuple[float, Quality]:
    return told(measure(signal, rings, ticks(3)), **scope)


def test_a_scope_lies_so_many_robust_deviations_below_the_median_of_all() -> None:
    """20 80 90 100 110 120: median 95, MAD of 75 15 5 5 15 25 is 15; 20 lies 75 below."""
    rings = level(a=20, b=80, c=90, d=100, e=110, f=120)
    assert newest(peers(), rings, p="a") == (pytest.approx(75 / (1.4826 * 15)), Quality.OK)
    assert newest(peers(), rings, p="b") == (0.0, Quality.OK)  # 15 below, and 30 % of the median are 28.5
    assert newest(peers(min_relative="10%"), rings, p="b") == (pytest.approx(15 / (1.4826 * 15)), Quality.OK)
    assert newest(peers(min_relative="10%", min_absolute=16), rings, p="b")[0] == 0.0
    assert newest(peers(), rings, p="f") == (0.0, Quality.OK)  # above, which is not asked for
    above = newest(peers(direction="above", min_relative="10%"), rings, p="f")
    assert above == (pytest.approx(25 / (1.4826 * 15)), Quality.OK)


@pytest.mark.parametrize(
    ("value", "expected", "reason"),
    [
        (100, 0.0, "as all"),
        (71, 0.0, "29 % less do not count"),
        (70, 10.0, "the least that counts is ten deviations"),
        (0, 100 / 3, "100 below: a deviation is a tenth of 30"),
    ],
)
def test_among_peers_that_are_all_alike_whatever_counts_is_far_off_and_nothing_infinite(
    value: float, expected: float, reason: str
) -> None:
    rings = level(a=value, b=100, c=100, d=100, e=100)
    assert newest(peers(), rings, p="a") == (pytest.approx(expected), Quality.OK), reason


def test_where_the_median_is_nothing_the_absolute_minimum_alone_decides() -> None:
    idle = dict.fromkeys("bcde", 0)
    signal = peers(direction="above")
    assert newest(signal, level(a=4.9, **idle), p="a")[0] == 0.0
    assert newest(signal, level(a=5, **idle), p="a")[0] == pytest.approx(10)


def test_fewer_others_than_asked_for_say_nothing() -> None:
    assert (
        newest(peers(), level(a=0, b=100, c=100, d=100), p="a")[1] is Quality.TOO_FEW
    )  # three others of four
    assert newest(peers(at_least=3), level(a=0, b=100, c=100, d=100), p="a") == (
        pytest.approx(100 / 3),
        Quality.OK,
    )


def test_peers_of_which_nothing_is_known_are_left_out_and_stay_unknown_themselves() -> None:
    rings = level(a=0, b=100, c=100, d=100, e=100)
    listed = [scope_of({"p": name}) for name in "abcdez"]
    values = measure(peers(), rings, ticks(3), expected=listed)
    assert told(values, p="z")[1] is Quality.ABSENT
    assert told(values, p="a") == (pytest.approx(100 / 3), Quality.OK)
    dead = block({Series("g", labels(p="e")): [100.0, 100.0, "stale"]}, target=labels(instance="b"))
    four = block(
        {
            Series("g", labels(p=name)): [value] * 3
            for name, value in {"a": 0, "b": 100, "c": 100, "d": 100}.items()
        }
    )
    values = measure(peers(), rings_of(four, dead), ticks(3))
    assert told(values, p="e")[1] is Quality.DOWN
    assert told(values, p="a")[1] is Quality.TOO_FEW


def test_across_names_the_labels_by_which_peers_differ() -> None:
    """Two regions: the north does 100 each, the south 10 each; one of the south does 2."""
    north = {Series("g", labels(p=f"n{index}", r="north")): [100.0] * 3 for index in range(5)}
    south = {Series("g", labels(p=f"s{index}", r="south")): [10.0] * 3 for index in range(4)}
    odd = {Series("g", labels(p="odd", r="south")): [2.0] * 3}
    rings = rings_of(block({**north, **south, **odd}))  # type: ignore[arg-type]  # floats are samples
    signal = {"gauge": {"of": "g", "by": ["p", "r"]}}
    apart = measure(peers(signal=signal, across=["p"]), rings, ticks(3))
    assert told(apart, p="odd", r="south") == (
        pytest.approx(8 / 0.5),
        Quality.OK,
    )  # a tenth of 5 is a deviation
    assert told(apart, p="s0", r="south") == (0.0, Quality.OK)
    together = measure(peers(signal=signal), rings, ticks(3))
    assert told(together, p="s0", r="south")[0] == pytest.approx(45 / (1.4826 * 45))  # median 55, MAD 45


def test_a_rate_is_compared_from_its_samples_and_needs_its_minimum() -> None:
    rates = {
        Series("n", labels(p=name)): running((30 * rate, 9))
        for name, rate in zip("abcde", (1, 10, 10, 10, 10), strict=True)
    }
    body = {
        "signal": {"rate": {"of": "n", "by": ["p"], "window": "2m"}},
        "direction": "below",
        "min_absolute": 5,
    }
    signal = signal_of(SignalSpec.model_validate({"peers": body}))
    assert told(measure(signal, rings_of(block(rates)), ticks(10)), p="a") == (
        pytest.approx(9 / 0.5),
        Quality.OK,
    )
    fresh = measure(signal, rings_of(block(rates)), ticks(10), since=200.0)
    assert told(fresh, p="a")[1] is Quality.WARMING  # samples from 210 s on do not cover 2 min yet
    assert [item.name for item in wanted(signal)] == ["n"]
    failures = {**rates, **{Series("bad", item.labels): running((0, 9)) for item in rates}}
    share = {
        "signal": {"ratio": {"of": "bad", "to": "n", "by": ["p"]}},
        "direction": "above",
        "min_absolute": "5%",
    }
    ratio = signal_of(SignalSpec.model_validate({"peers": share}), Minimum(events=100))
    values = measure(ratio, rings_of(block(failures)), ticks(10))
    assert told(values, p="a")[1] is Quality.TOO_FEW  # 60 in a minute
    assert told(values, p="b")[1] is Quality.TOO_FEW  # 600 of its own, and only three others have enough


def test_a_detector_breaches_where_one_is_far_off_and_is_unknown_where_nobody_can_tell() -> None:
    spec = {
        "failure_mode": "provider_outage",
        "signal": {
            "peers": {"signal": {"gauge": {"of": "g", "by": ["p"]}}, "direction": "below", "min_absolute": 5}
        },
        "fire": {"above": 5},
    }
    rule = rule_of("d", DetectorSpec.model_validate(spec), default_source="main", step=STEP)
    odd = observe(rule, measure(rule.signal, level(a=0, b=100, c=100, d=100, e=100), ticks(3)))
    assert odd.fire[-1].tolist() == [BREACH, OK, OK, OK, OK]
    few = observe(rule, measure(rule.signal, level(a=0, b=100), ticks(3)))
    assert few.fire[-1].tolist() == [UNKNOWN, UNKNOWN]
    assert not few.dark.any()  # there is nothing to judge by; no telemetry is missing


TABLE = st.integers(1, 7).flatmap(
    lambda scopes: st.lists(
        st.lists(st.one_of(st.none(), st.integers(-50, 200)), min_size=scopes, max_size=scopes),
        min_size=1,
        max_size=20,
    )
)


def by_hand(peering: Peering, row: list[float | None], column: int) -> float | None:
    """The definition, one cell at a time; None where nothing is known."""
    known = [value for value in row if value is not None]
    mine = row[column]
    if mine is None or len(known) - 1 < peering.at_least:
        return None
    median = float(np.median(known))
    spread = NORMAL * float(np.median([abs(value - median) for value in known]))
    least = max(peering.min_absolute, peering.min_relative * abs(median))
    off = median - mine if peering.direction == "below" else mine - median
    return off / max(spread, least / 10) if off >= least else 0.0


@settings(max_examples=100, deadline=None)
@given(TABLE, st.sampled_from(["below", "above"]), st.sampled_from([2, 4]))
def test_it_is_the_definition_cell_by_cell_in_any_block_and_any_unit(
    table: list[list[float | None]], direction: Any, at_least: int
) -> None:
    peering = Peering(direction, at_least, 5.0, 0.3)
    values = measured(table)
    whole = deviations(peering, values)
    for row, cells in enumerate(table):
        expected = [by_hand(peering, cells, column) for column in range(len(cells))]
        np.testing.assert_allclose(
            whole.value[row], [np.nan if one is None else one for one in expected], rtol=1e-12
        )
        np.testing.assert_array_equal(whole.quality[row] == Quality.OK, [one is not None for one in expected])
        alone = deviations(peering, values.rows(slice(row, row + 1)))
        np.testing.assert_array_equal(alone.value[0], whole.value[row])
    larger = [[None if cell is None else 4 * cell for cell in cells] for cells in table]
    again = deviations(Peering(direction, at_least, 20.0, 0.3), measured(larger))
    np.testing.assert_array_equal(again.value, whole.value)


def measured(table: list[list[float | None]]) -> Values:
    """As a gauge would be: one scope per column, None for absent."""
    value = np.array([[np.nan if cell is None else float(cell) for cell in row] for row in table])
    quality = np.where(np.isnan(value), Quality.ABSENT, Quality.OK).astype(np.int8)
    scopes: tuple[Scope, ...] = tuple(scope_of({"p": str(index)}) for index in range(value.shape[1]))
    none = np.zeros(value.shape, dtype=bool)
    return Values(scopes, value, none * 0.0, quality, value * np.nan, value * np.nan, none, ~none, STEP)


def test_live_says_tick_by_tick_what_a_replay_says_in_one_block() -> None:
    rows: list[list[Sample]] = [[100, GAP, 0, 0], [100] * 4, [90] * 4, [100, GAP, GAP, 80], [110] * 4]
    columns = {Series("g", labels(p=name)): row for name, row in zip("abcde", rows, strict=True)}
    one = block(columns)
    whole = measure(peers(at_least=3), rings_of(one, interval=STEP), one.times)
    grown = Rings("main", retention=1e9, max_series=10, interval=STEP)
    for row, at in enumerate(one.times):
        part = slice(row, row + 1)
        piece = type(one)(one.target, one.times[part], one.series, one.values[part])
        grown.add(Batch("main", float(at), (piece,)))
        live = measure(peers(at_least=3), grown, np.array([at]))
        np.testing.assert_array_equal(live.value[0], whole.value[row])
        np.testing.assert_array_equal(live.quality[0], whole.quality[row])
