"""Hours of wall time: which hour of which day a clock on the wall shows, in a zone that may change its offset."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.samples import Floats

HOUR = 3600.0
WEEK = 168
"""Hours."""
_QUARTER = 900.0
"""Seconds; no zone has changed its offset within a quarter of an hour since there is telemetry."""


def wall_hours(instants: Floats, zone: str) -> tuple[NDArray[np.int64], Floats]:
    """(number, start) of the wall hour of each instant (unix seconds), both `[T]`.

    `number` counts hours of local time since 1970, so that the same hour of another week is a multiple of `WEEK` away
    whatever the offset was; the hour that a clock set back shows twice has one number and two starts, and the one that
    a clock set forward leaves out has none. `start`: unix seconds.
    """
    quarters, inverse = np.unique(np.floor(instants / _QUARTER), return_inverse=True)
    offsets = np.array([_offset(zone, int(quarter)) for quarter in quarters.tolist()])[inverse]
    number = np.floor((instants + offsets) / HOUR)
    return number.astype(np.int64), number * HOUR - offsets


@lru_cache(maxsize=65_536)
def _offset(zone: str, quarter: int) -> float:
    """Seconds that the zone's wall clock is ahead of UTC."""
    ahead = datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(_zone(zone)).utcoffset()
    return 0.0 if ahead is None else ahead.total_seconds()


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
