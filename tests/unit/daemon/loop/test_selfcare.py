"""The daemon's own bounds: an incident and a page when reached, an end when they are kept again."""

from __future__ import annotations

from daemon.incidents.model import DAEMON, Incident, IncidentState
from daemon.incidents.records import PageEvent
from daemon.loop import selfcare
from tests.fakes.story import STORAGE, Story, only, settings_of

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
