"""Control: what may stop every action at once, asked at each step by the loop and at the moment of acting by workers."""

from __future__ import annotations

import threading
from pathlib import Path

from remediations.ports import Clock


class Lead:
    """The fencing token this daemon holds. On SQLite the file lock makes it the only one, so it does not expire.

    `lease` seconds (PostgreSQL): valid for so long after the last renewal, by monotonic time.
    """

    def __init__(self, epoch: int, clock: Clock, lease: float | None = None) -> None:
        self.epoch = epoch
        self._clock, self._lease = clock, lease
        self._renewed = clock.monotonic()
        self._lost = False

    def renewed(self) -> None:
        self._renewed = self._clock.monotonic()

    def lost(self) -> None:
        """Another holder's epoch was seen: never act again."""
        self._lost = True

    @property
    def over(self) -> bool:
        """Another leads: this daemon will never lead again."""
        return self._lost

    def valid(self) -> bool:
        if self._lost:
            return False
        return self._lease is None or self._clock.monotonic() - self._renewed < self._lease


class SwitchBoard:
    """Kill switch by file, pause by signal or order, and the lease: everything a permit depends on."""

    def __init__(self, kill_switch: Path | None, lead: Lead) -> None:
        self._file, self._lead = kill_switch, lead
        self._lock = threading.Lock()
        self._paused: str | None = None
        self._draining = False

    @property
    def epoch(self) -> int:
        return self._lead.epoch

    @property
    def lead(self) -> Lead:
        return self._lead

    def reconfigure(self, kill_switch: Path | None) -> None:
        with self._lock:
            self._file = kill_switch

    def pause(self, why: str | None) -> None:
        """A pause over everything is in force (or, with None, not any more)."""
        with self._lock:
            self._paused = why

    def drain(self) -> None:
        """Shutting down: no new action begins."""
        with self._lock:
            self._draining = True

    @property
    def draining(self) -> bool:
        with self._lock:
            return self._draining

    def kill_switch(self) -> str | None:
        """Why nothing may be done, or None. A file that cannot be looked at counts as there: fail closed."""
        with self._lock:
            file = self._file
        if file is None:
            return None
        try:
            file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"the kill switch {file} cannot be looked at: {error.strerror}"
        return f"the kill switch {file} exists"

    def leader(self) -> bool:
        return self._lead.valid()

    def granted(self) -> bool:
        """The permit, asked by a worker at the moment of acting."""
        with self._lock:
            stopped = self._draining or self._paused is not None
        return not stopped and self._lead.valid() and self.kill_switch() is None
