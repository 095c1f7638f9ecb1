"""Storms over the shipped pack: sixty incidents at once are one page, and only what is storm-safe is begun.

Bars of the research (remediation engines, section 6): no action above the cap while everything fails at once, and one
consolidated page within one cycle. Bounds of the design: 3 of 6 modes or 34 % of a population, left after 5 min.
"""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import STORM, IncidentState
from tests.fakes.story import HOUR, MINUTE, POLL, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

KNOWN, DOWN = 130, 60
"""46 % of the providers: a storm, and not yet the half that is one shared cause."""
WATCHED = ("provider-errors",)
BY_MODES = "storm: {share: 90%}\n"
"""Two of three providers are no storm by their share: what is told is the number of failure modes."""
THREE = ("storage-writes", "mapping-failures", "provider-errors")


def stormy() -> Story:
    """130 providers, of which sixty stop answering at one moment."""
    story = Story(only=WATCHED, warm=0.0)
    names = [f"p{number:03}" for number in range(KNOWN - 3)]
    for name in names:
        story.world.newcomer(name)
    story.run(5 * MINUTE)
    for name in names[:DOWN]:
        story.world.change(story.world.consumers[name], primary="no-answer")
    story.until(20 * MINUTE, lambda: len(story.incidents("provider_outage")) >= DOWN)
    return story


def test_sixty_incidents_at_once_are_one_page_and_only_storm_safe_rungs_are_begun() -> None:
    story = stormy()
    storm = story.incident(STORM)
    first = min(i.detected_at for i in story.incidents("provider_outage"))
    assert storm.detected_at - first <= POLL, "one page within one cycle"
    assert f"{DOWN} incidents at once" in storm.impact.text
    assert f"{DOWN} of {KNOWN} providers" in storm.impact.text
    story.run(4 * MINUTE)
    outages = story.incidents("provider_outage")
    assert len(outages) == DOWN
    assert [i.id for i in story.incidents() if story.pages(i)] == [storm.id], story.told()
    assert story.paged(storm) == [1]
    assert {rung for i in outages for rung in story.tried(i)} == {"open-breaker"}
    refused = [e.data["gates"] for i in outages for e in story.events(i, Kind.GATES) if not e.data["allowed"]]
    assert any(not gate["allowed"] for gates in refused for gate in gates if gate["name"] == "storm")


def three_modes() -> Story:
    """Two faults that stand, and a third failure mode with them."""
    story = Story(BY_MODES, only=THREE)
    world = story.world
    world.change(world.consumers["oem-a"], limited=True)
    world.transformer.mapping_failures["navixy"] = 1.0
    story.run(6 * MINUTE)
    world.break_tier("cold", "both_refuse")
    story.until(20 * MINUTE, lambda: bool(story.incidents(STORM)))
    return story


def mended(story: Story) -> None:
    world = story.world
    world.flow()
    world.transformer.mapping_failures.clear()
    world.change(world.consumers["oem-a"], limited=False)
    world.heal_tier("cold")


def acts(story: Story) -> list[float]:
    return [a.intended_at for i in story.incidents() for a in story.attempts(i)]


def test_a_storm_lives_through_a_restart_and_is_left_after_five_minutes_below_its_bounds() -> None:
    story = three_modes()
    storm = story.incident(STORM)
    assert storm.impact.text.startswith("3 incidents at once in 3 of 6 failure modes")
    story.driver.crash(down_for=60.0)
    story.run(2 * MINUTE)
    assert story.incident(STORM).id == storm.id, "the same storm"
    assert story.incident(STORM).state is IncidentState.OPEN
    assert story.paged(storm) == [1], "and no second page"
    assert [at for at in acts(story) if at > storm.detected_at] == [], story.told()
    mended(story)
    story.until(HOUR, lambda: story.incident(STORM).state is IncidentState.RECOVERED)
    below = story.now
    story.run(2 * MINUTE)
    story.driver.crash(down_for=30.0)
    story.until(HOUR, lambda: story.incident(STORM).ended)
    assert story.now - below == pytest.approx(300.0, abs=2 * POLL), "5 min, the restart among them"
    assert [e.kind for e in story.events(storm, Kind.DETECTED, Kind.RECOVERED, Kind.RESOLVED)] == [
        Kind.DETECTED, Kind.RECOVERED, Kind.RESOLVED,
    ]  # fmt: skip


def test_a_person_who_closes_a_storm_lets_the_ladders_go_on_and_it_is_not_entered_again_at_once() -> None:
    story = three_modes()
    storm = story.incident(STORM)
    story.order("resolve", storm, reason="the switch was replaced")
    story.run(10 * MINUTE)
    assert len(story.incidents(STORM)) == 1
    assert [at for at in acts(story) if at > storm.detected_at], story.told()


def test_what_a_maintenance_was_declared_for_makes_no_storm() -> None:
    story = Story(BY_MODES, only=THREE)
    story.order("maintenance", reason="the cold tier moves", scope={"tier": "cold"}, **{"for": 2 * HOUR})
    world = story.world
    world.change(world.consumers["oem-a"], limited=True)
    world.transformer.mapping_failures["navixy"] = 1.0
    world.break_tier("cold", "both_refuse")
    story.run(20 * MINUTE)
    assert story.incidents("storage_failure")
    assert story.incidents(STORM) == []
