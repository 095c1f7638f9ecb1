"""Rows of a ring that a tick looks at, and sums of columns by slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.layout import Columns
from detectors.ring import DEFAULT_INTERVAL, Ring
from detectors.rings import Rings
from detectors.samples import Floats
from detectors.values import Bools, Codes, Quality

STALE_AFTER = 2.0
"""Scrape intervals without a sample until a target is stale."""
GONE_AFTER = 300.0
"""Seconds after which a target nobody even tries to scrape any more counts as removed, not as stale."""
BASE_SLACK = 1.5
"""Scrape intervals the base sample may lie before the start of the window."""

_QUALITY_OF = np.array(
    [Quality.OK, Quality.PARTIAL, Quality.DOWN, Quality.SKEWED],
    dtype=np.int8,
)
"""By `Health`."""
_OK, _STALE = np.int8(Quality.OK), np.int8(Quality.STALE)
_WARMING, _PARTIAL = np.int8(Quality.WARMING), np.int8(Quality.PARTIAL)


@dataclass(frozen=True, slots=True)
class Now:
    """One ring at each tick. `row[T]`: newest good row at or before it, 0 for none; `at[T]`: its instant.

    `quality[T]`: state of the ring; `tried[T]`: somebody has tried to read it by then; `gone[T]`: no longer scraped at all;
    `alive[T]`: there is a row, and it is not gone; `usable[T]`: there is a row, and all is well. `first`: first row that
    counts. `interval[T]`: seconds between scrapes, as known by then.
    """

    row: NDArray[np.intp]
    at: Floats
    quality: Codes
    tried: Bools
    gone: Bools
    alive: Bools
    usable: Bools
    first: int
    interval: Floats


@dataclass(frozen=True, slots=True)
class Base:
    """Rows a window's growth is counted from. `row[T]`; `at[T]`: its instant; `ok[T]`: there is one, and the ring is
    usable; `whole[T]`: it covers the window.
    """

    row: NDArray[np.intp]
    at: Floats
    ok: Bools
    whole: Bools


class Moment:
    """All rings of a source at the same ticks: worked out once, shared by every signal of a cycle."""

    def __init__(self, rings: Rings, ticks: Floats, since: float | None) -> None:
        self.ticks, self.since, self.version = ticks.copy(), since, rings.version
        fetch, reach = rings.fetch_health(ticks)
        self.now = {id(ring): _now_of(ring, rings, ticks, since, fetch, reach) for ring in rings}
        slowest = np.max([np.zeros(len(ticks)), *(now.interval for now in self.now.values())], axis=0)
        self.interval: Floats = np.where(slowest > 0, slowest, DEFAULT_INTERVAL)
        self.worst: Codes = np.zeros(len(ticks), dtype=np.int8)
        """`[T]`: why something may be absent although it exists: a target or the source that cannot be read."""
        anybody = np.zeros(len(ticks), dtype=bool)
        for now in self.now.values():
            counts = now.tried & ~now.gone
            np.maximum(self.worst, np.where(counts, now.quality, np.int8(0)), out=self.worst)
            anybody |= now.tried
        if not anybody.all():
            # A target that is known of only later says no more than one that is not known at all.
            answered = np.where(fetch > 0, int(Quality.DOWN), int(Quality.OK))
            alone = np.where(np.isnan(fetch), int(Quality.WARMING), answered)
            self.worst = np.where(anybody, self.worst, alone).astype(np.int8)
        self._bases: dict[tuple[int, float], Base] = {}

    def base(self, ring: Ring, window: float) -> Base:
        key = (id(ring), window)
        if key not in self._bases:
            self._bases[key] = _base_of(ring, self.now[id(ring)], self.ticks, window)
        return self._bases[key]


def moment_of(rings: Rings, ticks: Floats, since: float | None) -> Moment:
    """The rings at these ticks; asked again for the same ones, it is not worked out again."""
    kept = rings.moment
    if (
        isinstance(kept, Moment)
        and kept.version == rings.version
        and kept.since == since
        and np.array_equal(kept.ticks, ticks)
    ):
        return kept
    rings.moment = moment = Moment(rings, ticks, since)
    return moment


def _now_of(
    ring: Ring, rings: Rings, ticks: Floats, since: float | None, fetch: Floats, reach: Floats
) -> Now:
    """Find the newest row of each tick and say in what state the ring was then."""
    times = ring.times
    first = 0 if since is None else int(times.searchsorted(since))
    row = times.searchsorted(ticks, side="right") - 1
    row[row < first] = -1
    at = np.where(row >= 0, times[row], -math.inf) if len(times) else np.full(len(ticks), -math.inf)
    tried = ring.attempts.searchsorted(ticks, side="right") - 1
    interval = rings.intervals_of(ring, tried)
    health = np.zeros(len(ticks))
    if len(ring.attempts):
        health = np.where(tried >= 0, ring.health[tried], health)
    health = np.where((fetch > 0) & (at <= reach), np.maximum(fetch, health), health)
    quality = _QUALITY_OF[health.astype(np.intp)]
    age = ticks - at
    quality[(quality == _OK) & (age > STALE_AFTER * interval)] = _STALE
    there = row >= 0
    quality[(tried < 0) & ~there & (quality == _STALE)] = _WARMING
    if ring.truncated:
        quality[quality == _OK] = _PARTIAL
    gone = (quality == _STALE) & (age > np.maximum(GONE_AFTER, 2 * STALE_AFTER * interval)) & there
    usable = there & (quality == _OK)
    return Now(np.maximum(row, 0), at, quality, tried >= 0, gone, there & ~gone, usable, first, interval)


def _base_of(ring: Ring, now: Now, ticks: Floats, window: float) -> Base:
    """The last sample at or before the start of the window.

    Where a gap pushed that one more than 1.5 scrape intervals out, the first sample after the start serves
    (a shorter window, never older data).
    """
    times = ring.times
    start = ticks - window
    row = times.searchsorted(start, side="right") - 1
    have = row >= now.first
    whole: Bools = have & (times[np.maximum(row, 0)] >= start - BASE_SLACK * now.interval)
    row = np.where(have & ~whole, row + 1, row)
    ok: Bools = have & (row < now.row) & now.usable
    row = np.minimum(np.maximum(row, 0), max(len(times) - 1, 0))
    return Base(row, times[row], ok, whole)


def summed(rows: Floats, columns: Columns) -> Floats:
    """Sum `rows[T, columns]` by slot: `[T, K]`."""
    sums: Floats = rows if columns.single else np.add.reduceat(rows, columns.starts, axis=1)
    return sums


def cells(array: Floats, row: NDArray[np.intp], columns: Columns) -> Floats:
    """`array[row[T], columns]`."""
    if len(row) == 1:
        one: Floats = array[int(row[0])][None, columns.index]
        return one
    first, last = int(row[0]), int(row[-1])
    # A block of ticks mostly meets row after row: those are not copied.
    in_turn = last - first == len(row) - 1 and bool((row[1:] > row[:-1]).all())
    rows = array[first : last + 1] if in_turn else array[row]
    found: Floats = (
        rows[:, columns.index] if isinstance(columns.index, slice) else rows.take(columns.index, axis=1)
    )
    return found


def any_of(flags: Bools, columns: Columns) -> Bools:
    """Whether any column of a slot is set: `[T, K]`; one column of flags stands for all of them."""
    found: Bools = (
        flags
        if columns.single or flags.shape[1] == 1
        else np.logical_or.reduceat(flags, columns.starts, axis=1)
    )
    return found


def largest(rows: Floats, columns: Columns) -> Floats:
    """The largest number of each slot: `[T, K]`."""
    most: Floats = rows if columns.single else np.maximum.reduceat(rows, columns.starts, axis=1)
    return most


def smallest(row: Floats, columns: Columns) -> Floats:
    """The smallest number of each slot of one row: `[K]`."""
    least: Floats = row if columns.single else np.minimum.reduceat(row, columns.starts)
    return least
