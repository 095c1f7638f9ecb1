"""The virtual driver: a heap of (time, message) in place of threads. A job's answer is pushed at now + latency.

The store lives in memory and is the same code; a crash drops what was in memory and rebuilds from rows.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from prometheus_client import CollectorRegistry

from config.loader import Loaded
from daemon.app.build import Parts, build, rebuild
from daemon.incidents.change import Job
from daemon.loop import tidy
from daemon.loop.control import Lead
from daemon.loop.core import Loop
from daemon.loop.ground import Ground
from daemon.loop.messages import Message, Performed, Tick
from daemon.loop.pools import Pool, Work
from daemon.metrics import Metrics
from daemon.replay.horizon import Horizon
from daemon.settings.model import Settings
from daemon.store.store import Store
from detectors.board import Board
from remediations.ports import Ports

_DUE = Tick("due")


class Killed(BaseException):
    """The daemon dies here; nothing in it may catch this."""


class Time:
    """Both clocks of a story; only the driver moves them."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def set(self, now: float) -> None:
        self._now = max(now, self._now)


@dataclass(slots=True)
class _InstantPool:
    """Runs a job at once on the caller's thread; the answer arrives later by the story's clock."""

    name: str
    size: int
    work: Work
    push: Callable[[Job, Message], None]
    jobs: dict[str, Job] = field(default_factory=dict)

    def free(self) -> int:
        return self.size - len(self.jobs)

    def submit(self, job: Job) -> None:
        self.jobs[job.key] = job
        self.push(job, self.work(job))

    def overdue(self, now: float) -> list[Job]:
        late = [job for job in self.jobs.values() if now > job.deadline_at]
        for job in late:
            del self.jobs[job.key]
        return late

    @property
    def abandoned(self) -> int:
        return 0


@dataclass(slots=True)
class VirtualDriver:
    """Drives one loop through a story. `latency`: seconds from a job's start to its answer, by kind of job."""

    loaded: Loaded[Settings]
    ports: Ports
    time: Time
    latency: Callable[[Job], float] = lambda _: 0.05
    store: Store = field(default_factory=lambda: Store.open("sqlite://"))
    direct: list[tuple[float, str]] = field(default_factory=list)
    """What would have gone out directly while the store was sick: (time, reason)."""
    parts: Parts = field(init=False)
    skips: bool = True
    """Pass over seconds in which nothing is due; else step every second, as the live loop does."""
    doomed: Callable[[Job], bool] | None = None
    """Jobs at whose hand-over the daemon dies: committed, and no worker has them."""
    _heap: list[tuple[float, int, Message, str]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _life: int = 0
    _horizon: Horizon = field(default_factory=Horizon)
    steps: int = 0

    def __post_init__(self) -> None:
        self._start()

    @property
    def loop(self) -> Loop:
        return self.parts.loop

    def run_until(self, end: float, *, until: Callable[[], bool] | None = None) -> None:
        """Handle everything up to `end` (unix seconds), or until the condition holds after a step."""
        while self._heap and self._heap[0][0] <= end:
            at = self._heap[0][0]
            self.time.set(at)
            self._step([self._next(), *self._together(at)], at)
            if until is not None and until():
                return
        self.time.set(end)

    def run_for(self, seconds: float, *, until: Callable[[], bool] | None = None) -> None:
        self.run_until(self.time.now() + seconds, until=until)

    def crash(self, *, down_for: float = 0.0) -> None:
        """Kill the daemon here: everything in memory is gone; after `down_for` seconds it starts from its rows."""
        self._heap = []
        self.time.set(self.time.now() + down_for)
        self._start()

    def hear(self, message: Message) -> None:
        """Give the loop a message now, as a signal or the recorder would."""
        self._push(self.time.now(), message)

    def take(self, loaded: Loaded[Settings]) -> None:
        """Take a new configuration as the live daemon does after it was checked."""
        self.loaded = loaded
        rebuild(self.parts, loaded, self.ports, self.time.now(), lambda _: None)

    # ------------------------------------------------------------------ the loop's host

    def publish(self, loop: Ground, now: float) -> None:
        """Nobody looks."""

    def reload(self, who: str) -> None:
        """An order to reload: the same configuration once more."""
        del who
        self.take(self.loaded)

    def heartbeat(self, loop: Ground, now: float) -> None:
        """Nobody listens."""

    def housekeeping(self, loop: Ground, now: float) -> None:
        """A story is too short to be pruned."""

    def store_sick(self, reason: str, board: Board | None, now: float) -> Sequence[Job]:
        del board
        self.direct.append((now, reason))
        return ()

    def store_well(self, now: float) -> Sequence[Job]:
        self.direct.append((now, "well again"))
        return ()

    # ------------------------------------------------------------------ inside

    def _start(self) -> None:
        self._life += 1
        now = self.time.now()
        with self.store.write() as uow:
            epoch = uow.lease.claim(f"life-{self._life}", now)
        self.parts = build(
            self.loaded,
            store=self.store,
            ports=self.ports,
            host=self,
            metrics=Metrics(CollectorRegistry()),
            make_pool=self._pool,
            lead=Lead(epoch, self.ports.clock),
            now=now,
            pause=lambda _: None,
        )
        tidy.interrupted(self.loop, now)
        self._push(now, _DUE)

    def _pool(self, name: str, size: int, work: Work) -> Pool:
        def carry_out(job: Job) -> Message:
            if self.doomed is not None and self.doomed(job):
                raise Killed(job.key)
            return work(job)

        return _InstantPool(name, size, carry_out, lambda job, answer: self._answer(name, job, answer))

    def _answer(self, pool: str, job: Job, answer: Message) -> None:
        at = self.time.now() + self.latency(job)
        if isinstance(answer, Performed):
            # The work was done at once by the story's clock; what it changed took effect when the answer comes.
            outcome = answer.outcome
            answer = Performed(answer.key, type(outcome)(outcome.state, outcome.effect, outcome.output, at))
        self._push(at, answer, f"{pool} {job.key}")

    def _next(self) -> Message:
        """The next message; its job's slot is free again."""
        _, _, message, job = heapq.heappop(self._heap)
        if job:
            name, _, key = job.partition(" ")
            self._slots(name).jobs.pop(key, None)
        return message

    def _together(self, at: float) -> Iterator[Message]:
        """What sources and probes answered at the same instant is heard in one round, as from a full inbox."""
        while self._heap and self._heap[0][0] == at and self._heap[0][3].startswith("sources "):
            yield self._next()

    def _slots(self, name: str) -> _InstantPool:
        pool = self.loop.pools.by_name()[name]
        assert isinstance(pool, _InstantPool)
        return pool

    def _step(self, messages: Sequence[Message], now: float) -> None:
        self.steps += 1
        try:
            late = self.loop.step(messages[0], now, also=messages[1:])
        except Killed:
            self.crash()
            return
        self._heap = [entry for entry in self._heap if entry[2] != _DUE]
        heapq.heapify(self._heap)
        jobs = [job for name in self.loop.pools.by_name() for job in self._slots(name).jobs.values()]
        skips = self.skips and not self.loop.behind
        due = self._horizon.next_at(self.loop, jobs, now) if skips else late
        if math.isfinite(due):
            self._push(max(due, now + 0.001), _DUE)

    def _push(self, at: float, message: Message, pool: str = "") -> None:
        heapq.heappush(self._heap, (at, next(self._order), message, pool))
