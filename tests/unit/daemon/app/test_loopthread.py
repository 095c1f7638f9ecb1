"""The loop's thread hears everything that has come in one round: slow rounds must not let answers grow old."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any, cast

from daemon.app.loopthread import AT_ONCE, LoopThread
from daemon.clock import SystemClock
from daemon.loop.messages import Message, Tick


def thread(*waiting: str) -> LoopThread:
    inbox: SimpleQueue[Message] = SimpleQueue()
    for name in waiting:
        inbox.put(Tick(name))
    nothing = cast("Any", None)
    return LoopThread(nothing, nothing, inbox, SystemClock(), nothing)


def heard(one: LoopThread) -> list[str]:
    return [message.name for message in one._next(due=0.0) if isinstance(message, Tick)]


def test_what_waits_is_heard_together_and_in_order() -> None:
    one = thread("a", "b", "c")
    assert heard(one) == ["a", "b", "c"]
    assert heard(one) == ["due"], "with nothing to hear, what is due is looked at"


def test_a_flood_is_heard_in_bounded_rounds() -> None:
    one = thread(*["x"] * (AT_ONCE + 5))
    assert [len(heard(one)), len(heard(one))] == [AT_ONCE, 5]
