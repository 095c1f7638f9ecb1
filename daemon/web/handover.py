"""Handover: answers of another thread to coroutines that wait for them, many with one wake-up.

`asyncio.wrap_future` wakes the event loop once for every future, by a byte through a pipe; a commit answers hundreds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Handover:
    """Belongs to one event loop. Not cancelled with the waiter: what is being written stays written."""

    _answered: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def wait(self, future: Future[Any], within: float) -> bool:
        """Whether it is done within so many seconds; its result or error is asked of itself."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        future.add_done_callback(lambda _: self._heard(loop, waiting))
        timer = loop.call_later(within, _wake, waiting)
        try:
            await waiting
        finally:
            timer.cancel()
        return future.done()

    def _heard(self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[None]) -> None:
        """On whichever thread finished it. Whoever finds others before itself is woken with them.

        Appended first, then counted: an item that others are before is there before they have been passed on.
        """
        self._answered.append(waiting)
        if len(self._answered) == 1 and not loop.is_closed():
            loop.call_soon_threadsafe(self._pass_on)

    def _pass_on(self) -> None:
        while self._answered:
            _wake(self._answered.popleft())


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
