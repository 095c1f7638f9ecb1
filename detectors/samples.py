"""Raw samples on their way in: what a telemetry source delivers, whatever its kind.

A *block* is what one target's scrapes said: all series of a target share their sample times, so values form a
matrix. A *batch* is one fetch from one source: a block per target. NaN stands for "this series was not in that
scrape"; a scrape that failed is a row with `up` 0 and NaN elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name, without `__name__`."""

Floats = NDArray[np.float64]

UP = "up"
"""The series every block carries: 1 after a scrape that worked, 0 after one that failed."""


class Series(NamedTuple):
    """One time series: metric name and labels (target labels included)."""

    name: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of one target: `times[T]` unix seconds ascending, `values[T, S]`, NaN where a series is absent."""

    target: Labels
    times: Floats
    series: tuple[Series, ...]
    values: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """One fetch from one source at `at` (unix seconds).

    `complete` is False when the answer is partial (a warning, a byte cap, half the usual lines): then nothing in
    it may count as absent, and observations from it are UNKNOWN.
    """

    source: str
    at: float
    blocks: tuple[Block, ...]
    complete: bool = True
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A fetch that gave nothing; every detector reading from `source` observes UNKNOWN at this tick."""

    source: str
    at: float
    reason: str
