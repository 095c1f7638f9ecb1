"""Statistics that a few odd values do not move: the median, and the deviation that is drawn from medians."""

from __future__ import annotations

import numpy as np

from detectors.samples import Floats

NORMAL = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation: 1 / 0.6745."""


def median(values: Floats, least: int = 1) -> Floats:
    """Median over the first axis of `values[N, …]` of what is known (not NaN), NaN where fewer than `least` are."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = (~np.isnan(values)).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1)
    middle = np.take_along_axis(ordered, np.stack([low, high]), axis=0).mean(axis=0)
    return np.where(count >= max(least, 1), middle, np.nan)
