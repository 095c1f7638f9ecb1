"""The daemon's own bounds: an incident and a page when reached, an end when they are kept again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.incidents.change import Change
from daemon.incidents.model import DAEMON, Incident, IncidentState
from daemon.incidents.records import DebtState, PageEvent
from daemon.loop import selfcare
from tests.fakes import rows
from tests.fakes.story import DAY, STORAGE, Story, only, settings_of

NARROW = "limits: {series: 3}\n"


def own(story: Story) -> list[Incident]:
    with story.store.read() as uow:
        found = uow.incidents.search(modes=[DAEMON]).incidents
    return [incident for incident in found if incident.failure_mode == DAEMON]


def told(story: Story, incident: str, event: PageEvent) -> int:
    with story.store.read() as uow:
        return sum(row.event is event for row in uow.deliveries.of(incident))


def test_series_beyond_the_limit_are_one_incident_and_one_page_however_long_they_last() -> None:
    story = Story(NARROW, only=STORAGE)
    story.run(600)
    (incident,) = own(story)
    assert incident.state is IncidentState.OPEN
    assert incident.scope == (("part", "series of edge"),)
    assert "limits.series" in incident.impact.text
    assert told(story, incident.id, PageEvent.TRIGGER) == 1


def test_it_ends_by_itself_once_the_limit_was_raised_and_a_crash_in_between_forgets_nothing() -> None:
    story = Story(NARROW, only=STORAGE)
    story.run(60)
    story.driver.crash()
    story.run(60)
    (incident,) = own(story)
    wide = settings_of(story.base, only(*STORAGE))
    story.driver.take(wide)
    story.run(300)
    (ended,) = own(story)
    assert ended.id == incident.id
    assert (ended.state, ended.resolved_by) == (IncidentState.RESOLVED, "self")
    assert told(story, incident.id, PageEvent.RESOLVE) >= 1


def test_workers_that_hang_on_given_up_jobs_are_paged_at_twice_the_pool() -> None:
    story = Story(only=STORAGE)

    class Hanging:
        abandoned = selfcare.HUNG

        def __getattr__(self, name: str) -> object:
            return getattr(pools.hands, name)

    pools = story.driver.loop.pools
    story.driver.loop.pools = type(pools)(pools.sources, Hanging(), pools.posts)  # type: ignore[arg-type]  # a pool in all but one number
    selfcare.look(story.driver.loop, story.now)
    assert [dict(incident.scope)["part"] for incident in own(story)] == ["workers of hands"]
    story.driver.loop.pools = pools
    selfcare.look(story.driver.loop, story.now + 1)
    assert [incident.state for incident in own(story)] == [IncidentState.RESOLVED]


def test_rounds_longer_than_a_poll_are_paged_and_end_by_themselves() -> None:
    story = Story(only=STORAGE)
    loop = story.driver.loop
    loop.late_rounds.extend([story.now - 20, story.now - 10])
    selfcare.look(loop, story.now)
    assert own(story) == [], "two are no habit"
    loop.late_rounds.append(story.now)
    selfcare.look(loop, story.now)
    (incident,) = own(story)
    assert (dict(incident.scope)["part"], told(story, incident.id, PageEvent.TRIGGER)) == ("rounds", 1)
    story.run(selfcare.LATE_WITHIN)
    assert [incident.state for incident in own(story)] == [IncidentState.RESOLVED]


def test_a_query_that_is_not_answered_for_five_minutes_is_paged_and_ends_by_itself() -> None:
    story = Story(only=STORAGE)
    loop, now = story.driver.loop, story.now
    notices = loop.stages.detection._intake.notices
    for lasts, incidents in ((selfcare.UNANSWERED_FOR - 1, 0), (selfcare.UNANSWERED_FOR, 1)):
        notices.kept.clear()
        for at in (now - lasts, now):
            notices.add(selfcare.UNANSWERED, "edge", "sum(depth): too many samples", at)
        selfcare.look(loop, now)
        assert len(own(story)) == incidents, "a server may be busy for a while"
    (incident,) = own(story)
    assert dict(incident.scope)["part"] == "queries of edge"
    assert "too many samples" in incident.impact.text
    assert told(story, incident.id, PageEvent.TRIGGER) == 1
    story.run(2 * selfcare.UNANSWERED_FOR)
    assert [one.state for one in own(story)] == [IncidentState.RESOLVED]


def test_nothing_is_read_while_all_is_well() -> None:
    story = Story(only=STORAGE)
    story.run(60)
    assert not story.driver.loop.ailing
    assert own(story) == []


def indebted(state: DebtState, ago: float, *, dated: bool = True) -> Story:
    """A return that was due some time ago, or has no date and began then, of an incident that is long over."""
    story = Story(only=STORAGE)
    then = story.now - ago
    debt = rows.debt(
        "po-1/fail-over",
        state=state,
        opened_at=then,
        due_at=then if dated else None,
        plan={},
        note="refused with 500",
    )
    with story.store.write() as uow:
        uow.apply(Change(debts=(debt,)))
    story.run(30)
    return story


@pytest.mark.parametrize(
    ("state", "due_ago", "paged", "why"),
    [
        (DebtState.FAILED, 60.0, True, "a return that failed is a page at once"),
        (DebtState.PROPOSED, DAY + 60.0, True, "nobody answered for a day"),
        (DebtState.DUE, DAY + 60.0, True, "its pre-check did not hold for a day"),
        (DebtState.PROPOSED, DAY - 60.0, False, "people have a day"),
        (DebtState.PAID, DAY + 60.0, False, "it is paid"),
        (DebtState.WAIVED, DAY + 60.0, False, "a person waived it"),
    ],
)
def test_a_debt_that_failed_or_aged_is_a_page(
    state: DebtState, due_ago: float, paged: bool, why: str
) -> None:
    found = own(indebted(state, due_ago))
    assert [dict(incident.scope)["part"] for incident in found] == (
        ["debt fail-over of po-1"] if paged else []
    ), why


@pytest.mark.parametrize(("ago", "paged"), [(DAY + 60.0, True), (DAY - 60.0, False)])
def test_a_debt_without_a_way_back_is_a_page_after_a_day_too(ago: float, paged: bool) -> None:
    found = own(indebted(DebtState.OPEN, ago, dated=False))
    assert ["nothing gives it back" in incident.impact.text for incident in found] == [True] * paged


def test_the_page_of_a_debt_ends_once_it_is_settled() -> None:
    story = indebted(DebtState.FAILED, 60.0)
    with story.store.write() as uow:
        debt = uow.debts.get("po-1/fail-over")
        assert debt is not None
        uow.apply(Change(debts=(replace(debt, state=DebtState.WAIVED),)))
    story.run(30)
    (incident,) = own(story)
    assert incident.state is IncidentState.RESOLVED
