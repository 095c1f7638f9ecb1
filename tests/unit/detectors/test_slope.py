"""How fast a gauge grows, with the figures worked out by hand and by Prometheus. Samples are 30 s apart."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.scope import scope_of
from detectors.observe import BREACH, OK, observe
from detectors.promql import promql
from detectors.rings import Rings
from detectors.rule import Signal, rule_of, signal_of
from detectors.samples import Batch, Block, Series
from detectors.signals import measure
from detectors.spec import DetectorSpec, SignalSpec
from detectors.values import Quality, Values
from tests.fakes.samples import GAP, STALE, STEP, Sample, block, labels, rings_of, ticks

LAG = Series("lag", ())


def growth(window: str = "2m", **more: Any) -> Signal:
    return signal_of(SignalSpec.model_validate({"growth": {"of": "lag", "window": window, **more}}))


def newest(values: Values, column: int = 0) -> tuple[float, Quality]:
    return float(values.value[-1, column]), Quality(int(values.quality[-1, column]))


def told(samples: list[Sample], window: str = "2m", **more: Any) -> tuple[float, Quality]:
    return newest(measure(growth(window, **more), rings_of(block({LAG: samples})), ticks(len(samples))))


FIGURES: list[tuple[list[Sample], float, str]] = [
    ([0, 30, 60, 90, 120], 1.0, "a straight line: 30 in 30 s"),
    ([7, 7, 7, 7, 7], 0.0, "it stands still"),
    ([120, 90, 60, 30, 0], -1.0, "it is worked off"),
    # t -60 -30 0 30 60 about their mean: sum of t*y = -60*0 - 30*0 + 0 + 0 + 60*100 = 6000, of t*t = 9000
    ([0, 0, 0, 0, 100], 6000 / 9000, "a burst at the end"),
    ([100, 0, 0, 0, 0], -6000 / 9000, "a burst that is over turns the line down"),
    # without the second: t -60 0 30 60, mean 7.5, y 0 60 90 120; the line is the same
    ([0, GAP, 60, 90, 120], 1.0, "one missing sample changes nothing on a line"),
    # t -67.5 -7.5 22.5 52.5 about their mean: 52.5 * 100 of 7875
    ([0, GAP, 0, 0, 100], 5250 / 7875, "and elsewhere it only lacks its own weight"),
    ([0, STALE, 60, 90, 120], 1.0, "a failed scrape is a missing sample"),
]  # fmt: skip


@pytest.mark.parametrize(("samples", "expected", "reason"), FIGURES, ids=[row[2] for row in FIGURES])
def test_the_line_is_that_of_least_squares_over_the_real_samples(
    samples: list[Sample], expected: float, reason: str
) -> None:
    assert told(samples) == (pytest.approx(expected), Quality.OK), reason


def test_a_gauge_that_stands_still_grows_by_exactly_nothing_however_large_it_is() -> None:
    values = measure(
        growth("10m"), rings_of(block({LAG: [0.1 + 1e12] * 200}, start=1.7e9)), ticks(200, start=1.7e9)
    )
    assert (values.value[20:] == 0.0).all()


def test_until_the_window_is_covered_nothing_is_known() -> None:
    values = measure(growth(), rings_of(block({LAG: [0, 30, 60, 90, 120]})), ticks(5))
    assert [Quality(int(code)) for code in values.quality[:, 0]] == [Quality.WARMING] * 4 + [Quality.OK]
    assert np.isnan(values.value[:4]).all()


def test_a_series_that_came_within_the_window_waits_for_its_own() -> None:
    assert told([GAP, GAP, 0, 1, 2], "2m")[1] is Quality.WARMING
    assert told([GAP, 0, 0, 1, 2, 3], "2m")[1] is Quality.OK


def test_fewer_samples_than_half_a_window_make_no_line() -> None:
    """2 min at 30 s are four spacings: two samples are enough, of ten spacings five."""
    assert told([0, GAP, GAP, GAP, 120], "2m") == (pytest.approx(1.0), Quality.OK)
    ten: list[Sample] = [0, GAP, GAP, GAP, GAP, GAP, GAP, 210, 240, 270, 300]
    assert told(ten, "5m") == (pytest.approx(1.0), Quality.OK)
    ten[8] = GAP
    assert told(ten, "5m")[1] is Quality.WARMING


def test_what_is_unknown_of_a_gauge_is_unknown_of_its_growth() -> None:
    assert told([0, 30, 60, 90, GAP])[1] is Quality.ABSENT
    assert told([0, 30, 60, 90, STALE])[1] is Quality.DOWN
    late = measure(growth(), rings_of(block({LAG: [0, 30, 60, 90, 120]})), np.array([240.0]))
    assert newest(late)[1] is Quality.STALE
    wanted = measure(
        growth(by=["c"]), rings_of(block({LAG: [0.0] * 5})), ticks(5), expected=[scope_of({"c": "1"})]
    )
    assert newest(wanted)[1] is Quality.ABSENT


@pytest.mark.parametrize(("agg", "expected"), [("sum", 1.5), ("avg", 0.75), ("max", 2.0), ("min", -0.5)])
def test_each_series_is_fitted_by_itself_and_agg_combines_what_they_grow_by(
    agg: str, expected: float
) -> None:
    """Scraped seven seconds apart: one grows by 2 a second, the other is worked off by a half."""
    one = block({Series("lag", labels(part="1")): [0, 60, 120, 180, 240, 300]})
    other = block(
        {Series("lag", labels(part="2")): [90, 75, 60, 45, 30, 15]}, target=labels(instance="b"), start=7.0
    )
    values = measure(growth(agg=agg), rings_of(one, other), np.array([157.0]))
    assert newest(values) == (pytest.approx(expected), Quality.OK)


def test_after_an_action_only_samples_since_then_are_fitted() -> None:
    """It grew by 1 a second until 150 s, and is worked off since."""
    rings = rings_of(block({LAG: [0, 30, 60, 90, 120, 150, 120, 90, 60, 30]}))
    values = measure(growth(), rings, ticks(10), since=150.0)
    assert [Quality(int(code)) for code in values.quality[5:, 0]] == [Quality.WARMING] * 4 + [Quality.OK]
    assert newest(values)[0] == pytest.approx(-1.0)


def test_a_queue_that_only_grows_breaches_and_one_that_is_worked_off_is_fine() -> None:
    spec = {
        "failure_mode": "ingestion_stopped",
        "signal": {"growth": {"of": "lag", "window": "2m"}},
        "fire": {"above": 0, "for": "10m"},
    }
    rule = rule_of("d", DetectorSpec.model_validate(spec), default_source="main", step=STEP)
    for samples, code in (([0, 30, 60, 90, 120], BREACH), ([120, 90, 60, 30, 0], OK), ([5] * 5, OK)):
        values = measure(rule.signal, rings_of(block({LAG: samples})), ticks(5))
        assert observe(rule, values).fire[-1, 0] == code


SERIES = st.lists(
    st.one_of(st.integers(0, 1000).map(float), st.just(GAP), st.just(STALE)), min_size=2, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(SERIES, SERIES, st.sampled_from(["sum", "max"]))
def test_tick_by_tick_says_what_a_block_says_and_four_times_the_queue_grows_four_times_as_fast(
    first: list[Sample], second: list[Sample], agg: str
) -> None:
    signal = growth("3m", agg=agg)
    one = block({Series("lag", labels(part="1")): first, Series("lag", labels(part="2")): second})
    whole = measure(signal, rings_of(one, interval=STEP), one.times)
    grown = Rings("main", retention=1e9, max_series=10, interval=STEP)
    for row, at in enumerate(one.times):
        part = slice(row, row + 1)
        grown.add(
            Batch("main", float(at), (Block(one.target, one.times[part], one.series, one.values[part]),))
        )
        live = measure(signal, grown, np.array([at]))
        for name in live.scopes:
            here, there = live.scopes.index(name), whole.scopes.index(name)
            np.testing.assert_array_equal(live.value[0, here], whole.value[row, there])
            np.testing.assert_array_equal(live.quality[0, here], whole.quality[row, there])
    larger = one.values * np.array([1.0, 4.0, 4.0])
    again = measure(
        signal, rings_of(Block(one.target, one.times, one.series, larger), interval=STEP), one.times
    )
    np.testing.assert_array_equal(again.value, 4 * whole.value)


@pytest.mark.live
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_it_is_what_prometheus_derives(tmp_path: Path) -> None:
    """A bent line over two series, at every tick from the first full window on: the same number to nine digits."""
    names = {f'lag{{part="{part}"}}': Series("lag", labels(part=part)) for part in "12"}
    columns = {
        'lag{part="1"}': [float(7 * index**2 % 113) for index in range(30)],
        'lag{part="2"}': [float(40 * index if index < 15 else 900 - 20 * index) for index in range(30)],
    }
    signal = growth("5m", agg="sum")
    rings = rings_of(block({names[text]: [*values] for text, values in columns.items()}))
    values = measure(signal, rings, ticks(30))
    asked = [
        {
            "expr": f"abs({promql(signal)} - ({float(values.value[row, 0])!r})) < bool 1e-9",
            "eval_time": f"{30 * row}s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for row in range(10, 30)
    ]
    series = [{"series": text, "values": " ".join(map(repr, samples))} for text, samples in columns.items()]
    test = {"interval": "30s", "input_series": series, "promql_expr_test": asked}
    (tmp_path / "test.yml").write_text(json.dumps({"evaluation_interval": "30s", "tests": [test]}))
    said = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
