"""The seasonal baseline: how far a value lies from what the same hours of other weeks came to.

Median and MAD of the same hour of the week, one direction, and nothing counts that is not far off absolutely and
relatively as well. Rows come from `detectors.hours`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from detectors.hours import EVENTS, VALUE
from detectors.robust import NORMAL, median
from detectors.samples import Floats

LEAST_SPREAD = 0.02
"""Share of the median that a deviation is at least: weeks that were all alike say nothing of how alike they must be."""
MOST = 1_000.0
"""Deviations told at most, so that a median and a MAD of 0 make no infinity."""
USUAL_FROM = 2
"""Same hours from which on their count is what is usual."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """`weeks`: same hours needed at least; `min_absolute` in the signal's unit, `min_relative` as a share of the median."""

    direction: Literal["below", "above"]
    weeks: int
    min_absolute: float
    min_relative: float
    zone: str


def normal(rows: Floats, weeks: int) -> tuple[Floats, Floats]:
    """(median, deviation) `[S]` of the values of same hours, `rows[N, 3, S]`; NaN for fewer than `weeks` of them."""
    values = rows[:, VALUE]
    middle = median(values, weeks)
    mad = median(np.abs(values - middle), weeks)
    return middle, np.maximum(NORMAL * mad, LEAST_SPREAD * np.abs(middle))


def deviations(baseline: Baseline, value: Floats, middle: Floats, spread: Floats) -> Floats:
    """How many deviations each value lies beyond the median in the baseline's direction; 0 where that is too little to
    count, NaN where either is not known. Element-wise.
    """
    sign = 1.0 if baseline.direction == "above" else -1.0
    off = sign * (value - middle)
    counts = (off > 0) & (off >= baseline.min_absolute) & (off >= baseline.min_relative * np.abs(middle))
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.where(counts, np.minimum(off / spread, MOST), 0.0)
    return np.where(np.isnan(off), np.nan, told)


def usual_count(rows: Floats, per: float) -> Floats:
    """Median events per `per` seconds in the same hours, `[S]`; NaN for fewer than two of them."""
    return median(rows[:, EVENTS], USUAL_FROM) * per / 3600.0
