"""How fast a gauge grows: a line through its real samples, by least squares, as PromQL's `deriv` draws it.

Every series is fitted by itself, because targets are scraped at different instants, and what comes out is combined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.layout import Columns, Plan
from detectors.ring import Ring
from detectors.rule import Signal
from detectors.samples import Floats
from detectors.values import Bools, whole
from detectors.windows import Base, Moment, Now, any_of, cells, summed

LEAST_COVER = 0.5
"""Share of a window's scrapes that must hold a sample, so that two late ones are not taken for a trend."""
_EMPTY = {"max": -np.inf, "min": np.inf, "sum": 0.0, "avg": 0.0}


@dataclass(slots=True)
class _Sums:
    """What least squares needs, summed sample by sample. Times count from the tick, values from the newest one: all
    stay small, and a gauge that stands still grows by exactly 0. `count`, `t` and `tt` are `[T, 1]` where no sample is
    missing, and come to the same.
    """

    count: Floats
    t: Floats
    y: Floats
    tt: Floats
    ty: Floats

    @classmethod
    def empty(cls, shape: tuple[int, ...], *, whole: bool) -> _Sums:
        same = (shape[0], 1) if whole else shape
        return cls(np.zeros(same), np.zeros(same), np.zeros(shape), np.zeros(same), np.zeros(shape))

    def add(self, t: Floats, y: Floats, there: Bools) -> None:
        """One sample of each column. `t[T, 1]`; `y[T, C]`; `there`: which of them count, as wide as `count`."""
        if not there.all():
            t, y = np.where(there, t, 0.0), np.where(there, y, 0.0)
        self.count += there
        self.t += t
        self.y += y
        self.tt += t * t
        self.ty += t * y

    def slope(self) -> Floats:
        """Units per second `[T, C]`; NaN for fewer than two samples."""
        spread = self.count * self.tt - self.t * self.t
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.count > 1, (self.count * self.ty - self.t * self.y) / spread, np.nan)


def slopes(signal: Signal, plan: Plan, moment: Moment) -> tuple[Floats, Bools]:
    """(units per second, warm) `[T, S]`: the slopes of a scope's series combined by the signal's `agg`.

    Warm: some series' window reaches back beyond its first sample, or holds too few samples to draw a line through.
    """
    shape = (len(moment.ticks), len(plan.scopes))
    combine = {"max": np.maximum, "min": np.minimum}.get(signal.agg, np.add)
    total, count = np.full(shape, _EMPTY[signal.agg]), np.zeros(shape)
    warm = np.zeros(shape, dtype=bool)
    for part in plan.parts:
        ring, columns = part.ring, part.of
        if not columns or not len(ring.times):
            continue
        now, base, slots = moment.now[id(ring)], moment.base(ring, signal.window), columns.slots
        present = ~np.isnan(cells(ring.value, now.row, columns)) & now.usable[:, None]
        slope, covered = _fitted(ring, now, base, columns, moment.ticks, signal.window)
        known = present & covered
        warm[:, slots] |= any_of(present & ~covered, columns)
        filled = np.where(known, slope, _EMPTY[signal.agg])
        total[:, slots] = combine(total[:, slots], combine.reduceat(filled, columns.starts, axis=1))
        count[:, slots] += summed(known.astype(np.float64), columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = total / count if signal.agg == "avg" else total
    return np.where((count > 0) & ~warm, value, np.nan), warm


def _fitted(
    ring: Ring, now: Now, base: Base, columns: Columns, ticks: Floats, window: float
) -> tuple[Floats, Bools]:
    """(slope, covered) `[T, C]`. Sample by sample, newest first, so that a block of ticks sums as a single one does."""
    newest = cells(ring.value, now.row, columns)
    back = np.where(base.ok, now.row - base.row, -1)
    begin = int((now.row - back)[base.ok].min(initial=len(ring.times)))
    no_gap = whole(ring.value[begin : int(now.row.max()) + 1, columns.index])
    sums = _Sums.empty(newest.shape, whole=no_gap)
    for steps in range(int(back.max(initial=-1)) + 1):
        row = np.maximum(now.row - steps, 0)
        value = cells(ring.value, row, columns) - newest
        within = (steps <= back)[:, None]
        sums.add((ring.times[row] - ticks)[:, None], value, within if no_gap else within & ~np.isnan(value))
    begun = ring.first_seen[columns.index] <= base.at[:, None]
    needed = np.maximum(2.0, LEAST_COVER * window / np.maximum(now.interval, 1e-3))[:, None]
    return sums.slope(), base.ok[:, None] & begun & (sums.count >= needed)
