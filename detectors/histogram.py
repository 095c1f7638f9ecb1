"""Quantiles of bucketed counts."""

from __future__ import annotations

import numpy as np

from detectors.samples import Floats


def quantiles(counts: Floats, edges: Floats, q: float) -> Floats:
    """`q`-quantile `[T, S]` of cumulative `counts[T, S, E]` with upper `edges[S, E]`, ascending, padded with inf.

    Linear inside the bucket, the lowest bucket starting at 0; in the bucket without an upper edge the answer is
    the highest finite edge. NaN where there are no counts. The rule is Prometheus's `histogram_quantile`
    (promql/quantile.go, bucketQuantile).
    """
    total = counts[:, :, -1:]
    rank = q * total
    bucket = (counts < rank).sum(axis=2, keepdims=True)
    spread = np.broadcast_to(edges, counts.shape)
    finite = np.isfinite(edges).sum(axis=1)
    top = np.take_along_axis(edges, np.maximum(finite - 1, 0)[:, None], axis=1)[:, 0]
    upper = np.take_along_axis(spread, bucket, axis=2)[:, :, 0]
    below = np.maximum(bucket - 1, 0)
    has_lower = bucket[:, :, 0] > 0
    lower = np.where(has_lower, np.take_along_axis(spread, below, axis=2)[:, :, 0], 0.0)
    before = np.where(has_lower, np.take_along_axis(counts, below, axis=2)[:, :, 0], 0.0)
    inside = np.take_along_axis(counts, bucket, axis=2)[:, :, 0] - before
    with np.errstate(invalid="ignore", divide="ignore"):
        value = lower + (upper - lower) * (rank[:, :, 0] - before) / inside
        value = np.where((bucket[:, :, 0] == 0) & (upper <= 0), upper, value)
        value = np.where(inside == 0, lower, value)
    value = np.where(np.isinf(upper), np.where(finite > 0, top, np.nan), value)
    return np.where(total[:, :, 0] > 0, value, np.nan)
