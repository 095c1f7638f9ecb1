"""Rows of a ring that a tick looks at, and sums of columns by slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.layout import Columns
from detectors.rings import Health, Ring, Rings
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


@dataclass(frozen=True, slots=True)
class Now:
    """One ring at each tick. `row[T]`: newest good row at or before it, -1 for none; `at[T]`: its instant.

    `quality[T]`: state of the ring; `gone[T]`: no longer scraped at all. `first`: first row that counts.
    """

    row: NDArray[np.intp]
    at: Floats
    quality: Codes
    gone: Bools
    first: int
    interval: float


def now_of(ring: Ring, rings: Rings, ticks: Floats, since: float | None) -> Now:
    """Find the newest row of each tick and say in what state the ring was then."""
    times = ring.times
    interval = rings.interval_of(ring)
    first = 0 if since is None else int(np.searchsorted(times, since))
    row = np.searchsorted(times, ticks, side="right") - 1
    row[row < first] = -1
    at = np.where(row >= 0, times[row], -math.inf) if len(times) else np.full(len(ticks), -math.inf)
    tried = np.searchsorted(ring.attempts, ticks, side="right") - 1
    health = (
        np.where(tried >= 0, ring.health[tried], float(Health.GOOD))
        if len(ring.attempts)
        else np.zeros(len(ticks))
    )
    fetch, reach = rings.fetch_health(ticks)
    health = np.where((fetch != Health.GOOD) & (at <= reach), np.maximum(fetch, health), health)
    quality = _QUALITY_OF[health.astype(np.intp)]
    age = ticks - at
    quality[(quality == Quality.OK) & (age > STALE_AFTER * interval)] = Quality.STALE
    quality[(tried < 0) & (row < 0) & (quality == Quality.STALE)] = Quality.WARMING
    if ring.truncated:
        quality[quality == Quality.OK] = Quality.PARTIAL
    gone = (quality == Quality.STALE) & (age > max(GONE_AFTER, 2 * STALE_AFTER * interval)) & (row >= 0)
    return Now(row, at, quality, gone, first, interval)


def base_of(ring: Ring, now: Now, ticks: Floats, window: float) -> tuple[NDArray[np.intp], Bools, Bools]:
    """`base[T]`: the row the growth is counted from; `ok[T]`: whether there is one; `whole[T]`: it covers the window.

    It is the last sample at or before the start of the window. Where a gap pushed that one more than 1.5 scrape
    intervals out, the first sample after the start serves (a shorter window, never older data).
    """
    times = ring.times
    start = ticks - window
    base = np.searchsorted(times, start, side="right") - 1
    have = base >= now.first
    whole: Bools = have & (times[np.maximum(base, 0)] >= start - BASE_SLACK * now.interval)
    base = np.where(have & ~whole, base + 1, base)
    ok: Bools = have & (base < now.row)
    return np.clip(base, 0, max(len(times) - 1, 0)), ok, whole


def summed(rows: Floats, columns: Columns) -> Floats:
    """Sum `rows[T, columns]` by slot: `[T, K]`."""
    sums: Floats = np.add.reduceat(rows, columns.starts, axis=1)
    return sums


def cells(array: Floats, row: NDArray[np.intp], columns: Columns) -> Floats:
    """`array[row[T], columns]`."""
    if len(row) == 1:
        one: Floats = array[int(row[0])][None, columns.index]
        return one
    block: Floats = array[np.ix_(row, columns.index)]
    return block


def any_of(flags: Bools, columns: Columns) -> Bools:
    """Whether any column of a slot is set: `[T, K]`."""
    found: Bools = np.logical_or.reduceat(flags, columns.starts, axis=1)
    return found


def largest(rows: Floats, columns: Columns) -> Floats:
    """The largest number of each slot: `[T, K]`."""
    most: Floats = np.maximum.reduceat(rows, columns.starts, axis=1)
    return most
