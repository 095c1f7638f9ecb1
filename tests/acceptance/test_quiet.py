"""What is no fault moves nobody: no action and no page, at the shipped timings. And what cannot be seen moves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import BLIND, IncidentState
from tests.acceptance.variants import CONSUMERS, REFUSES
from tests.fakes.story import MINUTE, STORAGE, Story

SILENT_FOR = 10 * MINUTE
"""Longer than every `no_data` hold of a source."""


def nothing_happened(story: Story) -> None:
    assert story.world.effects == [], story.told()
    assert story.all_paged() == [], story.told()
    assert story.incidents() == [], story.told()


def _rolling_restarts(story: Story) -> None:
    """Every program is stopped for twenty seconds, one after the other; its counters begin at zero again."""
    for unit in (*CONSUMERS, "transformation", "storage-writer-hot", "storage-writer-warm", "api"):
        story.world.kill(unit)
        story.run(20.0)
        story.world.start(unit)
        story.run(40.0)


def _source_restart(story: Story) -> None:
    story.world.silent = True
    story.run(2 * MINUTE)
    story.world.silent = False
    story.run(10 * MINUTE)


def _night(story: Story) -> None:
    """A small provider at night: a packet every now and then, and long pauses."""
    navixy = story.world.consumers["navixy"]
    for _ in range(3):
        story.world.change(navixy, rate=0.02)
        story.run(2 * MINUTE)
        story.world.change(navixy, rate=0.0)
        story.run(8 * MINUTE)


def _suspended(story: Story) -> None:
    for consumer in story.world.consumers.values():
        story.world.change(consumer, suspended=frozenset({"acme"}))
    story.run(15 * MINUTE)


def _newcomer(story: Story) -> None:
    """A provider that nobody has heard of: no history, and little traffic."""
    newcomer = story.world.newcomer("oem-b")
    story.run(6 * MINUTE)
    story.world.change(newcomer, rate=0.0)
    story.run(8 * MINUTE)


def _bad_minute(story: Story) -> None:
    for part, fields, well in (
        (story.world.tiers["hot"], {"error_share": 1.0}, {"error_share": 0.0}),
        (story.world.api, {"fault": "overload"}, {"fault": ""}),
        (story.world.consumers["navixy"], {"errors": 1.0}, {"errors": 0.0}),
        (story.world.transformer, {"mapping_failures": {"navixy": 1.0}}, {"mapping_failures": {}}),
    ):
        story.world.change(part, **fields)
        story.run(1 * MINUTE)
        story.world.change(part, **well)
        story.run(2 * MINUTE)


def _resets(story: Story) -> None:
    """All counters begin at zero three times without a moment's silence."""
    for _ in range(3):
        story.world.flow()
        for counters in story.world.counters.values():
            counters.clear()
        story.run(3 * MINUTE)


QUIET: dict[str, Callable[[Story], None]] = {
    "rolling restarts": _rolling_restarts,
    "a source that restarts": _source_restart,
    "a provider at night": _night,
    "a suspended customer": _suspended,
    "a new provider": _newcomer,
    "one bad minute of everything": _bad_minute,
    "counters that begin anew": _resets,
}


@pytest.mark.parametrize("name", QUIET)
def test_no_fault_no_action_no_page(name: str) -> None:
    story = Story(warm=5 * MINUTE)
    QUIET[name](story)
    story.run(2 * MINUTE)
    nothing_happened(story)


def test_a_source_that_is_down_for_longer_than_the_hold_is_one_page_about_blindness_and_no_action() -> None:
    story = Story()
    story.world.silent = True
    story.run(15 * MINUTE)
    assert story.world.effects == [], story.told()
    incident = story.incident()
    assert incident.failure_mode == BLIND, story.told()
    assert story.paged(incident) == [1], story.told()
    story.world.silent = False
    story.run(10 * MINUTE)
    assert story.incident().state is IncidentState.RESOLVED, story.told()
    assert story.all_paged() == [(BLIND, 1)]


@pytest.mark.parametrize(
    ("gap", "late"),
    [(0.0, 0.0), (60.0, 0.0), (120.0, 120.0)],
    ids=["no gap", "a fifth of the hold", "more than a fifth"],
)
def test_a_gap_delays_the_finding_by_its_length_or_not_at_all_and_never_makes_it_early(
    gap: float, late: float
) -> None:
    story = Story(only=STORAGE)
    REFUSES(story.world)
    story.run(120.0)
    if gap:
        story.world.silent = True
        story.run(
            gap - 15.0
        )  # from the last sample before to the first one after it, `gap` seconds and a poll
        story.world.silent = False
    took = story.until(20 * MINUTE, lambda: bool(story.incidents("storage_failure"))) + 120.0
    took += gap - 15.0 if gap else 0.0
    assert 300.0 + late <= took <= 300.0 + late + 45.0, took


UNKNOWNS: dict[str, Callable[[Story], None]] = {
    "the source is gone": lambda story: setattr(story.world, "silent", True),
    "the tier's writer shows no numbers": lambda story: story.world.deaf.add("storage-writer-hot"),
    "its series left": lambda story: story.world.forget("storage-writer-hot", "telemetry_storage_write"),
    "no traffic is left to judge": lambda story: story.world.kill(*CONSUMERS),
}


@pytest.mark.parametrize("name", UNKNOWNS)
def test_unknown_of_every_kind_neither_acts_nor_closes_an_open_incident(name: str) -> None:
    story = Story(only=("storage-writes",))
    story.world.break_tier("hot", "both_refuse")
    story.until(10 * MINUTE, lambda: bool(story.world.did("/tiers/hot/failover")))
    UNKNOWNS[name](story)
    begun = len(story.attempts(story.incident("storage_failure")))
    story.run(15 * MINUTE)
    incident = story.incident("storage_failure")
    assert not incident.ended, story.told()
    new = [a for a in story.attempts(incident)[begun:] if a.phase == "do"]
    assert new == [], story.told()
    assert 1 in story.paged(incident)
    assert story.events(incident, Kind.RESOLVED, Kind.RECOVERED) == []
