"""Pulse: one watcher of "has anything changed?" for all listeners, however many there are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from anyio import to_thread


@dataclass(frozen=True, slots=True)
class Beat:
    """`seq`: number of the newest event of the timeline, None while the store does not answer. `at`: of the snapshot."""

    seq: int | None
    at: float | None


_NOTHING_SEEN = Beat(None, None)


class Full(Exception):
    """As many listen as may."""


class Pulse:
    """Looks every `every` seconds while somebody listens. Lives on one event loop."""

    def __init__(self, look: Callable[[], Beat], *, every: float, heartbeat: float, most: int) -> None:
        self._look, self._every, self._heartbeat, self._most = look, every, heartbeat, most
        self._changed = asyncio.Condition()
        self._beat = _NOTHING_SEEN
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def listeners(self) -> int:
        return self._count

    def enter(self) -> None:
        """Take a place among the listeners; raises `Full`."""
        if self._count >= self._most or self._closing.is_set():
            raise Full
        self._count += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def leave(self) -> None:
        self._count -= 1

    async def beats(self) -> AsyncIterator[Beat | None]:
        """The present beat at once, then every change; None as a sign of life when nothing changed for a while."""
        last: Beat | None = None
        while not self._closing.is_set():
            if self._beat != last:
                last = self._beat
                if last != _NOTHING_SEEN:
                    yield last
                continue
            async with self._changed:
                woken = False
                news = partial(self._differs, last)
                # Not `asyncio.wait_for`: that waits in a task of its own, which may outlive this one's hold of the lock
                # when a listener goes.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._heartbeat):
                        await self._changed.wait_for(news)
                    woken = True
            if not woken:
                yield None

    def _differs(self, last: Beat | None) -> bool:
        return self._beat != last or self._closing.is_set()

    async def close(self) -> None:
        """Send everyone home."""
        self._closing.set()
        async with self._changed:
            self._changed.notify_all()
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while self._count > 0 and not self._closing.is_set():
            beat = await to_thread.run_sync(self._look)
            if beat != self._beat:
                self._beat = beat
                async with self._changed:
                    self._changed.notify_all()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._every)
