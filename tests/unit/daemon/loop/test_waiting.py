"""A question for which no slot was free in time is answered all the same: whoever asked waits for it."""

from __future__ import annotations

from daemon.incidents.change import Job
from daemon.loop import tidy
from daemon.loop.messages import Answered
from tests.fakes.story import Story


def test_a_question_that_lapsed_while_it_waited_for_a_slot_is_answered_with_an_error() -> None:
    story = Story(only=("storage-down",), warm=0.0)
    loop, now = story.driver.loop, story.now
    loop.waiting = [Job("sf-1|confirm|1.000", "probe", "sf-1", now - 1, {})]
    tidy.up(loop, now)
    assert loop.waiting == []
    (told,) = loop.unheard
    assert isinstance(told, Answered)
    assert (told.key, told.evidence.ok, told.evidence.error) == (
        "sf-1|confirm|1.000",
        False,
        "no answer in time",
    )
