"""Returns of several steps over the shipped pack: each comes after the one before was done, and a failure is a page."""

from __future__ import annotations

import pytest

from daemon.incidents.model import DAEMON, Incident
from daemon.incidents.records import Debt, DebtState
from tests.fakes.story import HOUR, MINUTE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

WATCHED = ("provider-errors", "provider-silent")
MAPPINGS = ("mapping-failures",)
MODE, QUARANTINE = "transformation_failure", "quarantine-provider"
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


def contained() -> Story:
    """A provider changed its payload: its packets wait in the dead-letter queue, and a person was paged."""
    story = Story(only=MAPPINGS)
    story.world.change(story.world.transformer, payload={"navixy": "changed-types"})
    story.until(2 * HOUR, lambda: bool(story.incidents(MODE)) and story.incident(MODE).stepped_back)
    assert story.world.transformer.isolated == {"navixy"}, story.told()
    return story


def quarantined() -> Story:
    """The same, and a person mended it and closed the incident."""
    story = contained()
    story.world.change(story.world.transformer, payload={}, letters=400)
    story.order("resolve", story.incident(MODE), reason="the mapping knows the new payload")
    return story


def owed(story: Story) -> Debt:
    return next(d for d in story.debts(story.incident(MODE)) if d.rung == QUARANTINE)


def test_a_quarantine_is_lifted_and_what_it_set_aside_goes_through_again() -> None:
    story = quarantined()
    for step, call in (
        (1, '/admin/quarantine {"fields":null,"on":false,"provider":"navixy"}'),
        (2, '/admin/reprocess {"provider":"navixy"}'),
    ):
        story.until(2 * HOUR, lambda: owed(story).state is DebtState.PROPOSED)
        assert owed(story).plan.get("step", 1) == step
        assert story.world.did(call) == [], "it asks first"
        story.order("approve", story.incident(MODE), rung=QUARANTINE)
        story.until(2 * MINUTE, lambda call=call: bool(story.world.did(call)))  # type: ignore[misc]  # bound per step
    story.until(MINUTE, lambda: owed(story).state is DebtState.PAID)
    assert story.world.transformer.isolated == set()
    assert story.world.transformer.letters == 0
    assert story.incidents(MODE) == [story.incident(MODE)], "and nothing fails again"


def test_a_return_that_is_answered_and_does_not_show_is_a_page_and_no_further_step() -> None:
    story = quarantined()
    story.until(2 * HOUR, lambda: owed(story).state is DebtState.PROPOSED)
    story.world.liar = True  # answered 200, and the provider stays quarantined
    story.order("approve", story.incident(MODE), rung=QUARANTINE)
    story.until(5 * MINUTE, lambda: owed(story).state is DebtState.FAILED)
    assert owed(story).note == "its effect did not show"
    story.run(MINUTE)
    trouble = story.incident(DAEMON, part=f"debt {QUARANTINE} of {story.incident(MODE).id}")
    assert story.paged(trouble) == [1]
    assert story.world.did("/admin/reprocess") == []


def test_what_is_contained_is_given_back_at_a_persons_word_once_they_mended_it() -> None:
    story = contained()
    incident = story.incident(MODE)
    story.world.change(story.world.transformer, payload={}, letters=400)
    story.run(MINUTE)
    assert owed(story).state is DebtState.OPEN, "contained is not success"
    story.order("approve", incident, rung=QUARANTINE)
    story.until(2 * MINUTE, lambda: owed(story).plan.get("step") == 2)
    assert story.world.transformer.isolated == set()


def test_a_tier_that_fails_again_is_not_switched_back_under_the_hands_of_whoever_mends_it() -> None:
    story = failed_over()
    navixy = story.world.consumers["navixy"]
    story.world.change(navixy, primary="ok")
    story.until(2 * HOUR, lambda: debt(story, FAIL_OVER).state is DebtState.PROPOSED)
    first = outage(story)
    story.world.change(navixy, secondary="no-answer")
    story.until(HOUR, lambda: len(story.incidents("provider_outage")) == 2)
    story.order("approve", first, rung=FAIL_OVER)
    story.run(MINUTE)
    (again,) = [i for i in story.incidents("provider_outage") if i.id != first.id]
    (held,) = [d for d in story.debts(first) if d.rung == FAIL_OVER]
    assert (held.state, held.note) == (
        DebtState.DUE,
        f"waits: fresh_fault: {again.id} stands open at the same place",
    )
    assert story.world.did('navixy/admin/endpoint {"use":"primary"}') == []
