"""Worker pools without a queue: the loop takes a free slot, commits `started`, then submits.

A job that outlives its deadline is abandoned: the loop is told that its outcome is unknown, and the slot is replaced
by a fresh thread. The late thread's answer is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from daemon.incidents.change import Job
from daemon.loop.messages import Message

Work = Callable[[Job], Message]
"""What a worker does with a job; it must turn every failure into a message."""


class Pool(Protocol):
    """A border: live pools have threads, the virtual driver's answers at once at a later virtual time."""

    def free(self) -> int:
        """Slots that could take a job now."""
        ...

    def submit(self, job: Job) -> None:
        """Hand over a job. Raises `Full` when no slot is free."""
        ...

    def overdue(self, now: float) -> list[Job]:
        """Jobs past their deadline, each reported once; their slots have been replaced."""
        ...

    @property
    def abandoned(self) -> int:
        """Threads that still hang on an abandoned job."""
        ...


class Full(Exception):
    """No slot is free: the loop submits only after it looked, so this is a bug."""


@dataclass(slots=True)
class _Slot:
    thread: threading.Thread
    jobs: SimpleQueue[Job | None]
    job: Job | None = None
    dropped: bool = False


class ThreadPool:
    """`size` threads; `work` runs on them, `deliver` puts the answer into the loop's inbox (must be reentrant)."""

    def __init__(self, name: str, size: int, work: Work, deliver: Callable[[Message], None]) -> None:
        self._name, self._size, self._work, self._deliver = name, size, work, deliver
        self._lock = threading.Lock()
        self._slots: list[_Slot] = []
        self._lost: list[_Slot] = []

    def free(self) -> int:
        with self._lock:
            return self._size - sum(slot.job is not None for slot in self._slots)

    def submit(self, job: Job) -> None:
        with self._lock:
            slot = next((slot for slot in self._slots if slot.job is None), None)
            if slot is None and len(self._slots) < self._size:
                slot = self._start()
            if slot is None:
                raise Full(self._name)
            slot.job = job
        slot.jobs.put(job)

    def overdue(self, now: float) -> list[Job]:
        late: list[Job] = []
        with self._lock:
            for slot in list(self._slots):
                if slot.job is not None and now > slot.job.deadline_at:
                    late.append(slot.job)
                    slot.dropped = True
                    self._slots.remove(slot)
                    self._lost.append(slot)
            self._lost = [slot for slot in self._lost if slot.thread.is_alive()]
        return late

    @property
    def abandoned(self) -> int:
        with self._lock:
            return sum(slot.thread.is_alive() for slot in self._lost)

    @property
    def busy(self) -> list[Job]:
        """Jobs under way, for the drain."""
        with self._lock:
            return [slot.job for slot in self._slots if slot.job is not None]

    def close(self) -> None:
        """Let idle threads end; busy ones are daemon threads and end with the process."""
        with self._lock:
            for slot in self._slots:
                slot.jobs.put(None)

    def _start(self) -> _Slot:
        slot = _Slot(threading.Thread(), SimpleQueue())
        slot.thread = threading.Thread(target=self._serve, args=(slot,), name=f"{self._name}", daemon=True)
        slot.thread.start()
        self._slots.append(slot)
        return slot

    def _serve(self, slot: _Slot) -> None:
        while (job := slot.jobs.get()) is not None:
            answer = self._work(job)
            with self._lock:
                if slot.dropped:
                    return
                slot.job = None
            self._deliver(answer)
