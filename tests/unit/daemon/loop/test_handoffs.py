"""A change of shift in a running daemon: one message to each, whatever restarts."""

from __future__ import annotations

from datetime import UTC, datetime

from daemon.incidents.records import DeliveryState, PageEvent
from tests.fakes.ports import EPOCH
from tests.fakes.story import BASE, MINUTE, STORAGE, Story

CHANGE = EPOCH - EPOCH % 60 + 10 * MINUTE
STARTS = datetime.fromtimestamp(CHANGE - 7 * 86_400, UTC).strftime("%Y-%m-%d %H:%M")
TURNS = BASE.replace(
    'primary: {rotation: {every: 1w, starts: "2025-12-29 09:00", people: [ana]}}',
    f'primary: {{rotation: {{every: 1w, starts: "{STARTS}", people: [ben, ana]}}}}',
)


def handed_over(story: Story) -> list[tuple[str, str]]:
    """(person, key's end) of what was told."""
    found = [row for incident in story.incidents() for row in story.deliveries(incident)]
    rows = [row for row in found if row.event is PageEvent.DIGEST and "handoff" in row.facts]
    assert all(row.state is DeliveryState.ACCEPTED for row in rows)
    return sorted((row.person, str(row.facts["what"])) for row in rows)


def test_who_comes_and_who_goes_are_told_once_also_over_restarts() -> None:
    story = Story(base=TURNS, only=STORAGE)
    story.world.break_tier("hot", "disk full")
    story.run(CHANGE - MINUTE - story.now)
    assert len(story.incidents()) == 1
    assert handed_over(story) == []
    story.driver.crash()
    story.run(2 * MINUTE)
    assert handed_over(story) == [("ana", "to"), ("ben", "from")]
    before = len(story.world.sent)
    story.driver.crash()
    story.run(2 * MINUTE)
    story.driver.crash()
    story.run(MINUTE)
    assert handed_over(story) == [("ana", "to"), ("ben", "from")]
    told = [body for _, body in story.world.sent if "HAND-OFF" in str(body)]
    assert len(told) == 1
    assert "You are on call for primary, after Ben: 1 to know of" in str(told[0])
    assert [body for _, body in story.world.sent[before:] if "HAND-OFF" in str(body)] == []
