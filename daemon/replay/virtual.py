"""The virtual driver: a heap of (time, message) in place of threads. A job's answer is pushed at now + latency.

The store lives in memory and is the same code; a crash drops what was in memory and rebuilds from rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from prometheus_client import CollectorRegistry

from config.loader import Loaded
from daemon.app.build import Parts, build, rebuild
from daemon.incidents.change import Job
from daemon.loop import tidy
from daemon.loop.control import Lead
from daemon.loop.core import Loop
from daemon.loop.messages import Message, Performed, Tick
from daemon.loop.pools import Pool, Work
from daemon.metrics import Metrics
from daemon.settings.model import Settings
from daemon.store.store import Store
from detectors.board import Board
from remediations.ports import Ports


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
    _heap: list[tuple[float, int, Message, str]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _life: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self._start()

    @property
    def loop(self) -> Loop:
        return self.parts.loop

    def run_until(self, end: float, *, until: Callable[[], bool] | None = None) -> None:
        """Handle everything up to `end` (unix seconds), or until the condition holds after a step."""
        while self._heap and self._heap[0][0] <= end:
            at, _, message, pool = heapq.heappop(self._heap)
            self.time.set(at)
            if pool:
                self._settled(pool, message)
            self._step(message, at)
            if until is not None and until():
                return
        self.time.set(end)

    def run_for(self, seconds: float, *, until: Callable[[], bool] | None = None) -> None:
        self.run_until(self.time.now() + seconds, until=until)

    def crash(self, *, down_for: float = 0.0) -> None:
        """Kill the daemon here: everything in memory is gone; after `down_for` seconds it starts from its rows."""
        self._heap.clear()
        self.time.set(self.time.now() + down_for)
        self._start()

    def take(self, loaded: Loaded[Settings]) -> None:
        """Take a new configuration as the live daemon does after it was checked."""
        self.loaded = loaded
        rebuild(self.parts, loaded, self.ports, self.time.now(), lambda _: None)

    # ------------------------------------------------------------------ the loop's host

    def publish(self, loop: Loop, now: float) -> None:
        """Nobody looks."""

    def reload(self, who: str) -> None:
        """An order to reload: the same configuration once more."""
        del who
        self.take(self.loaded)

    def heartbeat(self, loop: Loop, now: float) -> None:
        """Nobody listens."""

    def housekeeping(self, loop: Loop, now: float) -> None:
        """A story is too short to be pruned."""

    def store_sick(self, reason: str, board: Board | None, now: float) -> Sequence[Job]:
        del board
        self.direct.append((now, reason))
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
        self._push(now, Tick("start"))

    def _pool(self, name: str, size: int, work: Work) -> Pool:
        return _InstantPool(name, size, work, lambda job, answer: self._answer(name, job, answer))

    def _answer(self, pool: str, job: Job, answer: Message) -> None:
        at = self.time.now() + self.latency(job)
        if isinstance(answer, Performed):
            # The work was done at once by the story's clock; what it changed took effect when the answer comes.
            outcome = answer.outcome
            answer = Performed(answer.key, type(outcome)(outcome.state, outcome.effect, outcome.output, at))
        self._push(at, answer, f"{pool} {job.key}")

    def _settled(self, pool: str, message: Message) -> None:
        del message
        name, _, key = pool.partition(" ")
        slots = self.loop.pools.by_name()[name]
        assert isinstance(slots, _InstantPool)
        slots.jobs.pop(key, None)

    def _step(self, message: Message, now: float) -> None:
        self.steps += 1
        due = self.loop.step(message, now)
        if not any(isinstance(queued, Tick) for _, _, queued, _ in self._heap):
            self._push(max(due, now + 0.001), Tick("due"))

    def _push(self, at: float, message: Message, pool: str = "") -> None:
        heapq.heappush(self._heap, (at, next(self._order), message, pool))
