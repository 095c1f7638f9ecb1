"""Returns of several steps over the shipped pack: each comes after the one before was done, and a failure is a page."""

from __future__ import annotations

import pytest

from daemon.incidents.model import DAEMON, Incident
from daemon.incidents.records import Debt, DebtState
from tests.fakes.story import HOUR, MINUTE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

WATCHED = ("provider-errors", "provider-silent")
BREAKER, FAIL_OVER = "open-breaker", "fail-over-to-secondary"


def failed_over(more: str = "") -> Story:
    """The primary does not answer: the breaker opens, the secondary mends it, and both have to be given back."""
    story = Story(more, only=WATCHED)
    story.world.change(story.world.consumers["navixy"], primary="no-answer")
    story.ended(HOUR)
    return story


def outage(story: Story) -> Incident:
    return story.incident("provider_outage")


def debt(story: Story, rung: str) -> Debt:
    return next(d for d in story.debts(outage(story)) if d.rung == rung)


def test_a_breaker_is_half_opened_and_the_gap_recovered_once_it_is_closed() -> None:
    story = failed_over()
    navixy = story.world.consumers["navixy"]
    story.world.change(navixy, primary="ok")
    story.until(HOUR, lambda: debt(story, BREAKER).plan.get("step") == 2)
    assert len(story.world.did('navixy/admin/breaker {"state":"half_open"}')) == 1
    story.run(4 * MINUTE)
    story.world.change(navixy, breaker="open")
    story.run(3 * MINUTE)
    assert story.world.did("navixy/admin/recover-gap") == [], "due, and the breaker is not closed"
    story.world.change(navixy, breaker="closed")
    story.until(5 * MINUTE, lambda: debt(story, BREAKER).state is DebtState.PAID)
    assert len(story.world.did("navixy/admin/recover-gap")) == 1


def test_a_fail_back_is_followed_by_the_recovery_of_the_gap_through_a_restart_between_them() -> None:
    story = failed_over()
    navixy = story.world.consumers["navixy"]
    story.world.change(navixy, primary="ok", breaker="closed")
    story.until(2 * HOUR, lambda: debt(story, FAIL_OVER).state is DebtState.PROPOSED)
    recovered = len(story.world.did("navixy/admin/recover-gap"))
    story.order("approve", outage(story), rung=FAIL_OVER)
    story.until(5 * MINUTE, lambda: debt(story, FAIL_OVER).plan.get("step") == 2)
    assert navixy.endpoint == "primary"
    assert len(story.world.did("navixy/admin/recover-gap")) == recovered
    story.driver.crash(down_for=30.0)
    story.until(10 * MINUTE, lambda: debt(story, FAIL_OVER).state is DebtState.PAID)
    assert len(story.world.did("navixy/admin/recover-gap")) == recovered + 1
    assert len(story.world.did('navixy/admin/endpoint {"use":"primary"}')) == 1


def test_a_step_that_fails_stops_the_chain_and_is_a_page_until_a_person_decides() -> None:
    story = failed_over()
    navixy = story.world.consumers["navixy"]
    story.world.change(navixy, primary="ok", breaker="closed")
    story.until(2 * HOUR, lambda: debt(story, FAIL_OVER).state is DebtState.PROPOSED)
    story.world.refusing = True
    recovered = len(story.world.did("navixy/admin/recover-gap"))
    story.order("approve", outage(story), rung=FAIL_OVER)
    story.until(5 * MINUTE, lambda: debt(story, FAIL_OVER).state is DebtState.FAILED)
    story.run(MINUTE)
    trouble = story.incident(DAEMON, part=f"debt {FAIL_OVER} of {outage(story).id}")
    assert story.paged(trouble) == [1]
    story.run(20 * MINUTE)
    assert len(story.world.did("navixy/admin/recover-gap")) == recovered, "what follows is not begun"
    story.order("reject", outage(story), rung=FAIL_OVER)
    story.run(MINUTE)
    assert debt(story, FAIL_OVER).state is DebtState.WAIVED
    assert story.incident(DAEMON, part=f"debt {FAIL_OVER} of {outage(story).id}").ended
