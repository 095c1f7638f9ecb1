"""Blocks cut to a span of time: what a recording or a cache keeps is laid out once and handed out in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from detectors.samples import Block


def between(blocks: Iterable[Block], begin: float, end: float) -> Iterator[Block]:
    """Rows after `begin` up to `end` (unix seconds), without the series that have no sample among them."""
    for block in blocks:
        first, last = np.searchsorted(block.times, [begin, end], side="right")
        if last > first:
            yield _present(block, slice(int(first), int(last)))


def _present(block: Block, rows: slice) -> Block:
    values = block.values[rows]
    absent = np.flatnonzero(np.isnan(values[0]) & np.isnan(values[-1]))
    if len(absent):
        absent = absent[np.isnan(values[:, absent]).all(axis=0)]
    series = block.series
    if len(absent):
        kept = np.setdiff1d(np.arange(len(series)), absent, assume_unique=True)
        series, values = tuple(series[column] for column in kept.tolist()), values[:, kept]
    return Block(block.target, block.times[rows], series, values)
