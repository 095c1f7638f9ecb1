"""Learning hour by hour: baselines and usual traffic from the same hours of other weeks, live, restarted and replayed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from config.scope import scope_from_key, scope_key, scope_of
from daemon.detect.fetching import Asked, Fetch
from daemon.detect.sources.base import Wanted
from daemon.detect.stage import Detection
from daemon.replay.backtest import backtest
from detectors.board import Finding, FindingState
from detectors.hours import Hour
from detectors.samples import Batch, Failed
from tests.fakes.telemetry import FakeTelemetry, Story
from tests.unit.daemon.detect.telling import EXPECTED, SCRAPE, SILENT, counter, packets, sections

HOUR, WEEK = 3600.0, 168 * 3600.0
PACKETS = "telemetry_ingestion_packets_received_total"
RATE: dict[str, Any] = {"rate": {"of": PACKETS, "by": ["provider"], "window": "5m"}}
BELOW: dict[str, Any] = {
    "failure_mode": "provider_outage",
    "severity": "low",
    "signal": {
        "baseline": {
            "signal": RATE,
            "direction": "below",
            "weeks": 4,
            "min_absolute": 5,
            "min_relative": "50%",
        }
    },
    "fire": {"above": 5, "for": "30m"},
}
"""A provider whose rate is under half of its baseline for more than half an hour: degraded (low)."""
A = scope_of({"provider": "a"})
NOW = 6 * WEEK


def detection(at: float, **detectors: Any) -> Detection:
    return Detection(sections(detectors=detectors), at)


def learnt(
    of: Detection, name: str, *values: float, at: float = NOW, scope: str = "provider=a", hours: int = 3
) -> list[Hour]:
    """Finished hours: of each of the last weeks one value, and as many events an hour, at the hours around `at`."""
    seasons = of.watches[name].seasons
    assert seasons is not None
    return [
        Hour(name, at - week * WEEK + hour * HOUR, seasons.signal, {scope: (value, value * HOUR, 1.0)})
        for week, value in zip(range(len(values), 0, -1), values, strict=True)
        for hour in range(hours)
    ]


def finding(told: Story, name: str) -> Finding | None:
    assert told.board is not None
    return told.board.findings.get((name, A))


def degraded(*weeks: float, rate: float) -> Story:
    """An hour at `rate` packets a second after weeks with these rates in the same hours."""
    of = detection(NOW, below=BELOW)
    of.restore({}, learnt(of, "below", *weeks))
    return Story(of, {"main": packets(a=counter(rate))}).run(NOW, NOW + HOUR)


@pytest.mark.parametrize(
    ("weeks", "rate", "fires", "why"),
    [
        ((100, 110, 90, 104), 50.0, True, "52 below 102, and a deviation is 7.4: 7 of them"),
        ((100, 110, 90, 104), 52.0, False, "50 below 102 is less than half"),
        ((100, 110, 90), 40.0, False, "three weeks are too few"),
        ((100, 140, 60, 104), 40.0, False, "62 below, but weeks differ by 29.7: 2 deviations"),
        ((8, 8, 8, 8), 4.0, False, "half, but by less than 5 a second"),
        ((100, 110, 90, 104), 300.0, False, "above is the other direction"),
    ],
)
def test_a_rate_is_held_against_the_same_hour_of_the_last_four_weeks(
    weeks: tuple[float, ...], rate: float, fires: bool, why: str
) -> None:
    found = finding(degraded(*weeks, rate=rate), "below")
    assert (found is not None and found.state is FindingState.FIRING) is fires, why


@pytest.mark.parametrize(
    ("now", "offset", "why"),
    [
        ("2026-03-31 06:00", HOUR, "08:00 in Berlin was an hour later by UTC until two days ago"),
        ("2026-10-27 07:00", -HOUR, "08:00 in Berlin was an hour earlier by UTC until two days ago"),
    ],
)
def test_the_same_hour_is_that_of_the_clock_on_the_wall(now: str, offset: float, why: str) -> None:
    """Rows of 08:00 in Berlin on the four Tuesdays before a change of its clocks: they count at 08:00 after it, and only then."""
    eight = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    spec = {**BELOW, "signal": {"baseline": {**BELOW["signal"]["baseline"], "zone": "Europe/Berlin"}}}
    for at, fires in ((eight, True), (eight + offset, False)):
        of = detection(at, below={**spec, "fire": {"above": 5, "for": "10m"}})
        of.restore({}, learnt(of, "below", 100, 110, 90, 104, at=eight + offset, hours=1))
        told = Story(of, {"main": packets(a=counter(30))}).run(at, at + HOUR - 15)
        assert any(when >= at for _, when in told.events("fired")) is fires, why


def test_a_finding_against_a_baseline_advises_and_is_as_severe_as_is_written() -> None:
    found = finding(degraded(100, 110, 90, 104, rate=30), "below")
    assert found is not None
    assert (found.advises, found.severity) == (True, "low")
    assert found.value == pytest.approx(72 / (1.4826 * 5))
    assert found.threshold == "> 5 deviations below the usual for 30m"


def test_a_baseline_may_act_where_that_is_written_and_is_as_severe_as_its_failure_mode_then() -> None:
    of = detection(NOW, below={**BELOW, "acts": True})
    of.restore({}, learnt(of, "below", 100, 110, 90, 104))
    found = finding(Story(of, {"main": packets(a=counter(30))}).run(NOW, NOW + HOUR), "below")
    assert found is not None
    assert (found.advises, found.severity) == (False, "critical")


def test_hours_of_another_signal_are_not_compared_with() -> None:
    of = detection(NOW, below=BELOW)
    other = [
        Hour(one.detector, one.start, "other", one.scopes) for one in learnt(of, "below", 100, 100, 100, 100)
    ]
    of.restore({}, other)
    told = Story(of, {"main": packets(a=counter(1))}).run(NOW, NOW + HOUR)
    assert finding(told, "below") is None


def test_what_the_same_hours_had_counts_more_than_the_last_windows() -> None:
    """Silent after a busy hour: no finding in an hour that is quiet every week, one in an hour that is busy every week."""
    for weekly, fires in ((0.001, False), (2.0, True)):
        of = detection(NOW, silent=EXPECTED)
        of.restore({}, learnt(of, "silent", weekly, weekly))
        told = Story(of, {"main": packets(a=counter(2, (NOW + 600, 0)))}).run(NOW, NOW + 1800)
        assert bool(told.events("fired")) is fires, weekly


def test_one_week_is_no_custom_the_last_windows_count() -> None:
    of = detection(NOW, silent=EXPECTED)
    of.restore({}, learnt(of, "silent", 0.001))
    told = Story(of, {"main": packets(a=counter(2, (NOW + 600, 0)))}).run(NOW, NOW + 1800)
    assert told.events("fired")


# ---------------------------------------------------------------- what is kept


def test_a_finished_hour_is_news_until_it_was_written() -> None:
    of = detection(0, below=BELOW)
    told = Story(of, {"main": packets(a=counter(7))}).run(0, HOUR)
    (hour,) = of.hours()
    assert (hour.detector, hour.start) == ("below", 0.0)
    value, events, share = hour.scopes["provider=a"]
    assert value == pytest.approx(7.0)
    assert events == pytest.approx(7 * HOUR)
    assert share == 220 / 240, "the first window of 5 min, 20 ticks of 15 s, had to fill"
    of.hours_kept([hour])
    assert of.hours() == ()
    told.run(HOUR + 15, 2 * HOUR)
    assert [one.start for one in of.hours()] == [HOUR]


def test_an_hour_in_which_it_fired_teaches_nothing() -> None:
    of = detection(0, silent={**SILENT, "expected": {"at_least": 10, "per": "5m"}})
    Story(of, {"main": packets(a=counter(2, (4000, 0), (9000, 2)))}).run(0, 5 * HOUR)
    assert [one.start / HOUR for one in of.hours()] == [0, 3, 4]


@pytest.mark.parametrize(
    ("history", "seen", "why"),
    [
        (True, 220, "all but the first window of 20 ticks"),
        (False, 200, "without history the window fills anew after the restart"),
    ],
)
def test_the_running_hour_goes_on_after_a_restart(history: bool, seen: int, why: str) -> None:
    """Killed at half past, and back at once."""
    telemetry = packets(a=counter(7))
    telemetry.history = history
    source = {} if history else {"source": SCRAPE}
    detectors = {"below": BELOW}
    first = Detection(sections(detectors=detectors, **source), 0)
    Story(first, {"main": telemetry}).run(0, 1800)
    rows = json.loads(
        json.dumps({f"{o}|{scope_key(s)}": row for (o, s), row in (first.checkpoint(1800) or {}).items()})
    )
    second = Detection(sections(detectors=detectors, **source), 1815)
    second.restore({(k.split("|")[0], scope_from_key(k.split("|")[1])): row for k, row in rows.items()})
    Story(second, {"main": telemetry}).run(1815, HOUR)
    (hour,) = second.hours()
    value, _, share = hour.scopes["provider=a"]
    assert value == pytest.approx(7.0)
    assert share == seen / 240, why


def test_a_reload_keeps_what_was_learnt_of_the_same_signal_and_forgets_what_was_learnt_of_another() -> None:
    for signal, fires in (
        (RATE, True),
        ({"rate": {"of": PACKETS, "by": ["provider"], "window": "1m"}}, False),
    ):
        of = detection(NOW, below=BELOW)
        of.restore({}, learnt(of, "below", 100, 110, 90, 104))
        told = Story(of, {"main": packets(a=counter(30))}).run(NOW, NOW + 600)
        changed = {**BELOW["signal"]["baseline"], "signal": signal, "zone": "Europe/Berlin"}
        of.reload(sections(detectors={"below": {**BELOW, "signal": {"baseline": changed}}}), NOW + 600)
        told.run(NOW + 615, NOW + HOUR)
        found = finding(told, "below")
        assert (found is not None and found.state is FindingState.FIRING) is fires, signal


def test_more_scopes_than_can_be_learnt_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.hours.MOST_SCOPES", 1)
    of = detection(0, below=BELOW)
    Story(of, {"main": packets(a=counter(7), b=counter(7))}).run(0, 600)
    assert [(notice.kind, notice.name) for notice in of.notices(600)] == [("scope_limit", "below")]


# ---------------------------------------------------------------- live and replay


@dataclass
class Recorded:
    """Hand-made telemetry as a source that a backtest asks."""

    telemetry: FakeTelemetry
    name: str = "main"

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        return self.telemetry.answer(
            Fetch("f", Asked.SOURCE, "main", now, deadline, wanted=wanted, since=since)
        )

    def close(self) -> None:
        """Nothing is open."""


STEP = 300.0


def slow(**more: Any) -> Any:
    """One week is enough, polled every five minutes."""
    weekly = {
        **BELOW["signal"]["baseline"],
        "weeks": 1,
        "signal": {"rate": {**RATE["rate"], "window": "15m"}},
    }
    below = {
        **BELOW,
        "signal": {"baseline": weekly},
        "fire": {"above": 5, "for": "30m"},
        "no_data": {"for": "30m"},
    }
    silent = {
        **SILENT,
        "signal": {"increase": {"of": PACKETS, "by": ["provider"], "window": "15m"}},
        "fire": {"equals": 0, "for": "30m"},
        "expected": {"at_least": 10, "per": "15m", "zone": "Europe/Berlin"},
        "no_data": {"for": "30m"},
    }
    return sections(detectors={"below": below, "silent": silent}, poll_interval=STEP, **more)


def fortnight() -> FakeTelemetry:
    """Busy by day, quiet by night, one outage in the first week; in the second a day at a third, and an outage."""
    changes: list[tuple[float, float]] = []
    for day in range(15):
        dawn = day * 24 * HOUR + 6 * HOUR
        changes += [(dawn, 6.0 if day == 9 else 20.0), (dawn + 14 * HOUR, 0.002)]
    changes += [(day * 24 * HOUR + 10 * HOUR, 0.0) for day in (3, 12)]
    changes += [(day * 24 * HOUR + 12 * HOUR, 20.0) for day in (3, 12)]
    telemetry = packets(a=counter(0.002, *sorted(changes)))
    telemetry.interval = STEP
    return telemetry


def live(telemetry: FakeTelemetry, end: float, restarts: Sequence[float] = ()) -> list[tuple[Any, ...]]:
    """What happens tick by tick, killed and started again at some of them."""
    transitions = []
    told = Story(Detection(slow(), 0), {"main": telemetry})
    kept: list[Hour] = []
    at = 0.0
    while at <= end:
        told.tick(at)
        kept += told.detection.hours()
        told.detection.hours_kept(told.detection.hours())
        if at in restarts:
            transitions += told.transitions
            rows = told.detection.checkpoint(at + 1000) or {}
            told = Story(Detection(slow(), at + STEP), {"main": telemetry})
            told.detection.restore(rows, kept)
        at += STEP
    found = {(t.detector, t.at, str(t.state)) for t in (*transitions, *told.transitions)}
    return sorted(one for one in found if one[2] in {"fired", "cleared"})


@pytest.mark.long
def test_a_replay_says_what_was_said_live_also_across_restarts() -> None:
    telemetry, end = fortnight(), 14 * 24 * HOUR
    said = live(telemetry, end, [day * 24 * HOUR + 7 * STEP for day in (1, 5, 9)])
    for chunk in (40_000.0, 86_400.0, 30 * 86_400.0):
        replayed = backtest(slow(), {"main": Recorded(telemetry)}, 0, end, chunk=chunk)
        told = sorted((e.detector, e.at, str(e.state)) for e in replayed.events)
        assert told == said, chunk
    days = [(detector, at // (24 * HOUR)) for detector, at, state in said if state == "fired"]
    assert ("below", 9.0) in days, "a third of last week's rate"
    assert ("silent", 12.0) in days, "silent in an hour that is busy every week"
    assert min(day for detector, day in days if detector == "below") >= 7, "the first week is for learning"
