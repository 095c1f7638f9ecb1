"""What holds a fail-over back: its lock, that ends by time or `unlock` and never by an acknowledgement, and budgets."""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import Incident
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

MODE, FAIL_OVER = "storage_failure", "fail-over-to-replica"
EAGER = "playbooks: {storage-hot: {guardrails: {cooldown: 1m}}}\n"
"""So that the lock of an hour is what is left to refuse."""


def switched_twice() -> tuple[Story, Incident]:
    """Hot storage was failed over, given back by hand, and refuses again minutes later."""
    story = Story(EAGER, only=STORAGE)
    story.world.break_tier("hot", "primary_refuses", primary="refusing")
    story.ended(HOUR)
    hot = story.world.tiers["hot"]
    story.world.change(hot, active="primary")
    story.world.break_tier("hot", "primary_refuses", primary="refusing")
    story.until(HOUR, lambda: len(story.incidents(MODE)) == 2)
    second = story.incidents(MODE)[1]
    story.run(MINUTE)
    return story, second


def refusals(story: Story, incident: Incident) -> set[str]:
    gates = [gate for e in story.events(incident, Kind.GATES) for gate in e.data["gates"]]
    return {gate["name"] for gate in gates if not gate["allowed"]}


def test_after_a_fail_over_the_target_is_locked_and_an_acknowledgement_lifts_nothing() -> None:
    story, second = switched_twice()
    assert "failover_lock" in refusals(story, second), story.told()
    assert story.paged(second) == [1], "a refusal that does not lift by itself is a page"
    story.order("ack", second)
    story.order("resume", second)
    story.run(2 * MINUTE)
    assert story.tried(second) == [], "acknowledged, resumed, and still locked"
    story.driver.crash()
    story.order("resume", second)
    story.run(2 * MINUTE)
    assert story.tried(second) == [], "and after a restart"


def test_the_budget_of_everything_stops_the_ladder_and_a_return_is_not_held_back_by_it() -> None:
    story = Story("limits: {actions: 1 per 6h}\n", only=STORAGE)
    story.world.break_tier("hot", "both_refuse")
    story.until(HOUR, lambda: bool(story.incidents(MODE)) and story.incident(MODE).stepped_back)
    incident = story.incident(MODE)
    assert story.tried(incident) == [FAIL_OVER], "one of one"
    assert story.undone(incident) == [FAIL_OVER], "what was begun is ended"
    assert refusals(story, incident) == {"budget"}
    assert story.paged(incident) == [1]


def test_unlock_by_a_person_lets_the_target_be_switched_again() -> None:
    story, second = switched_twice()
    story.order("unlock", reason="the primary was replaced", target="tier=hot")
    story.order("resume", second)
    story.run(2 * MINUTE)
    assert story.tried(second) == [FAIL_OVER], story.told()


def test_a_lock_ends_with_its_hour() -> None:
    story, second = switched_twice()
    story.run(HOUR)
    story.order("resume", second)
    story.run(2 * MINUTE)
    assert story.tried(second) == [FAIL_OVER], story.told()
