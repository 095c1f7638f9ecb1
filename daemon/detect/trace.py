"""The recent values of a detector, for charts: bounded in time and in points, apart from the raw samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from config.scope import Scope
from detectors.samples import Floats
from detectors.values import Quality, Values

SPAN = 2 * 3600.0
"""Seconds kept."""
SPACING = 5.0
"""Seconds between kept values at least; detectors may tick faster."""
MAX_POINTS = 720
"""Points of one chart."""
_QUIET_QUALITIES = (Quality.NO_TRAFFIC, Quality.TOO_FEW)


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


@dataclass(slots=True)
class _Line:
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """Value per tick and scope; NaN where the value cannot be trusted."""

    lines: dict[Scope, _Line] = field(default_factory=dict)
    last: float = -math.inf

    def add(self, ticks: Floats, values: Values) -> None:
        """Keep a block's values, thinned to one in `SPACING` seconds."""
        kept = []
        for index, tick in enumerate(ticks):
            if tick - self.last >= SPACING:
                kept.append(index)
                self.last = float(tick)
        if not kept:
            return
        shown = np.where(values.quality == Quality.OK, values.value, np.nan)[kept]
        times = [float(ticks[index]) for index in kept]
        for column, scope in enumerate(values.scopes):
            line = self.lines.setdefault(scope, _Line())
            line.times += times
            line.values += shown[:, column].tolist()
        self._forget(self.last - SPAN)

    def cut(self, scope: Scope, since: float, until: float) -> tuple[list[float], list[float]]:
        """(times, values) within the span, at most `MAX_POINTS`: of each bucket the value furthest from its mean."""
        line = self.lines.get(scope, _Line())
        times, values = np.array(line.times), np.array(line.values)
        inside = (times >= since) & (times <= until)
        times, values = times[inside], values[inside]
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

    def _forget(self, before: float) -> None:
        for scope, line in [*self.lines.items()]:
            if line.times and line.times[0] < before - SPAN / 8:
                gone = int(np.searchsorted(line.times, before))
                line.times, line.values = line.times[gone:], line.values[gone:]
            if not line.times:
                del self.lines[scope]


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
