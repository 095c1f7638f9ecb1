"""What a signal measured: values per tick and scope, and how far each can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.samples import Floats

Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]


class Quality(IntEnum):
    """Why a value can or cannot be trusted. All but OK make the observation UNKNOWN."""

    UNBORN = -1
    """Before the scope's first sample, and nobody expected it: not there yet."""
    OK = 0
    NO_TRAFFIC = 1
    """Everything is there and nothing happened: no attempts, so no ratio."""
    TOO_FEW = 2
    """Fewer events than the minimum, in the widest window too."""
    WARMING = 3
    """History does not reach back to the start of the window yet."""
    ABSENT = 4
    """The scrape worked and the series is not in it."""
    STALE = 5
    """The newest sample is older than two scrape intervals."""
    PARTIAL = 6
    """The source answered in part."""
    DOWN = 7
    """The scrape or the query failed."""
    SKEWED = 8
    """Samples more than 30 s in the future."""
    NO_EDGE = 9
    """The bound is no bucket edge, so the share over it is not known."""


DARK = frozenset(
    {Quality.ABSENT, Quality.STALE, Quality.PARTIAL, Quality.DOWN, Quality.SKEWED, Quality.NO_EDGE}
)
"""Qualities in which telemetry is missing; in the others it says that there is nothing to judge."""
FIRST_DARK = np.int8(min(DARK))
"""Those are the codes from this one on."""

REASONS: dict[Quality, str] = {
    Quality.UNBORN: "not seen yet",
    Quality.OK: "",
    Quality.NO_TRAFFIC: "no traffic",
    Quality.TOO_FEW: "too few events to judge",
    Quality.WARMING: "history too short yet",
    Quality.ABSENT: "series absent",
    Quality.STALE: "no new samples",
    Quality.PARTIAL: "answer incomplete",
    Quality.DOWN: "scrape failed",
    Quality.SKEWED: "samples from the future",
    Quality.NO_EDGE: "the bound is no bucket edge",
}
"""As a person reads it."""


def wide(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """`array[T, 1]` (or `[1, 1]`) as one of this shape that says the same of every scope: a view, not to be written to."""
    return array if array.shape == shape else np.broadcast_to(array, shape)


def slim(array: NDArray[Any]) -> NDArray[Any]:
    """What `wide` was made of: one column where an array is known to say the same of every scope; else the array itself.

    Most blocks are whole: every sample there, every target well. Then one column stands for thousands of scopes.
    """
    return array[:, :1] if array.ndim == 2 and array.shape[1] and not array.strides[1] else array


_FEW = 2_000


def whole(array: Floats) -> bool:
    """Whether no number is missing: a single NaN makes the sum one. One pass, and for many no array of flags."""
    if array.size < _FEW:
        return not np.isnan(array).any()
    with np.errstate(over="ignore", invalid="ignore"):
        return not np.isnan(array.sum())


@dataclass(frozen=True, slots=True)
class Values:
    """A signal at `ticks[T]` for `scopes[S]`; all arrays are `[T, S]`, and not to be written to (see `slim`).

    `value`: NaN where nothing could be computed; where quality is bad, what the healthy targets alone say.
    `events`: what the value rests on (attempts, requests, growth), 0 for gauges. `quality`: codes of `Quality`.
    `observed_at`: unix seconds of the newest sample behind it, of the worst target; NaN when none.
    `last_change`: unix seconds of the last growth seen (counters), NaN when not known or no counter.
    `moving`: the newest sample of some healthy target brought growth.
    `fresh`: False where only a widened window speaks and the newest attempts in it all succeeded.
    `interval`: scrape interval in seconds, of the slowest target; `[T]`, or one number for all ticks.
    """

    scopes: tuple[Scope, ...]
    value: Floats
    events: Floats
    quality: Codes
    observed_at: Floats
    last_change: Floats
    moving: Bools
    fresh: Bools
    interval: Floats | float

    def rows(self, part: slice) -> Values:
        """The same for some of the ticks."""
        return Values(
            self.scopes,
            self.value[part],
            self.events[part],
            self.quality[part],
            self.observed_at[part],
            self.last_change[part],
            self.moving[part],
            self.fresh[part],
            self.interval if isinstance(self.interval, float) else self.interval[part],
        )
