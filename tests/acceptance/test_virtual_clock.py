"""The story's clock: passing over empty seconds changes nothing that is decided, nor when."""

from __future__ import annotations

import pytest

from tests.acceptance.variants import REFUSES
from tests.fakes.story import MINUTE, Story

ONLY = ("storage-writes",)


def timeline(*, skips: bool, reason: str) -> list[tuple[str, int]]:
    story = Story(only=ONLY)
    story.driver.skips = skips
    if reason == "mended":
        REFUSES(story.world)
    else:
        story.world.break_tier("hot", "both_refuse")
    story.run(22 * MINUTE)
    return [(str(event.kind), round(event.at - story.began)) for event in story.events(story.incident())]


@pytest.mark.parametrize("reason", ["mended", "paged, reminded and escalated"])
def test_a_story_that_skips_empty_seconds_is_the_story_told_second_by_second(reason: str) -> None:
    told = timeline(skips=False, reason=reason)
    skipped = timeline(skips=True, reason=reason)
    assert [kind for kind, _ in told] == [kind for kind, _ in skipped]
    assert all(abs(one - other) <= 1 for (_, one), (_, other) in zip(told, skipped, strict=True))
