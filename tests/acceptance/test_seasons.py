"""What is usual at this hour of the week: advice that nobody acts on, and silence that is no news at night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from daemon.detect.rollups import signal_key
from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import PageEvent
from daemon.store.store import Store
from detectors.hours import Hour
from detectors.rule import signal_of
from tests.fakes.ports import EPOCH
from tests.fakes.story import BASE, HOUR, MINUTE, Story, only, settings_of

WEEK = 168 * HOUR
USUAL = 30.0
"""Packets a second of each provider of the story."""
DEGRADED = """
detectors:
  below-usual:
    failure_mode: provider_outage
    severity: %s
    signal: {baseline: {signal: {rate: {of: telemetry_ingestion_packets_received_total, by: [provider], window: 5m}}, direction: below, min_absolute: 5, min_relative: 50%%}}
    fire: {above: 5, for: 30m}
"""
"""The rate under half of its baseline for more than half an hour."""


def learnt(detector: str, rates: Mapping[int, float], weeks: int, *texts: str) -> Store:
    """A store in which navixy had these rates (hour since the story's start -> packets a second) in the last weeks."""
    settings = settings_of(BASE, *texts).model
    key = signal_key(signal_of(settings.detectors[detector].signal, settings.detectors[detector].minimum))
    hours = [
        Hour(detector, EPOCH - week * WEEK + hour * HOUR, key, {"provider=navixy": (rate, rate * HOUR, 1.0)})
        for week in range(1, weeks + 1)
        for hour, rate in rates.items()
    ]
    store = Store.open("sqlite://")
    with store.write() as uow:
        uow.rollups.save(hours)
    return store


def degraded(severity: str = "low", weeks: int = 4, watching: Sequence[str] = ()) -> Story:
    """Navixy brings a third of what it brings at this hour on other Mondays."""
    more = DEGRADED % severity
    texts = (only(*watching), more)
    store = learnt("below-usual", dict.fromkeys(range(6), USUAL), weeks, *texts)
    story = Story(more, only=tuple(watching) or ("none",), store=store)
    story.world.change(story.world.consumers["navixy"], rate=USUAL / 3)
    return story


def test_a_rate_far_below_its_baseline_is_told_as_its_severity_says_and_moves_nothing() -> None:
    story = degraded("low")
    took = story.until(HOUR, lambda: bool(story.incidents()))
    assert 30 * MINUTE <= took <= 36 * MINUTE, (
        "the hold of 30 min, once the rate's window of 5 min has fallen"
    )
    story.run(HOUR)
    incident = story.incident("provider_outage", provider="navixy")
    assert (incident.advises, incident.severity, incident.state) == (True, "low", IncidentState.OPEN)
    assert (story.attempts(incident), story.world.effects) == ([], [])
    assert story.said(incident, Kind.GAVE_UP) == ["Not acting: advice only, below-usual may not act."]
    assert {row.event for row in story.deliveries(incident)} == {PageEvent.DIGEST}
    story.world.change(story.world.consumers["navixy"], rate=USUAL)
    story.until(HOUR, lambda: story.incident().state is IncidentState.RESOLVED)
    assert story.incident().resolved_by == "self"


def test_advice_of_a_high_severity_pages_and_still_moves_nothing() -> None:
    story = degraded("high")
    story.until(HOUR, lambda: bool(story.incidents()))
    story.run(5 * MINUTE)
    incident = story.incident()
    assert (story.paged(incident), story.attempts(incident), story.world.effects) == ([1], [], [])


def test_three_weeks_are_too_few_to_advise_by() -> None:
    story = degraded(weeks=3)
    story.run(2 * HOUR)
    assert story.incidents() == []


def test_a_baseline_keeps_nobody_from_mending_what_breaks_in_earnest() -> None:
    """Advised about, then gone: the failure is an incident of its own, and its playbook acts as without the advice."""
    story = degraded("low", watching=("provider-silent", "provider-errors"))
    story.until(HOUR, lambda: bool(story.incidents()))
    advice = story.incident()
    story.world.change(story.world.consumers["navixy"], primary="no-answer")
    story.until(HOUR, lambda: any(not one.advises for one in story.incidents()))
    story.ended()
    fault = next(one for one in story.incidents() if not one.advises)
    was = next(one for one in story.incidents() if one.id == advice.id)
    assert (was.state, was.resolved_by, story.attempts(was)) == (IncidentState.CLOSED, fault.id, [])
    assert story.tried(fault), story.told()
    assert [record.detector for record in fault.findings if record.detector == "below-usual"] == []


def test_a_person_who_took_the_advice_is_not_overruled_when_it_breaks_in_earnest() -> None:
    story = degraded("high", watching=("provider-silent", "provider-errors"))
    story.until(HOUR, lambda: bool(story.incidents()) and bool(story.paged(story.incident())))
    advice = story.incident()
    story.order("ack", advice)
    story.world.change(story.world.consumers["navixy"], primary="no-answer")
    story.until(HOUR, lambda: not story.incident().advises)
    story.run(30 * MINUTE)
    fault = story.incident()
    assert (fault.id, fault.severity) == (advice.id, "critical")
    assert (story.attempts(fault), story.world.effects) == ([], [])


def test_a_detector_that_a_reload_brings_back_knows_what_it_had_learnt() -> None:
    more = DEGRADED % "low"
    store = learnt("below-usual", dict.fromkeys(range(6), USUAL), 4, only("none"), more)
    story = Story(only=("none",), store=store)
    story.driver.take(settings_of(BASE, only("none"), more))
    story.run(11 * MINUTE)
    story.world.change(story.world.consumers["navixy"], rate=USUAL / 3)
    story.until(HOUR, lambda: bool(story.incidents()))
    assert story.incident("provider_outage", provider="navixy").advises


def test_what_an_hour_taught_outlives_a_crash_in_the_middle_of_it() -> None:
    """Killed at half past and back two minutes later; its source tells no history, so those minutes were not seen."""
    story = Story(DEGRADED % "low", only=("none",))
    story.run(EPOCH + HOUR / 2 - story.now)
    story.driver.crash(down_for=2 * MINUTE)
    story.run(EPOCH + HOUR + 15 * MINUTE - story.now)
    with story.driver.store.read() as uow:
        (hour,) = uow.rollups.load()
    value, events, share = hour.scopes["provider=navixy"]
    assert (hour.detector, hour.start) == ("below-usual", EPOCH)
    assert (value, events) == (pytest.approx(USUAL), pytest.approx(USUAL * HOUR))
    unseen = 2 * 5 * MINUTE + 2 * MINUTE + 10 * MINUTE
    assert 1 - unseen / HOUR <= share < 1, "two windows of 5 min to fill, 2 min away, 10 min not written yet"


QUIET_MORNING = {0: 0.001, 1: 0.001, 2: USUAL, 3: USUAL}
"""3.6 packets an hour in the first two hours of every Monday's story, 30 a second in the next two."""


@pytest.mark.parametrize(
    ("rates", "news", "why"),
    [
        (QUIET_MORNING, False, "navixy is silent at this hour every Monday"),
        ({}, True, "nothing is known of other weeks: it was busy a moment ago"),
        (dict.fromkeys(range(4), USUAL), True, "navixy is busy at this hour every Monday"),
    ],
)
def test_silence_is_news_where_the_hour_is_busy_in_other_weeks(
    rates: Mapping[int, float], news: bool, why: str
) -> None:
    watching = ("provider-silent", "provider-errors")
    store = learnt("provider-silent", rates, 2, only(*watching))
    story = Story(only=watching, store=store)
    navixy = story.world.consumers["navixy"]
    story.world.change(navixy, quiet=True)
    story.run(40 * MINUTE)
    assert bool(story.incidents()) is news, why
    if not news:
        story.world.change(navixy, quiet=False)
        story.run(EPOCH + 2 * HOUR + 5 * MINUTE - story.now)
        assert story.incidents() == [], "it came back in the quiet hours"
        story.world.change(navixy, quiet=True)
        took = story.until(HOUR, lambda: bool(story.incidents()))
        assert 10 * MINUTE <= took <= 11 * MINUTE, "the same silence in a busy hour, after its hold of 10 min"
