"""Each kind of signal, with the figures worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from config.scope import Scope, scope_of
from detectors.rings import Rings
from detectors.rule import Signal, signal_of
from detectors.samples import Batch, Failed, Series
from detectors.signals import measure
from detectors.spec import Minimum, SignalSpec
from detectors.values import Quality, Values
from tests.fakes.samples import GAP, STALE, Sample, block, labels, rings_of, running, ticks

NAVIXY, OEM = scope_of({"provider": "navixy"}), scope_of({"provider": "oem"})


def signal(minimum: Minimum | None = None, **spec: Any) -> Signal:
    return signal_of(SignalSpec.model_validate(spec), minimum)


def at(values: Values, scope: Scope, tick: int = -1) -> tuple[float, Quality]:
    column = values.scopes.index(scope)
    return float(values.value[tick, column]), Quality(int(values.quality[tick, column]))


def counter(name: str, **pairs: str) -> Series:
    return Series(name, labels(**pairs))


def test_increase_sums_over_what_is_not_in_by() -> None:
    rings = rings_of(
        block({counter("p", provider="navixy", customer="1"): running((10, 6)), counter("p", provider="oem"): running((1, 6))}),
        block({counter("p", provider="navixy", customer="2"): running((5, 6))}, target=labels(instance="b"), start=7.0),
    )  # fmt: skip
    values = measure(
        signal(increase={"of": "p", "by": ["provider"], "window": "1m"}), rings, np.array([187.0])
    )
    assert at(values, NAVIXY) == (30.0, Quality.OK)
    assert at(values, OEM) == (2.0, Quality.OK)


def test_rate_is_growth_by_the_seconds_really_covered() -> None:
    rings = rings_of(block({counter("p"): running((30, 10))}))
    values = measure(signal(rate={"of": "p", "window": "100s"}), rings, np.array([290.0]))
    assert at(values, scope_of({})) == (1.0, Quality.OK)  # 270 - 180, one sample more than the window holds


def test_ratio_counts_a_missing_numerator_as_none_and_sums_a_list_of_attempts() -> None:
    samples = {counter("ok", provider="navixy"): running((15, 6)), counter("bad", provider="navixy"): running((5, 6)), counter("ok", provider="oem"): running((9, 6))}  # fmt: skip
    rings = rings_of(block(samples))
    ratio = signal(ratio={"of": "bad", "to": ["ok", "bad"], "by": ["provider"], "window": "1m"})
    values = measure(ratio, rings, ticks(7))
    assert at(values, NAVIXY) == (0.25, Quality.OK)
    assert at(values, OEM) == (0.0, Quality.OK)
    assert values.events[-1].tolist() == [40.0, 18.0]


def test_where_takes_values_lists_and_patterns_of_a_whole_label() -> None:
    series: dict[Series, list[Sample]] = {
        counter("p", code=code): running((1, 4)) for code in ("200", "500", "503", "5xx")
    }
    rings = rings_of(block(series))
    cases: list[tuple[Any, float]] = [
        ("500", 2.0),
        (["500", "503"], 4.0),
        ({"re": "5.."}, 6.0),
        ({"re": "50"}, math.nan),
        (500, 2.0),
    ]
    for where, expected in cases:
        values = measure(signal(increase={"of": "p", "where": {"code": where}, "window": "1m"}), rings, ticks(5), expected=[scope_of({})])  # fmt: skip
        np.testing.assert_equal(at(values, scope_of({}))[0], expected)


def test_a_wider_window_speaks_when_there_are_too_few_events() -> None:
    samples = {counter("to"): running((0, 10), (6, 1), (0, 9), (6, 1), (0, 9), (6, 1)), counter("of"): running((0, 10), (6, 1), (0, 9), (5, 1), (0, 9), (5, 1))}  # fmt: skip
    rings = rings_of(block(samples))
    spec = {"of": "of", "to": "to", "window": "5m"}
    narrow = measure(signal(Minimum(events=12.0), ratio=spec), rings, np.array([930.0]))
    wide = measure(signal(Minimum(events=12.0, widen_to="15m"), ratio=spec), rings, np.array([930.0]))
    assert at(narrow, scope_of({}))[1] == Quality.TOO_FEW
    assert at(wide, scope_of({})) == (pytest.approx(10 / 12), Quality.OK)
    assert bool(wide.fresh[0, 0])


def test_a_widened_window_is_no_breach_once_the_newest_attempts_succeed() -> None:
    samples = {counter("to"): running((10, 4), (0, 10), (2, 2)), counter("of"): running((10, 4), (0, 12))}
    values = measure(
        signal(Minimum(events=20.0, widen_to="10m"), ratio={"of": "of", "to": "to", "window": "1m"}),
        rings_of(block(samples)),
        np.array([480.0]),
    )
    assert at(values, scope_of({}))[1] == Quality.OK
    assert not values.fresh[0, 0]


BUCKETS = [("0.1", 50), ("0.5", 90), ("2", 98), ("+Inf", 100)]


def histogram(name: str = "h_bucket", **pairs: str) -> dict[Series, list[Sample]]:
    return {counter(name, le=le, **pairs): running((count, 6)) for le, count in BUCKETS}


def test_share_over_a_bucket_edge_is_exact() -> None:
    """Row 13: edge at the bound, 90 of 100 within."""
    share = signal(share_over={"of": "h", "bound": 0.5, "by": ["endpoint"], "window": "1m"})
    values = measure(share, rings_of(block(histogram(endpoint="live"))), ticks(7))
    value, quality = at(values, scope_of({"endpoint": "live"}))
    assert (value, quality, values.events[-1, 0]) == (pytest.approx(0.1), Quality.OK, 200.0)


def test_share_over_a_bound_between_edges_is_not_invented() -> None:
    """Row 13: the bound above the top bucket, or between two, is unknown and never silently fine."""
    for bound in (1.0, 12.0):
        share = signal(share_over={"of": "h", "bound": bound, "window": "1m"})
        values = measure(share, rings_of(block(histogram())), ticks(7))
        assert at(values, scope_of({}))[1] == Quality.NO_EDGE


QUANTILES = [
    ("inside a bucket, linear", 0.95, 0.5 + 1.5 * 5 / 8),
    ("in the lowest, from 0", 0.25, 0.05),
    ("on an edge", 0.9, 0.5),
    ("in the bucket without an upper edge, the highest finite one", 0.99, 2.0),
]


@pytest.mark.parametrize(("reason", "q", "expected"), QUANTILES, ids=[case[0] for case in QUANTILES])
def test_quantile(reason: str, q: float, expected: float) -> None:
    other = {counter("h_bucket", le="1", endpoint="b"): running((5, 6)), counter("h_bucket", le="+Inf", endpoint="b"): running((5, 6))}  # fmt: skip
    rings = rings_of(block({**histogram(endpoint="a"), **other}))
    values = measure(
        signal(quantile={"of": "h", "q": q, "by": ["endpoint"], "window": "1m"}), rings, ticks(7)
    )
    assert at(values, scope_of({"endpoint": "a"}))[0] == pytest.approx(expected), reason
    assert at(values, scope_of({"endpoint": "b"}))[0] == pytest.approx(q)


def test_a_quantile_without_traffic_is_no_number() -> None:
    """Row 12."""
    idle = {counter("h_bucket", le=le): running((0, 6)) for le in ("1", "+Inf")}
    values = measure(signal(quantile={"of": "h", "q": 0.95, "window": "1m"}), rings_of(block(idle)), ticks(7))
    value, quality = at(values, scope_of({}))
    assert math.isnan(value)
    assert quality == Quality.NO_TRAFFIC


@pytest.mark.parametrize(("agg", "expected"), [("sum", 9.0), ("avg", 4.5), ("min", 2.0), ("max", 7.0)])
def test_gauge_combines_the_series_of_a_scope(agg: str, expected: float) -> None:
    rings = rings_of(block({counter("g", stage="a", x="1"): [1, 2], counter("g", stage="a", x="2"): [9, 7]}))
    values = measure(signal(gauge={"of": "g", "by": ["stage"], "agg": agg}), rings, ticks(2))
    assert at(values, scope_of({"stage": "a"})) == (expected, Quality.OK)


def test_age_is_the_time_since_the_newest_instant() -> None:
    rings = rings_of(block({counter("last_packet", x="1"): [5, 10], counter("last_packet", x="2"): [0, 20]}))
    values = measure(signal(age={"of": "last_packet"}), rings, np.array([35.0]))
    assert at(values, scope_of({})) == (15.0, Quality.OK)


def test_probes_and_queries_are_read_under_their_own_names_and_labels() -> None:
    probe, query = signal(probe="storage-health"), signal(promql="max(up)")
    rings = rings_of(block({Series(probe.of[0], labels(tier="hot")): [1, 0], Series(query.of[0], labels(job="x")): [3, 4]}))  # fmt: skip
    assert at(measure(probe, rings, ticks(2)), scope_of({"tier": "hot"})) == (0.0, Quality.OK)
    assert at(measure(query, rings, ticks(2)), scope_of({"job": "x"})) == (4.0, Quality.OK)


def qualities(samples: dict[Series, list[Sample]], when: float, **spec: Any) -> Quality:
    rings = rings_of(block({counter("up_always"): [1.0] * 20, **samples}))
    wanted = spec or {"increase": {"of": "p", "window": "1m"}}
    return at(measure(signal(**wanted), rings, np.array([when]), expected=[scope_of({})]), scope_of({}))[1]


QUALITIES = [
    ("no series although the scrape worked", {}, 300.0, Quality.ABSENT),
    ("a series that vanished from scrapes that work", {counter("p"): [*running((1, 5)), *[GAP] * 14]}, 300.0, Quality.ABSENT),
    ("a scrape that failed", {counter("p"): [*running((1, 8)), STALE]}, 270.0, Quality.DOWN),
    ("no sample for more than two intervals", {counter("p"): running((1, 19))}, 570.0 + 61.0, Quality.STALE),
    ("no sample for nearly two intervals is not yet stale", {counter("p"): running((1, 19))}, 570.0 + 59.0, Quality.OK),
    ("no history at the start of the window", {counter("p"): running((1, 19))}, 30.0, Quality.WARMING),
    ("zero is not absent", {counter("p"): running((0, 19))}, 300.0, Quality.OK),
    ("before the first sample of what is expected", {counter("p"): [*[GAP] * 5, *running((1, 14))]}, 60.0, Quality.ABSENT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "samples", "when", "expected"), QUALITIES, ids=[case[0] for case in QUALITIES]
)
def test_quality(reason: str, samples: dict[Series, list[Sample]], when: float, expected: Quality) -> None:
    assert qualities(samples, when) == expected, reason


def test_one_dead_target_of_two_makes_the_sum_unknown_but_its_growth_is_at_least_what_is_seen() -> None:
    rings = rings_of(
        block({counter("p", provider="navixy"): running((10, 8))}),
        block(
            {counter("p", provider="navixy"): [*running((10, 4)), *[STALE] * 4]}, target=labels(instance="b")
        ),
    )
    values = measure(signal(increase={"of": "p", "by": ["provider"], "window": "1m"}), rings, ticks(9))
    assert at(values, NAVIXY) == (20.0, Quality.DOWN)
    assert values.moving[-1, 0]
    assert values.observed_at[-1, 0] == 120.0


def test_a_target_that_was_removed_does_not_blind_the_rest() -> None:
    rings = rings_of(
        block({counter("p"): running((10, 40))}),
        block({counter("p"): running((10, 4))}, target=labels(instance="b")),
    )
    values = measure(signal(increase={"of": "p", "window": "1m"}), rings, ticks(41))
    assert at(values, scope_of({}), 10)[1] == Quality.STALE
    assert at(values, scope_of({}), 40) == (20.0, Quality.OK)


def test_a_fetch_that_fails_makes_everything_unknown_at_once_until_samples_reach_past_it() -> None:
    rings = rings_of(block({counter("p"): running((1, 9))}))
    rings.fail(Failed("main", 271.0, "refused"))
    spec = signal(increase={"of": "p", "window": "1m"})
    assert at(measure(spec, rings, np.array([270.0])), scope_of({}))[1] == Quality.OK
    assert at(measure(spec, rings, np.array([272.0])), scope_of({}))[1] == Quality.DOWN
    rings.add(Batch("main", 302.0, (block({counter("p"): [10]}, start=300.0),)))
    assert at(measure(spec, rings, np.array([303.0])), scope_of({}))[1] == Quality.OK


def test_an_incomplete_answer_makes_everything_unknown() -> None:
    rings = rings_of(block({counter("p"): running((1, 9))}))
    rings.add(Batch("main", 280.0, (), complete=False))
    values = measure(signal(increase={"of": "p", "window": "1m"}), rings, np.array([281.0]))
    assert at(values, scope_of({}))[1] == Quality.PARTIAL


def test_series_over_the_cap_make_their_target_unknown() -> None:
    rings = Rings("main", retention=math.inf, max_series=1)
    rings.add(Batch("main", 90.0, (block({counter("p"): running((1, 3)), counter("q"): running((1, 3))}),)))
    values = measure(signal(increase={"of": "p", "window": "1m"}), rings, np.array([90.0]))
    assert at(values, scope_of({}))[1] == Quality.PARTIAL


def test_after_a_gap_the_window_is_cut_rather_than_filled_with_older_samples() -> None:
    of, to = counter("of"), counter("to")
    bad: list[Sample] = [*running((10, 4)), *[STALE] * 4, 40.0, 40.0, 40.0]
    all_: list[Sample] = [*running((10, 4)), *[STALE] * 4, 40.0, 60.0, 80.0]
    rings = rings_of(block({of: bad, to: all_}))
    values = measure(signal(ratio={"of": "of", "to": "to", "window": "1m"}), rings, ticks(12))
    assert at(values, scope_of({}), 10) == (0.0, Quality.OK)
    assert at(values, scope_of({}), 8)[1] == Quality.DOWN
    assert at(values, scope_of({}), 9)[1] == Quality.WARMING


def test_since_counts_only_samples_after_it() -> None:
    of, to = counter("of"), counter("to")
    rings = rings_of(block({of: running((10, 10), (0, 10)), to: running((10, 20))}))
    spec = signal(ratio={"of": "of", "to": "to", "window": "1m"})
    early = measure(spec, rings, np.array([360.0]), since=301.0)
    late = measure(spec, rings, np.array([390.0]), since=301.0)
    assert at(early, scope_of({}))[1] == Quality.WARMING
    assert at(late, scope_of({})) == (0.0, Quality.OK)
    gauge = measure(signal(gauge={"of": "of"}), rings, np.array([310.0]), since=301.0)
    assert at(gauge, scope_of({}))[1] not in {Quality.OK, Quality.UNBORN}


def test_growth_before_since_is_no_sign_of_life() -> None:
    rings = rings_of(block({counter("p"): [*running((10, 10)), 200.0, 200.0, 200.0]}))
    values = measure(signal(increase={"of": "p", "window": "1m"}), rings, np.array([360.0]), since=301.0)
    assert not values.moving[0, 0]
    moved = measure(signal(increase={"of": "p", "window": "1m"}), rings, np.array([330.0]))
    assert moved.moving[0, 0]
    same_row = measure(signal(increase={"of": "p", "window": "1m"}), rings, np.array([330.0]), since=301.0)
    assert not same_row.moving[0, 0]


def test_a_block_of_ticks_says_what_single_ticks_say() -> None:
    samples = {counter("of", provider="navixy"): [*running((3, 12)), *[STALE] * 3, *running((2, 10))], counter("to", provider="navixy"): [*running((9, 12)), *[GAP] * 3, *running((8, 10))]}  # fmt: skip
    rings = rings_of(block(samples))
    spec = signal(
        Minimum(events=20.0, widen_to="4m"),
        ratio={"of": "of", "to": "to", "by": ["provider"], "window": "1m"},
    )
    when = ticks(80, step=10.0)
    whole = measure(spec, rings, when)
    for index, tick in enumerate(when):
        one = measure(spec, rings, np.array([tick]))
        np.testing.assert_array_equal(one.value[0], whole.value[index])
        np.testing.assert_array_equal(one.quality[0], whole.quality[index])
        np.testing.assert_array_equal(one.fresh[0], whole.fresh[index])


def test_a_source_that_answers_without_any_series_lacks_what_is_expected() -> None:
    rings = Rings("main", retention=math.inf, max_series=10)
    spec = signal(increase={"of": "p", "window": "1m"})
    assert (
        at(measure(spec, rings, np.array([1.0]), expected=[scope_of({})]), scope_of({}))[1] == Quality.WARMING
    )
    rings.add(Batch("main", 1.0, ()))
    assert (
        at(measure(spec, rings, np.array([2.0]), expected=[scope_of({})]), scope_of({}))[1] == Quality.ABSENT
    )


def test_a_target_that_is_known_of_later_changes_nothing_of_the_time_before() -> None:
    """A replay holds a day of samples at once, live none that are yet to come."""
    rings = Rings("main", retention=math.inf, max_series=10)
    spec = signal(increase={"of": "p", "by": ["tier"], "window": "1m"})
    missed = scope_of({"tier": "hot"})
    rings.add(Batch("main", 0.0, ()))
    before = measure(spec, rings, np.array([30.0]), expected=[missed])
    rings.add(Batch("main", 120.0, (block({counter("p", tier="cold"): running((5, 2))}, start=60.0),)))
    after = measure(spec, rings, np.array([30.0]), expected=[missed])
    assert at(before, missed)[1] == at(after, missed)[1] == Quality.ABSENT


def test_a_target_without_the_bucket_edge_makes_the_share_unknown() -> None:
    share = signal(share_over={"of": "h", "bound": 0.5, "window": "1m"})
    coarse = {counter("h_bucket", le=le): running((100, 6)) for le in ("1", "+Inf")}
    rings = rings_of(block(histogram()), block(coarse, target=labels(instance="b")))
    assert at(measure(share, rings, ticks(7)), scope_of({}))[1] == Quality.NO_EDGE


def test_a_bucket_edge_that_comes_later_divides_no_bucket_before_it() -> None:
    """All requests lie beyond 0.5 s, the highest edge until another target with an edge at 2 s begins."""
    slow = signal(quantile={"of": "h", "q": 0.9, "window": "1m"})
    first = {counter("h_bucket", le="0.5"): running((0, 6)), counter("h_bucket", le="+Inf"): running((10, 6))}
    later = {counter("h_bucket", le=le): running((10, 2)) for le in ("2", "+Inf")}
    rings = rings_of(block(first), block(later, target=labels(instance="b"), start=120.0))
    values = measure(slow, rings, ticks(7))
    assert values.value[2:4, 0].tolist() == [0.5, 0.5]
    for tick in (2, 3, 6):
        alone = measure(slow, rings_of(block(first)), ticks(7)[tick : tick + 1])
        told = measure(slow, rings, ticks(7)[tick : tick + 1])
        np.testing.assert_array_equal(told.value[:, 0], values.value[tick])
        if tick < 4:
            np.testing.assert_array_equal(alone.value[:, 0], values.value[tick])


def test_a_target_without_the_bucket_edge_blinds_nobody_before_it_is_there() -> None:
    """A replay holds the samples of the whole day, those of the target that began at noon too."""
    share = signal(share_over={"of": "h", "bound": 0.5, "window": "1m"})
    coarse = {counter("h_bucket", le=le): running((100, 4)) for le in ("1", "+Inf")}
    rings = rings_of(block(histogram()), block(coarse, target=labels(instance="b"), start=90.0))
    values = measure(share, rings, ticks(7))
    assert [at(values, scope_of({}), tick)[1] for tick in (2, 3)] == [Quality.OK, Quality.NO_EDGE]


def test_a_bucket_edge_that_leaves_a_scrape_makes_the_share_unknown_and_not_one() -> None:
    """New code came with other buckets: requests go on, and those within the bound are no longer told."""
    share = signal(share_over={"of": "h", "bound": 0.5, "by": ["endpoint"], "window": "1m"})
    samples = histogram(endpoint="live") | histogram(endpoint="history")
    edge = counter("h_bucket", le="0.5", endpoint="live")
    rings = rings_of(block({**samples, edge: [*samples[edge][:-2], GAP, GAP]}))
    values = measure(share, rings, ticks(7))
    assert [at(values, scope_of({"endpoint": "live"}), tick)[1] for tick in (4, 5, 6)] == [
        Quality.OK,
        Quality.NO_EDGE,
        Quality.NO_EDGE,
    ]
    assert at(values, scope_of({"endpoint": "history"})) == (pytest.approx(0.1), Quality.OK)
