"""The loop's own thread: waits on the inbox until the next due time, at most a second, and steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from daemon import log
from daemon.app.host import LiveHost
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.loop import tidy
from daemon.loop.core import IDLE, Loop
from daemon.loop.messages import Message, Recorded, Tick
from daemon.loop.pools import ThreadPool
from daemon.scheduling import Schedule
from daemon.store.unit import UnitOfWork
from remediations.ports import Clock

DRIFT = 2.0
"""Seconds the wall clock may drift from the monotonic one between two steps before it counts as a step."""
HANDS_WITHIN = 20.0
POSTS_WITHIN = 5.0
AFTER_BUG = 1.0
ROWS_EVERY = 0.15
"""Seconds between two rounds that only look at rows which the recorder wrote."""
AT_ONCE = 1_000
"""Messages heard in one round at most."""


class LoopThread:
    """Feeds one loop until it is told to drain."""

    def __init__(
        self, loop: Loop, host: LiveHost, inbox: SimpleQueue[Message], clock: Clock, schedule: Schedule
    ) -> None:
        self._loop, self._host, self._inbox, self._clock, self._schedule = loop, host, inbox, clock, schedule
        self._thread = threading.Thread(target=self._serve, name="loop")
        self._draining = threading.Event()
        self._end_all: Callable[[], object] = lambda: None
        self._adopting: SimpleQueue[Callable[[float], None]] = SimpleQueue()
        self._wall, self._mono = clock.now(), clock.monotonic()
        self._rows_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def adopt(self, take: Callable[[float], None]) -> None:
        """Call `take(now)` on the loop's thread, between two steps."""
        self._adopting.put(take)
        self._inbox.put(Tick("adopt"))

    def drain(self, end_all: Callable[[], object]) -> None:
        """Finish: no new actions, wait for hands, send due pages. `end_all` ends programs still running then."""
        self._end_all = end_all
        self._draining.set()
        self._inbox.put(Tick("drain"))
        self._thread.join()

    def _serve(self) -> None:
        now = self._clock.now()
        self._guarded(lambda: tidy.interrupted(self._loop, now), now)
        messages: list[Message] = [Tick("start")]
        while not self._draining.is_set():
            messages = self._next(self._step(messages))
        self._drain()

    def _step(self, messages: list[Message]) -> float:
        now = self._clock.now()
        while not self._adopting.empty():
            take = self._adopting.get()
            self._guarded(lambda take=take: take(now), now)  # type: ignore[misc]  # bound per round
        self._guarded(lambda: self._watch_clock(now), now)
        began = self._clock.monotonic()
        due = now + IDLE
        try:
            due = self._loop.step(messages[0], now, also=messages[1:])
        except Exception as error:  # noqa: BLE001 - the loop must outlive any bug; it says so and goes on
            self._host.bug(self._loop, error, now)
            due = now + AFTER_BUG
        if self._loop.control.lead.over:
            self._host.end()
        took = self._clock.monotonic() - began
        self._host.cycle = (now, took * 1000)
        if took > self._host.loaded.model.poll_interval:
            self._loop.late_rounds.append(now)
        self._loop.metrics.cycle_seconds.labels(type(messages[0]).__name__.lower()).observe(took)
        self._loop.metrics.cycle_last_at.set(now)
        return due

    def _next(self, due: float) -> list[Message]:
        """Everything that has come: one round hears it all, so that answers never wait behind rounds."""
        wait = min(max(due - self._clock.now(), 0.0), IDLE)
        try:
            found = [self._inbox.get(timeout=wait) if wait > 0 else self._inbox.get_nowait()]
        except Empty:
            return [Tick("due")]
        with suppress(Empty):
            while len(found) < AT_ONCE:
                found.append(self._inbox.get_nowait())
        self._calm(found)
        return found

    def _calm(self, found: list[Message]) -> None:
        """While rows stream in, one round in `ROWS_EVERY` takes them all: the recorder needs the store as well."""
        until = self._rows_at + ROWS_EVERY
        with suppress(Empty):
            while all(isinstance(message, Recorded) for message in found) and len(found) < AT_ONCE:
                left = until - self._clock.monotonic()
                if left <= 0:
                    break
                found.append(self._inbox.get(timeout=left))
        self._rows_at = self._clock.monotonic()

    def _drain(self) -> None:
        self._loop.control.drain()
        hands, posts = self._loop.pools.hands, self._loop.pools.posts
        assert isinstance(hands, ThreadPool)
        assert isinstance(posts, ThreadPool)
        self._settle(lambda: not hands.busy, HANDS_WITHIN)
        self._end_all()
        self._settle(lambda: not hands.busy, POSTS_WITHIN)
        self._settle(lambda: not posts.busy and not self._owed(), POSTS_WITHIN)
        for pool in (hands, posts, self._loop.pools.sources):
            assert isinstance(pool, ThreadPool)
            pool.close()

    def _settle(self, done: Callable[[], bool], within: float) -> None:
        """Go on receiving and paging, begin nothing new, until done or out of time."""
        end = self._clock.monotonic() + within
        messages: list[Message] = [Tick("drain")]
        while self._clock.monotonic() < end:
            self._step(messages)
            if done() and self._inbox.empty():
                return
            messages = self._next(self._clock.now() + 0.05)

    def _owed(self) -> bool:
        with self._loop.store.read() as uow:
            return bool(uow.deliveries.due(self._clock.now()))

    def _watch_clock(self, now: float) -> None:
        mono = self._clock.monotonic()
        drift = (now - self._wall) - (mono - self._mono)
        self._wall, self._mono = now, mono
        if abs(drift) <= DRIFT:
            return
        log.get().warning(log.CLOCK_STEPPED, seconds=round(drift, 3))
        self._schedule.reanchor()
        self._loop.hold_escalations = True
        text = f"The wall clock stepped by {drift:+.1f} s: escalations wait one tick."
        event = Event("-", now, Kind.DAEMON, text, {"what": "clock_step", "seconds": drift})
        self._guarded(lambda: self._loop.item("clock", partial(self._stepped, event=event), now), now)

    def _stepped(self, uow: UnitOfWork, *, event: Event) -> None:
        self._loop.apply(uow, Change(events=(event,)))
        if event.data["seconds"] < 0:
            self._loop.apply(uow, self._loop.stages.escalate.stepped_back(uow, event.at))

    def _guarded(self, work: Callable[[], object], now: float) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - see _step
            self._host.bug(self._loop, error, now)
