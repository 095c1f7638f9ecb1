"""What fell due while the daemon was down: told once its fault is seen again, and not at all if it ended meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.records import PageEvent
from tests.fakes.parts import HOST, Parts, config
from tests.fakes.story import MINUTE

WAY = {"channels": [{"webhook": {"url": f"{HOST}/page", "secret": {"env": "HOOK"}}}]}
LEVELS: dict[str, Any] = {
    "people": {name: {"name": name.capitalize(), **WAY} for name in ("ana", "ben", "dan")},
    "escalation": {
        "default": [
            {"level": "L1", "notify": ["person:ana"]},
            {"level": "L2", "notify": ["person:ben"], "after": {"critical": "15m", "high": "15m"}},
            {"level": "L3", "notify": ["person:dan"], "after": {"critical": "30m", "high": "30m"}},
        ]
    },
}


def paged() -> Parts:
    story = Parts(config([], **LEVELS))
    story.run(30.0)
    story.broken.add("p0")
    story.run(MINUTE)
    assert len(story.triggers(story.incident())) == 1, story.told()
    return story


def escalated(story: Parts) -> list[tuple[int, str]]:
    name = story.incident().id
    with story.store.read() as uow:
        rows = uow.deliveries.of(name)
    return [(row.level, row.person) for row in rows if row.event is PageEvent.ESCALATE]


def test_an_incident_that_ended_while_the_daemon_was_down_pages_nobody_else() -> None:
    story = paged()
    story.broken.clear()
    story.driver.crash(down_for=40 * MINUTE)
    story.run(5 * MINUTE)
    assert story.incident().ended
    assert escalated(story) == []


@pytest.mark.parametrize("blind", [False, True], ids=["seen again", "not to be seen"])
def test_one_that_still_stands_pages_each_level_once_within_a_minute_and_says_that_it_is_late(
    blind: bool,
) -> None:
    story = paged()
    if blind:
        story.names.clear()
    story.driver.crash(down_for=40 * MINUTE)
    began = story.now
    story.run(70.0)
    assert sorted(escalated(story)) == [(2, "ben"), (3, "dan")], story.told()
    (climbed,) = story.events(story.incident(), Kind.ESCALATED)
    assert climbed.at - began <= (62.0 if blind else 15.0)
    texts = [str(page["data"]) for _, page in story.pages]
    assert sum("the daemon was down or late" in text for text in texts) == 2
