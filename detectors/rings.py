"""The rings of one source: every target's samples under one cap, and how the fetches that brought them ended."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detectors.buffer import Buffer
from detectors.ring import Added, Health, Ring
from detectors.samples import Batch, Failed, Floats, Labels


class Rings:
    """All targets of one source, under one cap of series. `retention`: seconds of history kept (may be infinite).

    `interval`: the scrape interval where it is configured; else each target's observed median counts.
    """

    def __init__(
        self, source: str, *, retention: float, max_series: int, interval: float | None = None
    ) -> None:
        self.source = source
        self.retention = retention
        self.max_series = max_series
        self.dropped_series = 0
        self.layout = 0
        self._interval = interval
        self._rings: dict[Labels, Ring] = {}
        self._fetched, self._outcome, self._reach = Buffer(), Buffer(), Buffer()
        self.version = 0
        """Counts fetches taken in; what was worked out for one version holds until the next."""
        self.moment: object | None = None
        """What `detectors.windows` worked out last, to be shared by all signals of a cycle."""
        self.plans: dict[object, tuple[tuple[int, ...], object]] = {}
        """Groupings of the signals, kept by `detectors.layout` until the series change."""

    def __iter__(self) -> Iterator[Ring]:
        return iter(self._rings.values())

    @property
    def series_count(self) -> int:
        return sum(len(ring.series) for ring in self)

    @property
    def newest(self) -> float:
        """Instant of the newest sample of any target; -inf when there is none."""
        return max((float(ring.times[-1]) for ring in self if len(ring.times)), default=-math.inf)

    @property
    def fingerprint(self) -> tuple[int, ...]:
        """Changes whenever a target or a series comes or goes."""
        return (self.layout, *(ring.layout for ring in self))

    def interval_of(self, ring: Ring) -> float:
        return self._interval or ring.interval

    def intervals_of(self, ring: Ring, tried: NDArray[np.intp]) -> Floats:
        """As it was known when `tried[T]` was the newest attempt of the ring; `[T]` seconds, 0 before the first."""
        return np.where(tried >= 0, self._interval, 0.0) if self._interval else ring.intervals(tried)

    def add(self, batch: Batch) -> Added:
        """Take in a fetch. An incomplete one is noted and not taken in: fetch the same samples again."""
        if not batch.complete:
            self._note(batch.at, Health.PARTIAL)
            return Added()
        added = Added()
        held = self.series_count
        for block in batch.blocks:
            ring = self._rings.get(block.target)
            if ring is None:
                ring = self._rings[block.target] = Ring(block.target)
                self.layout += 1
            before = len(ring.series)
            added += ring.add(block, now=batch.at, room=self.max_series - held)
            held += len(ring.series) - before
        self.dropped_series = added.dropped
        self._note(batch.at, Health.GOOD)
        if math.isfinite(self.retention):
            self._forget(batch.at - self.retention)
        return added

    def told_since(self, since: float) -> None:
        """The first fetch told its history from `since` (unix seconds) on: what is not in it was not there."""
        if not len(self._fetched):
            self._note(since, Health.GOOD)

    def fail(self, failed: Failed) -> None:
        """Note a fetch that gave nothing: until the next that does, or samples that reach past it, nothing is known."""
        self._note(failed.at, Health.DOWN)

    def fetch_health(self, ticks: Floats) -> tuple[Floats, Floats]:
        """`health[T]` of the last fetch at or before each tick, NaN before the first; `reach[T]`: the newest sample
        known by then.
        """
        if not len(self._fetched):
            return np.full(len(ticks), np.nan), np.full(len(ticks), -math.inf)
        at = np.searchsorted(self._fetched.view, ticks, side="right") - 1
        tried = at >= 0
        return (
            np.where(tried, self._outcome.view[at], np.nan),
            np.where(tried, self._reach.view[at], -math.inf),
        )

    def _note(self, at: float, health: Health) -> None:
        self.version += 1
        if len(self._fetched) and at < self._fetched.view[-1]:
            at = float(self._fetched.view[-1])  # the wall clock stepped back: order of arrival counts
        for buffer, entry in (
            (self._fetched, at),
            (self._outcome, float(health)),
            (self._reach, self.newest),
        ):
            buffer.extend(np.array([entry]))

    def _forget(self, before: float) -> None:
        old = int(np.searchsorted(self._fetched.view, before))
        for buffer in (self._fetched, self._outcome, self._reach):
            buffer.trim(old)
        for target, ring in [*self._rings.items()]:
            ring.forget(before)
            if not len(ring.attempts):
                del self._rings[target]
                self.layout += 1
