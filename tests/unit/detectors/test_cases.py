"""From samples to transitions: cases in which other systems fired wrongly, or did not fire.

Row numbers are those of the list of cases that detection is held to. Samples are 30 s apart unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from config.scope import Scope, scope_of
from detectors.findings import SourceWatch, board_of
from detectors.rings import Rings
from detectors.rule import Rule, rule_of
from detectors.samples import Batch, Block, Failed, Series
from detectors.spec import DetectorSpec
from detectors.state import Transition, fresh_state
from tests.fakes.kernel import Surroundings, cycle, replay
from tests.fakes.samples import GAP, STALE, Sample, block, labels, rings_of, running, ticks

WHOLE = scope_of({})
ANCHOR = Series("always_there", ())


def rule(name: str = "d", step: float = 30.0, **spec: Any) -> Rule:
    body = {"failure_mode": "storage_failure", **spec}
    return rule_of(name, DetectorSpec.model_validate(body), default_source="main", step=step)


def told(transitions: Sequence[Transition]) -> list[tuple[str, float]]:
    """(state, minutes), without what is only pending."""
    return [(str(t.state), t.at / 60) for t in transitions if t.state not in {"pending", "withdrawn"}]


def story(the_rule: Rule, *blocks: Block, until: float | None = None, step: float = 30.0, around: Surroundings | None = None) -> list[tuple[str, float]]:  # fmt: skip
    rings = rings_of(*blocks)
    end = until if until is not None else max(float(one.times[-1]) for one in blocks)
    return told(
        replay(
            [the_rule],
            {"main": rings},
            ticks(int(end // step) + 1, step=step),
            around or Surroundings({}, {}),
        )
    )


SILENT = {"signal": {"increase": {"of": "packets", "window": "1m"}}, "fire": {"equals": 0, "for": "5m"}, "clear": {"above": 0, "for": "1m"}}  # fmt: skip
RATIO = {"signal": {"ratio": {"of": "bad", "to": "all", "window": "1m"}}, "fire": {"above": "5%", "for": "5m"}, "clear": {"below": "3%", "for": "1m"}}  # fmt: skip
PACKETS, BAD, ALL = (Series(name, ()) for name in ("packets", "bad", "all"))


def packets(*growth: tuple[float, int]) -> Block:
    return block({ANCHOR: [1.0] * 200, PACKETS: running(*growth)})


def failing(*stretches: tuple[float, float, int], step: float = 30.0) -> Block:
    """`(failures, attempts, samples)` per stretch."""
    return block({ALL: running(*((a, n) for _, a, n in stretches)), BAD: running(*((f, n) for f, _, n in stretches))}, step=step)  # fmt: skip


def test_zero_for_five_minutes_takes_five_minutes_from_the_last_growth() -> None:
    """One clock: the window is not waited for before the hold begins."""
    assert story(rule(**SILENT), block({PACKETS: running((30, 4), (0, 30))})) == [("fired", 7.0)]


def test_row_3_one_failed_scrape_does_not_delay_the_outage() -> None:
    samples: list[Sample] = running((5, 4), (0, 18))
    assert story(rule(**SILENT), block({PACKETS: [*samples[:11], STALE, *samples[11:]]})) == [("fired", 7.0)]
    assert story(rule(**SILENT), block({ANCHOR: [1.0] * 24, PACKETS: [*samples[:11], GAP, *samples[11:]]})) == [("fired", 7.0)]  # fmt: skip


def test_row_3_scrapes_failing_every_second_time_are_a_telemetry_event_and_no_outage() -> None:
    flapping: list[Sample] = [0.0 if index % 2 == 0 else STALE for index in range(41)]
    assert story(rule(**SILENT), block({PACKETS: flapping})) == [("no_data", 5.5)]


def test_row_4_lost_data_resolves_nothing_until_health_is_observed() -> None:
    samples: list[Sample] = [*running((5, 3), (0, 13)), STALE, *[STALE] * 20, *running((5, 8), start=15.0)]
    events = story(rule(**SILENT, no_data={"for": "1h"}), block({PACKETS: samples}))
    assert [state for state, _ in events] == ["fired", "cleared"]
    assert events[0] == ("fired", 6.5)
    assert events[1][1] >= 20


def test_row_5_a_short_gap_is_nothing_and_a_long_one_is_no_outage() -> None:
    steady = running((5, 60))
    short: list[Sample] = [*steady[:20], GAP, GAP, *steady[20:40]]
    long: list[Sample] = [*steady[:20], *[GAP] * 11, *steady[20:40]]
    anchor: list[Sample] = [1.0] * 51
    assert story(rule(**SILENT), block({ANCHOR: anchor, PACKETS: short})) == []
    assert story(rule(**SILENT), block({ANCHOR: anchor, PACKETS: long})) == [
        ("no_data", 15.0),
        ("data_back", 16.5),
    ]


def test_row_6_a_source_that_is_away_is_one_event_and_not_one_per_detector() -> None:
    rules = [rule(f"d{index}", **SILENT) for index in range(5)]
    rings = Rings("main", retention=math.inf, max_series=100)
    watch = SourceWatch(hold=300.0)
    states = {one.name: fresh_state(one) for one in rules}
    boards = []
    for at in np.arange(0.0, 601.0, 30.0):
        rings.fail(Failed("main", at, "connection refused"))
        watch.failed(at, "connection refused")
        for one in rules:
            states[one.name], _ = cycle(one, states[one.name], {"main": rings}, np.array([at]), Surroundings({one.name: (WHOLE,)}, {}))  # fmt: skip
        down = watch.down(at)
        boards.append(board_of(at, [(one, states[one.name]) for one in rules], all_rounds_done=False, sources_down={"main": down} if down else {}))  # fmt: skip
    assert boards[-1].sources_down == {"main": (0.0, "connection refused")}
    assert not any(one.findings for one in boards)


def test_row_6_a_source_that_comes_in_the_first_minute_leaves_no_event() -> None:
    rings = Rings("main", retention=math.inf, max_series=100)
    the_rule, state, events = rule(**SILENT), None, []
    for index, at in enumerate(np.arange(0.0, 600.0, 30.0)):
        if at < 60:
            rings.fail(Failed("main", at, "refused"))
        else:
            rings.add(Batch("main", at, (block({PACKETS: [5.0 * index]}, start=at),)))
        state, more = cycle(the_rule, state or fresh_state(the_rule), {"main": rings}, np.array([at]), Surroundings({"d": (WHOLE,)}, {}))  # fmt: skip
        events += more
    assert events == []


def test_row_7_a_small_dip_of_a_counter_is_no_burst() -> None:
    samples = running((30, 20), start=1_000_000)
    samples[10] = 1_000_000 + 30 * 9 - 10
    burst = rule(signal={"rate": {"of": "packets", "window": "5m"}}, fire={"above": 1.1})
    assert story(burst, block({PACKETS: samples})) == []


def test_row_9_the_first_burst_of_a_new_series_is_seen_if_we_were_there() -> None:
    burst = rule(signal={"increase": {"of": "packets", "window": "1m"}}, fire={"above": 1000})
    born: list[Sample] = [*[GAP] * 5, *[2700.0] * 20]
    assert story(burst, block({ANCHOR: [1.0] * 25, PACKETS: born}))[0] == ("fired", 2.5)
    assert story(burst, block({ANCHOR: [1.0] * 20, PACKETS: [2700.0] * 20}, start=150.0)) == []


def test_row_10_one_failure_of_one_is_no_outage_and_sixty_of_a_thousand_are() -> None:
    gated = {
        "minimum": {"events": 20},
        **RATIO,
        "signal": {"ratio": {"of": "bad", "to": "all", "window": "5m"}},
    }
    assert story(rule(**gated), failing((0, 0, 10), (1, 1, 1), (0, 0, 30))) == []
    assert [state for state, _ in story(rule(**gated), failing((0, 100, 12), (6, 100, 20)))] == ["fired"]


def test_slow_total_failure_is_seen_through_a_wider_window() -> None:
    """Six attempts in five minutes, nine of ten failing: below any minimum of the narrow window."""
    spec = {"minimum": {"events": 20, "widen_to": "30m"}, **RATIO, "signal": {"ratio": {"of": "bad", "to": "all", "window": "5m"}}}  # fmt: skip
    slow = [
        (1.0 if index % 10 else 0.0, 1.0, 1) if half else (0.0, 0.0, 1)
        for index in range(80)
        for half in (0, 1)
    ]
    assert [state for state, _ in story(rule(**spec), failing((0, 1, 20), *slow))] == ["fired"]


def test_row_12_an_idle_service_is_no_event() -> None:
    latency = rule(
        signal={"quantile": {"of": "h", "q": 0.95, "window": "1m"}}, fire={"above": 0.5, "for": "5m"}
    )
    idle = {Series("h_bucket", labels(le=le)): [7.0] * 61 for le in ("0.5", "+Inf")}
    assert story(latency, block(idle)) == []


def test_row_13_a_tenth_of_requests_over_the_bound_fires_exactly() -> None:
    share = {"share_over": {"of": "h", "bound": 1, "window": "1m"}}
    series = {Series("h_bucket", labels(le="1")): running((90, 20)), Series("h_bucket", labels(le="+Inf")): running((100, 20))}  # fmt: skip
    assert story(rule(signal=share, fire={"above": "5%", "for": "5m"}), block(series)) == [("fired", 6.0)]
    assert story(rule(signal=share, fire={"above": "10%", "for": "5m"}), block(series)) == []


def test_row_14_a_value_that_dances_fires_once_and_clears_once() -> None:
    spec = {"signal": {"gauge": {"of": "ms"}}, "fire": {"above": 1000, "for": "5m", "of_last": "5 of 10"}, "clear": {"below": 900, "for": "2m"}}  # fmt: skip
    samples: list[Sample] = [*[980, 1010, 990, 1020] * 15, *[850] * 10]
    events = story(rule(**spec), block({Series("ms", ()): samples}))
    assert [state for state, _ in events] == ["fired", "cleared"]
    assert events[1][1] >= 30


def test_row_23_a_minute_of_total_failure_is_silent_and_six_minutes_are_not() -> None:
    """15 s samples, 10 operations a second, window within a fifth of the hold."""
    spec = rule(step=15.0, **RATIO)
    blip = failing((0, 150, 40), (150, 150, 4), (0, 150, 60), step=15.0)
    outage = failing((0, 150, 40), (150, 150, 24), (0, 150, 60), step=15.0)
    assert story(spec, blip, step=15.0) == []
    assert [state for state, _ in story(spec, outage, step=15.0)] == ["fired", "cleared"]


@pytest.mark.parametrize(
    ("missing", "fires_at", "reason"),
    [
        (0, 6.0, "no gap: a window of history, and the hold"),
        (4, 6.0, "60 s of 300 are forgiven: on time"),
        (6, 7.5, "90 s are not: late by the gap, never early"),
    ],
)
def test_a_gap_in_an_outage(missing: int, fires_at: float, reason: str) -> None:
    whole = failing((0, 150, 1), (30, 150, 60), step=15.0)
    cut = range(12, 12 + missing)
    values = whole.values.copy()
    values[list(cut), 0] = 0.0
    values[list(cut), 1:] = np.nan
    holed = Block(whole.target, whole.times, whole.series, values)
    events = story(rule(step=15.0, **RATIO), holed, step=15.0)
    assert events[0][0] == "fired"
    assert fires_at <= events[0][1] <= fires_at + 0.5, reason


def test_a_silent_gap_of_the_source_delays_like_a_failed_scrape() -> None:
    whole = failing((0, 150, 1), (30, 150, 60), step=15.0)
    kept = np.r_[0:12, 24:62]
    holed = Block(whole.target, whole.times[kept], whole.series, whole.values[kept])
    assert (
        9.0 <= story(rule(step=15.0, **RATIO), holed, step=15.0)[0][1] <= 9.5
    )  # 6:00, and the three minutes not seen


STALLED = {
    "signal": {"increase": {"of": "writes", "window": "1m"}},
    "fire": {"equals": 0, "for": "2m"},
    "clear": {"above": 0, "for": "1m"},
    "while": {"signal": {"increase": {"of": "packets", "window": "1m"}}, "above": 0},
}
WRITES = Series("writes", ())


def test_a_stage_that_writes_nothing_is_stalled_only_while_there_is_input() -> None:
    idle = block({PACKETS: running((5, 10), (0, 40)), WRITES: running((5, 10), (0, 40))})
    stalled = block({PACKETS: running((5, 50)), WRITES: running((5, 10), (0, 40))})
    woken = block({PACKETS: running((0, 40), (5, 20)), WRITES: running((0, 60))})
    assert story(rule(**STALLED), idle) == []
    assert story(rule(**STALLED), stalled) == [("fired", 7.0)]
    assert story(rule(**STALLED), woken) == [("fired", 22.0)], (
        "the hold starts when input does, not in the night"
    )


BY_PROVIDER = {**SILENT, "signal": {"increase": {"of": "packets", "by": ["provider"], "window": "1m"}}, "expected": {"at_least": 10, "per": "10m"}}  # fmt: skip


def provider(name: str, *growth: tuple[float, int]) -> dict[Series, list[Sample]]:
    return {Series("packets", labels(provider=name)): running(*growth)}


def outcome(fleet: dict[Series, list[Sample]], usual: Mapping[Scope, float] | None = None) -> list[str]:
    rings = rings_of(block(fleet))
    found = replay([rule(**BY_PROVIDER)], {"main": rings}, ticks(80), Surroundings({}, {"d": usual or {}}))
    return [
        f"{dict(t.scope)['provider']} {t.state}" for t in found if t.state not in {"pending", "withdrawn"}
    ]


def test_silence_is_no_finding_where_little_is_normal() -> None:
    fleet = {**provider("a", (5, 80)), **provider("b", (5, 20), (0, 60))}
    night = {scope_of({"provider": name}): 2.0 for name in "ab"}
    busy = {scope_of({"provider": "a"}): 50.0}
    assert outcome(fleet, busy) == ["b fired"], "without history of its own the fleet's median counts"
    assert outcome(fleet) == [], "where nobody's history is known, nothing is"
    assert outcome(fleet, night) == []
    assert outcome(fleet, {scope_of({"provider": "b"}): 100.0}) == ["b fired"]


def test_a_quiet_fleet_is_no_outage() -> None:
    assert outcome({**provider("a", (0, 80)), **provider("b", (0, 80)), **provider("c", (0, 80))}) == []


def test_a_suspended_customer_sends_nothing_and_that_is_no_failure() -> None:
    series = {Series("packets", labels(customer="7", provider="a")): running((5, 10), (0, 60))}
    spec = {
        **SILENT,
        "signal": {"increase": {"of": "packets", "by": ["customer", "provider"], "window": "1m"}},
    }
    suspended = Surroundings({}, {}, frozenset({scope_of({"customer": "7"})}))
    assert [s for s, _ in story(rule(**spec), block(series))] == ["fired"]
    assert story(rule(**spec), block(series), around=suspended) == []


def test_zero_is_not_absent_and_absent_is_not_down() -> None:
    steady: list[Sample] = [1.0] * 60
    healthy = running((5, 20))
    zero = block({ANCHOR: steady, PACKETS: [*healthy, *[100.0] * 39]})
    absent = block({ANCHOR: steady, PACKETS: [*healthy, *[GAP] * 39]})
    down = block({ANCHOR: steady, PACKETS: [*healthy, *[STALE] * 39]})
    assert [story(rule(**SILENT), one)[0][0] for one in (zero, absent, down)] == [
        "fired",
        "no_data",
        "no_data",
    ]


def test_a_dead_process_of_several_is_unknown_while_the_others_are_still_and_fine_while_they_move() -> None:
    alive = block({PACKETS: running((5, 40))})
    still = block({PACKETS: running((0, 40))})
    dead = block({PACKETS: [*running((5, 5)), *[STALE] * 35]}, target=labels(instance="b"))
    assert story(rule(**SILENT), alive, dead) == []
    assert [state for state, _ in story(rule(**SILENT), still, dead)] == ["no_data"]


def test_one_stream_that_is_seen_to_move_clears_what_stood_still_although_another_stays_dark() -> None:
    back = block({PACKETS: running((5, 5), (0, 20), (5, 20))})
    dead = block({PACKETS: [*running((5, 5), (0, 15)), *[STALE] * 25]}, target=labels(instance="b"))
    assert [state for state, _ in story(rule(**SILENT, no_data={"for": "1h"}), back, dead)] == [
        "fired",
        "cleared",
    ]


def test_live_and_replay_say_the_same() -> None:
    """Row 18: samples taken in one by one and ticks one by one, against one block after the fact."""
    rng = np.random.default_rng(7)
    for _ in range(6):
        growth = rng.choice([0.0, 5.0], size=60, p=[0.6, 0.4]).cumsum()
        holes = rng.random(60)
        samples: list[Sample] = [STALE if h > 0.93 else GAP if h > 0.88 else float(g) for g, h in zip(growth, holes, strict=True)]  # fmt: skip
        whole = block({ANCHOR: [1.0] * 60, PACKETS: samples})
        the_rule = rule(signal=SILENT["signal"], fire={"equals": 0, "for": "90s"}, clear={"above": 0, "for": "1m"}, no_data={"for": "2m"})  # fmt: skip
        live = Rings("main", retention=1200.0, max_series=10, interval=30.0)
        state, events = fresh_state(the_rule), []
        for row, at in enumerate(whole.times):
            live.add(Batch("main", at, (Block(whole.target, whole.times[row : row + 1], whole.series, whole.values[row : row + 1]),)))  # fmt: skip
            state, more = cycle(the_rule, state, {"main": live}, np.array([at]))
            events += more
        rings = {"main": rings_of(whole, interval=30.0)}
        assert replay([the_rule], rings, whole.times) == events
        assert replay([the_rule], rings, whole.times, block=7) == events
