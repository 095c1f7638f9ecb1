"""What a person closed about the daemon itself is theirs for the time they gave, like any other incident."""

from __future__ import annotations

import pytest

from daemon.incidents.model import DAEMON, Incident, IncidentState
from daemon.incidents.records import PageEvent
from daemon.loop import selfcare, tidy
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story

NARROW = "limits: {series: 3}\n"


def found(story: Story) -> list[Incident]:
    with story.store.read() as uow:
        return list(reversed(uow.incidents.search(modes=[DAEMON]).incidents))


def pages(story: Story, incident: Incident) -> int:
    return sum(row.event is PageEvent.TRIGGER for row in story.deliveries(incident))


def closed() -> tuple[Story, Incident]:
    """More series than may be read, and a person who closed that for an hour."""
    story = Story(NARROW, only=STORAGE)
    story.run(2 * MINUTE)
    (incident,) = found(story)
    story.order("resolve", incident, reason="known")
    return story, incident


@pytest.mark.parametrize("killed", [False, True], ids=["", "and the daemon was restarted"])
def test_it_pages_nobody_anew_within_the_time_and_once_after_it(*, killed: bool) -> None:
    story, incident = closed()
    if killed:
        story.driver.crash()
    story.run(HOUR - 2 * MINUTE)
    (quiet,) = found(story)
    assert (quiet.state, pages(story, incident)) == (IncidentState.CLOSED, 1)
    story.run(3 * MINUTE)
    (again,) = found(story)
    assert (again.id, again.state, pages(story, again)) == (incident.id, IncidentState.OPEN, 2), story.told()
    story.run(4 * MINUTE)
    assert pages(story, again) == 2


def test_what_ended_meanwhile_and_comes_again_is_news() -> None:
    story = Story(only=STORAGE)
    loop = story.driver.loop
    late = [story.now - 2, story.now - 1, story.now]
    loop.late_rounds.extend(late)
    selfcare.look(loop, story.now)
    (incident,) = found(story)
    story.order("resolve", incident, reason="known")
    loop.late_rounds.clear()
    selfcare.look(loop, story.now)
    assert [(i.state, i.quiet_until) for i in found(story)] == [(IncidentState.CLOSED, None)]
    loop.late_rounds.extend(late)
    selfcare.look(loop, story.now)
    before, news = found(story)
    assert (before.id, before.state) == (incident.id, IncidentState.CLOSED)
    assert (news.state, pages(story, news)) == (IncidentState.OPEN, 1)


def test_an_item_that_fails_on_after_the_time_is_paged_again() -> None:
    story = Story(only=STORAGE)
    loop = story.driver.loop
    tidy.park(loop, "po-aaaaaa", ValueError("it"), story.now)
    (incident,) = found(story)
    story.order("resolve", incident, reason="known")
    tidy.park(loop, "po-aaaaaa", ValueError("it"), story.now)
    assert [i.state for i in found(story)] == [IncidentState.CLOSED]
    tidy.park(loop, "po-aaaaaa", ValueError("it"), story.now + HOUR)
    assert [(i.state, pages(story, i)) for i in found(story)] == [(IncidentState.OPEN, 2)]


def test_a_trouble_whose_page_could_not_be_written_is_told_when_it_fails_next() -> None:
    story = Story(only=STORAGE)
    loop = story.driver.loop
    loop.parked.park("parked", "StoreError: it", story.now)  # whoever opens such incidents rests itself
    tidy.park(loop, "po-aaaaaa", ValueError("it"), story.now)
    assert found(story) == []
    tidy.park(loop, "po-aaaaaa", ValueError("it"), story.now + MINUTE)
    assert [pages(story, i) for i in found(story)] == [1]
