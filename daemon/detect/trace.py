"""The recent values of a detector, for charts: bounded in time and in points, apart from the raw samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.buffer import Buffer
from detectors.samples import Floats
from detectors.values import Quality, Values

SPAN = 2 * 3600.0
"""Seconds kept."""
SPACING = 1.0
"""Seconds between kept values at least; detectors may tick faster."""
MAX_POINTS = 720
"""Points of one chart."""
_MAX_CELLS = 400_000
"""Values kept in all: 3 MB a detector."""
_SPARE = 100
_GOOD = np.int8(Quality.OK)


@dataclass(frozen=True, slots=True)
class Chart:
    """One detector at one scope. `values` has None where nothing is known; `unknown`: those spans, (from, to).

    `fire`, `clear`: where the threshold lines lie. All instants are unix seconds.
    """

    detector: str
    scope: Scope
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    fire: float
    clear: float
    unknown: tuple[tuple[float, float], ...]
    threshold: str


class Tracer(Protocol):
    """Is told every block of values that a detector looked at."""

    def add(self, ticks: Floats, values: Values) -> None: ...


class Trace:
    """Value per tick and scope; NaN where the value cannot be trusted. With very many scopes it reaches less far."""

    def __init__(self) -> None:
        self._times, self._values = Buffer(), Buffer(0)
        self._columns: dict[Scope, int] = {}
        self._placed: tuple[tuple[Scope, ...], NDArray[np.intp]] = ((), np.empty(0, dtype=np.intp))

    def add(self, ticks: Floats, values: Values) -> None:
        """Keep a block's values, thinned to one in `SPACING` seconds."""
        last = float(self._times.view[-1]) if len(self._times) else -math.inf
        kept = []
        for index, tick in enumerate(ticks.tolist()):
            if tick - last >= SPACING:
                kept.append(index)
                last = tick
        if not kept:
            return
        columns = self._place(values.scopes)
        rows = np.full((len(kept), len(self._columns)), np.nan)
        rows[:, columns] = np.where(values.quality[kept] == _GOOD, values.value[kept], np.nan)
        self._times.extend(ticks[kept])
        self._values.extend(rows)
        most = max(_MAX_CELLS // max(len(self._columns), 1), 2)
        times = self._times.view
        if times[0] < last - SPAN or len(times) > most:
            gone = max(int(times.searchsorted(last - SPAN)), len(times) - most)
            self._times.trim(gone)
            self._values.trim(gone)

    def cut(self, scope: Scope, since: float, until: float) -> tuple[list[float], list[float]]:
        """(times, values) within the span, at most `MAX_POINTS`: of each bucket the value furthest from its mean."""
        column = self._columns.get(scope)
        if column is None:
            return [], []
        first, last = np.searchsorted(self._times.view, [since, until + 1e-9])
        times, values = self._times.view[first:last], self._values.view[first:last, column]
        if len(times) <= MAX_POINTS:
            return times.tolist(), values.tolist()
        chosen = []
        for bucket in np.array_split(np.arange(len(times)), MAX_POINTS):
            inner = values[bucket]
            unknown = np.isnan(inner)
            if unknown.any():  # blind time is drawn, never averaged away
                chosen.append(int(bucket[int(unknown.argmax())]))
            else:
                chosen.append(int(bucket[int(np.abs(inner - inner.mean()).argmax())]))
        return times[chosen].tolist(), values[chosen].tolist()

    def sparks(self, since: float, until: float, most: int) -> tuple[dict[Scope, int], Floats]:
        """(column of each scope, values `[N, S]`) of all scopes at once, at most `most` rows: of each bucket an unknown
        value first, then the largest. Not to be written to.
        """
        first, last = np.searchsorted(self._times.view, [since, until + 1e-9])
        values = self._values.view[first:last]
        if len(values) > most:
            starts = np.arange(most) * len(values) // most
            values = np.maximum.reduceat(values, starts, axis=0)
        return self._columns, values

    def _place(self, scopes: tuple[Scope, ...]) -> NDArray[np.intp]:
        """Columns of these scopes. When most columns are of scopes long gone, all is forgotten and begun anew."""
        if self._placed[0] == scopes:
            return self._placed[1]
        new = [scope for scope in scopes if scope not in self._columns]
        if new and len(self._columns) + len(new) > 2 * len(scopes) + _SPARE:
            self._times, self._values, self._columns = Buffer(), Buffer(0), {}
            new = list(scopes)
        for scope in new:
            self._columns[scope] = len(self._columns)
        if new:
            self._values.widen(len(self._columns))
        placed = np.array([self._columns[scope] for scope in scopes], dtype=np.intp)
        self._placed = (scopes, placed)
        return placed


def unknown_spans(times: list[float], values: list[float]) -> tuple[tuple[float, float], ...]:
    """Spans without a known value, each from the last known point to the next."""
    spans: list[tuple[float, float]] = []
    begin: float | None = None
    for index, (at, value) in enumerate(zip(times, values, strict=True)):
        if math.isnan(value):
            if begin is None:
                begin = times[index - 1] if index else at
        elif begin is not None:
            spans.append((begin, at))
            begin = None
    if begin is not None:
        spans.append((begin, times[-1]))
    return tuple(spans)
