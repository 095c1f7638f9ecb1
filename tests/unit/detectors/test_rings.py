"""Samples on their way into the rings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.buffer import Buffer
from detectors.ring import Added, Ring
from detectors.rings import Rings
from detectors.rule import Signal
from detectors.samples import Batch, Block, Failed, Series
from detectors.signals import measure
from detectors.values import Quality
from tests.fakes.samples import GAP, STALE, Sample, block, labels, rings_of, running, ticks

C = Series("c_total", labels(provider="navixy"))
D = Series("d_total", labels(provider="navixy"))


def ring_of(samples: list[Sample]) -> Ring:
    return next(iter(rings_of(block({C: samples}))))


GROWTH = [
    ("growth is the difference of samples", [100, 130, 160], 60.0),
    ("a restart adds the new value", [300, 0, 30], 30.0),
    ("a restart between two scrapes adds what came since", [300, 40], 40.0),
    ("row 7: a small dip is a glitch and adds nothing", [1_000_000, 999_990, 1_000_020], 20.0),
    ("a counter that stays down after a dip grows from there", [1000, 900, 910, 920], 20.0),
    ("a dip before a gap is measured from the value before it too", [1000, 990, GAP, 1020], 20.0),
    ("a gap in the series hides no growth", [100, GAP, 160], 60.0),
    ("a failed scrape hides no growth", [100, STALE, 160], 60.0),
    ("a restart during a failed scrape adds the new value", [100, STALE, 7], 7.0),
    ("row 9: a series that appears after a good scrape started at 0", [GAP, 2700, 2700], 2700.0),
    ("appearing after a failed scrape, its start is unknown", [GAP, STALE, 2700, 2710], 10.0),
    ("appearing first thing, its start is unknown", [2700, 2710], 10.0),
    ("coming back with more than before is growth, not a new start", [100, GAP, GAP, 130], 30.0),
    ("what is not a number is no sample", [100, math.inf, 130], 30.0),
]


@pytest.mark.parametrize(("reason", "samples", "expected"), GROWTH, ids=[case[0] for case in GROWTH])
def test_growth(reason: str, samples: list[Sample], expected: float) -> None:
    anchor = Series("other", ())
    ring = next(iter(rings_of(block({anchor: [1.0] * len(samples), C: samples}))))
    assert ring.growth[-1, ring.series.index(C)] == expected, reason


def test_samples_taken_in_one_by_one_or_together_are_the_same() -> None:
    samples: list[Sample] = [5, 10, GAP, 30, STALE, 3, 8, 7, 20]
    whole = ring_of(samples)
    one = block({C: samples})
    rings = Rings("main", retention=math.inf, max_series=10)
    for row in range(len(samples)):
        part = type(one)(one.target, one.times[row : row + 1], one.series, one.values[row : row + 1])
        rings.add(Batch("main", float(one.times[row]), (part,)))
    single = next(iter(rings))
    np.testing.assert_array_equal(single.growth, whole.growth)
    np.testing.assert_array_equal(single.grew_at, whole.grew_at)
    np.testing.assert_array_equal(single.health, whole.health)
    np.testing.assert_array_equal(single.known_from, whole.known_from)


def test_known_samples_are_not_taken_in_twice_and_late_ones_are_counted() -> None:
    rings = rings_of(block({C: [1, 2, 3, 4]}))
    again = block({C: [3, 4, 5]}, start=60.0)
    assert rings.add(Batch("main", 120.0, (again,))) == Added(rows=1)
    late = block({C: [1.5]}, start=40.0)
    assert rings.add(Batch("main", 130.0, (late,))) == Added(late=1)
    assert next(iter(rings)).times.tolist() == [0.0, 30.0, 60.0, 90.0, 120.0]


def test_samples_from_the_future_are_refused_and_said() -> None:
    rings = rings_of(block({C: [1, 2]}))
    assert rings.add(Batch("main", 60.0, (block({C: [3]}, start=91.0),))).skewed == 1
    assert rings.newest == 30.0
    assert rings.add(Batch("main", 61.0, (block({C: [3]}, start=90.0),))) == Added(rows=1)


def test_more_series_than_the_cap_are_dropped_and_said() -> None:
    rings = Rings("main", retention=math.inf, max_series=1)
    added = rings.add(Batch("main", 30.0, (block({C: [1, 2], D: [1, 2]}),)))
    assert (added.dropped, rings.series_count, rings.dropped_series) == (1, 1, 1)


def test_an_incomplete_batch_is_not_taken_in() -> None:
    rings = rings_of(block({C: [1, 2]}))
    assert rings.add(Batch("main", 60.0, (block({C: [3]}, start=60.0),), complete=False)) == Added()
    assert rings.newest == 30.0


def test_history_is_bounded_in_time_and_in_columns() -> None:
    rings = Rings("main", retention=300.0, max_series=100)
    for tick in range(600):
        series = Series("churn", labels(id=str(tick // 50)))
        rings.add(Batch("main", tick * 30.0, (block({series: [tick], C: [tick]}, start=tick * 30.0),)))
    ring = next(iter(rings))
    assert len(ring.times) <= 12
    assert len(ring._value._data) <= 256
    assert rings.series_count < 12
    assert set(np.diff(ring.growth[:, ring.series.index(C)]).tolist()) == {1.0}


def test_a_target_that_is_gone_is_forgotten() -> None:
    rings = Rings("main", retention=300.0, max_series=100)
    rings.add(Batch("main", 30.0, (block({C: [1, 2]}), block({D: [1, 2]}, target=labels(instance="b")))))
    rings.add(Batch("main", 600.0, (block({C: [3]}, start=600.0),)))
    assert [ring.target for ring in rings] == [labels(instance="a")]


def test_the_scrape_interval_is_the_median_spacing() -> None:
    assert ring_of([1, 2, GAP, 4, 5]).interval == 30.0


def test_fetches_that_fail_are_remembered_with_what_was_known() -> None:
    rings = rings_of(block({C: [1, 2]}))
    rings.fail(Failed("main", 60.0, "refused"))
    health, reach = rings.fetch_health(ticks(4))
    np.testing.assert_array_equal(health, [np.nan, 0.0, 2.0, 2.0])
    assert reach.tolist()[-1] == 30.0


def test_a_buffer_reads_as_one_slice_however_much_was_written_and_forgotten() -> None:
    buffer = Buffer(2, 0.0)
    for row in range(1000):
        buffer.extend(np.full((1, buffer.view.shape[1]), float(row)))
        if len(buffer) > 10:
            buffer.trim(1)
        if row == 500:
            buffer.widen(5)
    assert buffer.view[:, 4].tolist() == [float(row) for row in range(990, 1000)]
    buffer.keep_columns(np.array([4], dtype=np.intp))
    assert buffer.view.shape == (10, 1)


def test_running_counts_up() -> None:
    assert running((30, 2), (0, 1), start=5.0) == [5.0, 35.0, 65.0, 65.0]


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_of_the_past_is_what_was_known_then(seed: int) -> None:
    """Scrapes every 15 s, then every 60 s, some left out, some a little early: a replay has all of them at once."""
    rng = np.random.default_rng(seed)
    turn = int(rng.integers(0, 200))
    spacings = np.where(np.arange(200) < turn, 15.0, 60.0) + rng.choice([0.0, 0.004, -0.004], 200)
    times = np.cumsum(spacings)[rng.random(200) > rng.choice([0.0, 0.1, 0.6])]
    whole, live = Ring(()), Ring(())
    series = (Series("up", ()), Series("g", ()))
    whole.add(Block((), times, series, np.ones((len(times), 2))), now=times[-1], room=10)
    known = whole.intervals(np.arange(-1, len(times)))
    assert known[0] == 0.0
    for row, at in enumerate(times):
        live.add(Block((), np.array([at]), series, np.ones((1, 2))), now=at, room=10)
        assert known[row + 1] == pytest.approx(live.interval, rel=0.01)


def test_a_change_of_the_scrape_interval_later_in_the_day_blinds_nothing_before_it() -> None:
    spec = Signal("gauge", ("g",))
    times = np.concatenate([np.arange(0.0, 3600.0, 60.0), np.arange(3600.0, 7200.0, 15.0)])
    rings = Rings("main", retention=math.inf, max_series=10)
    rings.add(Batch("main", times[-1], (Block((), times, (Series("g", ()),), np.ones((len(times), 1))),)))
    values = measure(spec, rings, np.arange(300.0, 7200.0, 15.0))
    assert set(values.quality[:, 0].tolist()) == {Quality.OK}
