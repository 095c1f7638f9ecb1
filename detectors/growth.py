"""What counters grew, row by row: exact differences of real samples.

A drop below half of the last value is a restart (the new value is all growth); a smaller dip is a glitch and adds
nothing, and what follows it is measured from the value before it, unless the counter stays down. A series that appears
in a scrape whose predecessor worked, and did not have it, started at 0; appearing after a gap, or first thing, its
start is unknown.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.buffer import Buffer
from detectors.samples import Floats
from detectors.values import Bools, whole

RESET_BELOW = 0.5
"""A counter below this share of its last value has restarted; above it, it glitched."""
_CELLS = 64_000
"""Worked out at once: what a processor's cache holds."""


class Growth:
    """Rows as the ring has them. `total[R, C]`: growth since the column began; `grew_at[R, C]`: instant of the last.

    `before[C]`: the value before the first row, NaN for columns that had none.
    """

    def __init__(self, before: Floats) -> None:
        self._before, self._top = before, before.copy()
        width = len(before)
        self._total, self._grew_at = Buffer(width, 0.0), Buffer(width, -math.inf)
        self._sum, self._changed = np.zeros(width), np.full(width, -math.inf)

    @property
    def total(self) -> Floats:
        return self._total.view

    @property
    def grew_at(self) -> Floats:
        return self._grew_at.view

    def add(self, times: Floats, rows: Floats, watched: Bools, began: float) -> None:
        """`rows[T, C]` of scrapes that worked; `watched[T]`: the scrape before did too; `began`: oldest row kept."""
        many = max(1, _CELLS // max(rows.shape[1], 1))
        for first in range(0, len(times), many):
            part = slice(first, first + many)
            self._add(times[part], rows[part], watched[part], began)

    def trim(self, count: int) -> None:
        """Forget the oldest rows."""
        self._total.trim(count)
        self._grew_at.trim(count)

    def widen(self, width: int) -> None:
        """Columns join that had no sample yet."""
        new = width - len(self._before)
        self._total.widen(width)
        self._grew_at.widen(width)
        self._before = np.concatenate([self._before, np.full(new, np.nan)])
        self._top = np.concatenate([self._top, np.full(new, np.nan)])
        self._sum = np.concatenate([self._sum, np.zeros(new)])
        self._changed = np.concatenate([self._changed, np.full(new, -math.inf)])

    def keep_columns(self, columns: NDArray[np.intp]) -> None:
        """Only these stay."""
        self._total.keep_columns(columns)
        self._grew_at.keep_columns(columns)
        self._before, self._top = self._before[columns], self._top[columns]
        self._sum, self._changed = self._sum[columns], self._changed[columns]

    def _add(self, times: Floats, rows: Floats, watched: Bools, began: float) -> None:
        known = carried(self._before, rows)
        prior, last = known[:-1], known[-1]
        calm = False
        if whole(prior) and whole(rows) and np.array_equal(self._top, self._before):
            step = rows - prior
            calm = bool(step.min() >= 0)
        if calm:
            changed = np.where(step > 0, times[:, None], -math.inf)
            self._top = last
        else:
            step, changed = self._odd(times, rows, prior, watched, began)
        step[0] += self._sum
        np.maximum(changed[0], self._changed, out=changed[0])
        np.cumsum(step, axis=0, out=step)
        np.maximum.accumulate(changed, axis=0, out=changed)
        self._total.extend(step)
        self._grew_at.extend(changed)
        self._before, self._sum, self._changed = last.copy(), step[-1].copy(), changed[-1].copy()
        self._top = self._top.copy()

    def _odd(
        self, times: Floats, rows: Floats, prior: Floats, watched: Bools, began: float
    ) -> tuple[Floats, Floats]:
        """(step, instant of the step) where something restarted, dipped, began or is missing."""
        first = np.isnan(prior) & ~np.isnan(rows)
        with np.errstate(invalid="ignore"):
            restarted = rows < RESET_BELOW * prior
            dipped = (rows < prior) & ~restarted
            top = carried(self._top, np.where(dipped, prior, rows))
            high = top[:-1]
            step = np.where(rows >= high, rows - high, np.maximum(rows - prior, 0.0))
            step = np.where(restarted, rows, step)
        step = np.where(first & watched[:, None], rows, step)
        step = np.where(np.isnan(step), 0.0, step)
        changed = np.where(step > 0, times[:, None], -math.inf)
        begins = np.where(watched, began, times)[:, None]
        changed = np.where(first & (step <= 0), begins, changed)
        self._top = top[-1]
        return step, changed


def carried(before: Floats, rows: Floats) -> Floats:
    """`before[S]`, then `rows[T, S]` with each NaN replaced by the last number above it, where there is one."""
    found = np.empty((len(rows) + 1, len(before)))
    found[0], found[1:] = before, rows
    if whole(rows):
        return found
    if len(rows) == 1:
        found[1] = np.where(np.isnan(rows[0]), before, rows[0])
        return found
    index = np.where(np.isnan(found), 0, np.arange(len(found))[:, None])
    np.maximum.accumulate(index, axis=0, out=index)
    return np.take_along_axis(found, index, axis=0)
