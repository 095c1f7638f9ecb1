"""The burn rate of an error budget, with the figures worked out by hand. Samples are 30 s apart, 100 requests each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.scope import scope_of
from detectors.observe import BREACH, OK, UNKNOWN, observe
from detectors.promql import look_back
from detectors.rings import Rings
from detectors.rule import Burn, Rule, Signal, rule_of, signal_of
from detectors.samples import Batch, Series
from detectors.signals import measure
from detectors.spec import DetectorSpec, Minimum, SignalSpec
from detectors.values import Quality, Values
from tests.fakes.samples import STALE, STEP, Sample, block, rings_of, running, ticks

ERRORS, REQUESTS = Series("errors", ()), Series("requests", ())
TWO = [{"long": "10m", "short": "2m", "burn": 5}, {"long": "20m", "short": "5m", "burn": 2}]


def burn(windows: Any = TWO, objective: str = "99%", events: float = 0) -> Signal:
    body = {"of": "errors", "to": "requests", "objective": objective, "windows": windows}
    minimum = Minimum(events=events) if events else None
    return signal_of(SignalSpec.model_validate({"burn_rate": body}), minimum)


def rings(*errors: tuple[float, int], requests: float = 100) -> Rings:
    """`(errors per sample, how many samples)`."""
    count = sum(many for _, many in errors)
    return rings_of(block({ERRORS: running(*errors), REQUESTS: running((requests, count))}))


def newest(values: Values) -> tuple[float, Quality]:
    return float(values.value[-1, 0]), Quality(int(values.quality[-1, 0]))


def told(signal: Signal, *errors: tuple[float, int], requests: float = 100) -> tuple[float, Quality]:
    """(value, quality) at the newest sample."""
    count = sum(many for _, many in errors)
    return newest(measure(signal, rings(*errors, requests=requests), ticks(count + 1)))


FIGURES: list[tuple[list[tuple[float, int]], float, str]] = [
    ([(10, 60)], 5.0, "10 % of a budget of 1 % burns 10x: 10 / 5 = 2 in the first pair, 10 / 2 = 5 in the second"),
    ([(1, 60)], 0.5, "1x is what may burn: 1 / 2 in the slow pair"),
    ([(0, 60)], 0.0, "nothing fails"),
    ([(0, 56), (10, 4)], 0.5, "new: 40 of 2000 in 10 min burn 2x, 40 of 4000 in 20 min 1x: 2 / 5, and 1 / 2"),
    ([(10, 56), (0, 4)], 3.0, "over for 2 min: the first pair is 0; 60 of 1000 in 5 min burn 6x, 6 / 2"),
    ([(10, 50), (0, 10)], 0.0, "over for 5 min: both short windows are clean, whatever the long ones hold"),
]  # fmt: skip


@pytest.mark.parametrize(("errors", "value", "reason"), FIGURES, ids=[row[2] for row in FIGURES])
def test_the_worst_pair_counts_and_of_a_pair_the_slower_window(
    errors: list[tuple[float, int]], value: float, reason: str
) -> None:
    got, quality = told(burn(), *errors)
    assert got == pytest.approx(value), reason
    assert quality is Quality.OK


def test_left_out_the_windows_are_those_of_the_workbook_for_a_page() -> None:
    page = signal_of(SignalSpec.model_validate({"burn_rate": {"of": "e", "to": "n", "objective": "99.9%"}}))
    assert page.burns == (Burn(3600, 300, 14.4), Burn(21_600, 1800, 6)) == burn("page").burns
    assert burn("ticket").burns == (Burn(86_400, 7200, 3), Burn(259_200, 21_600, 1))
    assert page.budget == 0.001
    # 14.4 x 1 h of 30 days and 6 x 6 h are 2 % and 5 % of the budget; 3 x 1 d and 1 x 3 d are 10 %
    spent = [one.pace * one.long / (30 * 86_400) for one in (*page.burns, *burn("ticket").burns)]
    assert spent == pytest.approx([0.02, 0.05, 0.1, 0.1])


def rule(signal: dict[str, Any], above: float = 1, **more: Any) -> Rule:
    spec = {
        "failure_mode": "api_degradation",
        "signal": {"burn_rate": signal},
        "fire": {"above": above},
        **more,
    }
    return rule_of("d", DetectorSpec.model_validate(spec), default_source="main", step=STEP)


BODY = {"of": "errors", "to": "requests", "objective": "99%", "windows": TWO}


@pytest.mark.parametrize(
    ("per_sample", "value", "seen", "reason"),
    [
        (10, 2.0, BREACH, "the pair that is known burns too fast, whatever the other one would say"),
        (4, 0.8, UNKNOWN, "the pair that is known does not, and the other one might: 4 / 2"),
    ],
)
def test_a_pair_whose_history_is_short_leaves_the_others_to_say_yes_but_not_no(
    per_sample: float, value: float, seen: int, reason: str
) -> None:
    """12 min of history cover the windows of 10 min and 2 min, and not that of 20 min."""
    values = measure(burn(), rings((per_sample, 24)), ticks(25))
    assert newest(values) == (pytest.approx(value), Quality.WARMING)
    assert observe(rule(BODY), values).fire[-1, 0] == seen, reason
    assert observe(rule(BODY), values).clear[-1, 0] == (BREACH if seen == BREACH else UNKNOWN)


def test_before_its_long_window_is_covered_a_pair_is_known_not_to_burn_where_the_short_one_does_not() -> None:
    """12 min of history: 2 % fail, which is 2 / 5 in the pair that is known, and at most 2 / 2 in the other."""
    values = measure(burn(), rings((2, 24)), ticks(25))
    assert newest(values) == (pytest.approx(1.0), Quality.OK)
    assert observe(rule(BODY), values).fire[-1, 0] == OK
    assert told(burn(), (2.1, 24))[1] is Quality.WARMING


def test_without_any_history_nothing_is_known() -> None:
    value, quality = told(burn(), (10, 3))
    assert np.isnan(value)
    assert quality is Quality.WARMING


def test_too_few_attempts_in_a_short_window_leave_the_pair_out() -> None:
    """10 requests a sample: 40 in 2 min and 100 in 5 min; 4 of 10 fail, which burns 40x."""
    assert told(burn(events=41), (4, 60), requests=10) == (
        pytest.approx(20),
        Quality.OK,
    )  # the slow pair: 40 / 2
    assert told(burn(events=100), (4, 60), requests=10)[1] is Quality.OK
    assert told(burn(events=101), (4, 60), requests=10)[1] is Quality.TOO_FEW
    assert told(burn(), (0, 60), requests=0)[1] is Quality.NO_TRAFFIC


def test_one_error_of_one_request_burns_nothing_where_a_minimum_is_asked_for() -> None:
    """pyrra#1925: at little traffic one error is 1000x the budget of 99.9 %, in every window."""
    errors, requests = [(0, 50), (1, 1), (0, 1)], 1
    lonely = block({ERRORS: running(*errors), REQUESTS: running((0, 50), (requests, 1), (0, 1))})
    at = ticks(53)
    assert measure(burn(objective="99.9%"), rings_of(lonely), at).value[-1, 0] == pytest.approx(500)
    gated = measure(burn(objective="99.9%", events=20), rings_of(lonely), at)
    assert newest(gated)[1] is Quality.TOO_FEW


def test_after_an_action_the_shortest_window_is_held_to_the_slowest_pace() -> None:
    """Failing until 25 min, mended then: 2 min of fresh samples say so, and 20 min of old ones are not asked."""
    mended = rings((10, 50), (0, 10))
    at, since = ticks(61), 1500.0
    values = measure(burn(), mended, at, since=since)
    assert [Quality(int(code)) for code in values.quality[51:54, 0]] == [Quality.WARMING] * 3
    assert (values.quality[54:, 0] == Quality.OK).all()
    assert (values.value[54:, 0] == 0).all()
    worse = measure(burn(), rings((10, 60)), at, since=since)
    assert worse.value[-1, 0] == pytest.approx(10 / 2)
    assert (observe(rule(BODY), worse).clear[54:, 0] == BREACH).all()
    assert (observe(rule(BODY), values).clear[54:, 0] == OK).all()


def test_a_scope_that_should_be_there_is_absent_and_a_failed_scrape_says_nothing() -> None:
    gone = measure(burn(), rings((10, 60)), ticks(61), expected=[scope_of({})])
    assert newest(gone)[1] is Quality.OK
    by = signal_of(SignalSpec.model_validate({"burn_rate": {**BODY, "by": ["tier"]}}))
    assert (
        newest(measure(by, rings((10, 60)), ticks(61), expected=[scope_of({"tier": "hot"})]))[1]
        is Quality.ABSENT
    )
    requests: list[Sample] = [*running((100, 60)), STALE]
    failed = rings_of(block({ERRORS: running((10, 61)), REQUESTS: requests}))
    value, quality = newest(measure(burn(), failed, ticks(62)))
    assert quality is Quality.DOWN
    assert np.isnan(value)


def test_history_is_read_for_the_longest_window() -> None:
    assert look_back(rule(BODY), 15) > 1200
    page = rule({**BODY, "windows": "page"})
    assert 21_600 < look_back(page, 15) < 21_600 + 120
    assert page.signal.window == 300


SAMPLES = st.lists(
    st.sampled_from([(0.0, 100.0), (1.0, 100.0), (50.0, 100.0), (0.0, 0.0), (3.0, 3.0)]),
    min_size=2,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(SAMPLES, st.sampled_from([0.0, 20.0]))
def test_tick_by_tick_says_what_a_block_says_and_eight_times_the_traffic_the_same(
    samples: list[tuple[float, float]], events: float
) -> None:
    errors = np.cumsum([0.0, *(bad for bad, _ in samples)])
    requests = np.cumsum([0.0, *(many for _, many in samples)])
    one = block({ERRORS: errors.tolist(), REQUESTS: requests.tolist()})
    whole = measure(burn(events=events), rings_of(one, interval=STEP), one.times)
    grown = Rings("main", retention=1e9, max_series=10, interval=STEP)
    for row, at in enumerate(one.times):
        part = slice(row, row + 1)
        piece = type(one)(one.target, one.times[part], one.series, one.values[part])
        grown.add(Batch("main", float(at), (piece,)))
        live = measure(burn(events=events), grown, np.array([at]))
        np.testing.assert_array_equal(live.value[0], whole.value[row])
        np.testing.assert_array_equal(live.quality[0], whole.quality[row])
    eightfold = block({ERRORS: (8 * errors).tolist(), REQUESTS: (8 * requests).tolist()})
    again = measure(burn(events=8 * events), rings_of(eightfold, interval=STEP), one.times)
    np.testing.assert_array_equal(again.value, whole.value)
    np.testing.assert_array_equal(again.quality, whole.quality)
