"""What a backtest keeps of the values themselves: curves for charts, and the spans without telemetry."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from config.scope import Scope
from detectors.samples import Floats
from detectors.values import FIRST_DARK, Bools, Quality, Values, slim, whole, wide

BUCKETS = 1_000
"""Of each curve; a bucket keeps its smallest and its largest value."""
MOST_CURVES = 2_000
"""Scopes of one detector of which curves are kept."""
_GOOD = np.int8(Quality.OK)

Span = tuple[Scope, float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """`times[N]` unix seconds ascending, `values[N]`, NaN where nothing is known; at most two points a bucket."""

    times: Floats
    values: Floats


@dataclass(frozen=True, slots=True)
class Range:
    """What was known of a detector's values. `ticks`: evaluations at which something was; NaN where nothing was."""

    ticks: int
    lowest: float
    highest: float


@dataclass(slots=True)
class PastTrace:
    """Fits `Tracer`. `ticks`: how many there will be in all; `curves`: whether values are kept at all."""

    ticks: int
    curves: bool
    dark: list[Span] = field(default_factory=list)
    """Spans without telemetry that have ended: (scope, from, to)."""
    known: Range = Range(0, math.nan, math.nan)
    _open: dict[Scope, float] = field(default_factory=dict)
    _done: int = 0
    _columns: dict[Scope, int] = field(default_factory=dict)
    _at: Floats = field(init=False)
    _low: Floats = field(init=False)
    _high: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._at = np.full(BUCKETS, np.nan)
        self._low = np.full((BUCKETS, 0), np.nan)
        self._high = np.full((BUCKETS, 0), np.nan)

    def add(self, ticks: Floats, values: Values) -> None:
        """A block's values, `[T, S]`."""
        quality = slim(values.quality)
        dark, good = quality >= FIRST_DARK, quality == _GOOD
        if self._open or dark.any():
            self._note_dark(ticks, values.scopes, wide(dark, values.quality.shape))
        known = values.value if good.all() else np.where(good, values.value, np.nan)
        self._note_range(known)
        if self.curves:
            self._draw(ticks, values.scopes, known)
        self._done += len(ticks)

    def unknown(self, end: float) -> list[Span]:
        """All spans without telemetry up to `end`."""
        return [*self.dark, *((scope, since, end) for scope, since in self._open.items())]

    def curve(self, scope: Scope) -> Curve | None:
        """None when none was kept."""
        column = self._columns.get(scope)
        if column is None:
            return None
        low, high = self._low[:, column], self._high[:, column]
        drawn = ~np.isnan(self._at)
        times = np.repeat(self._at[drawn], 2)
        values = np.column_stack([low[drawn], high[drawn]]).ravel()
        return Curve(times, values)

    def _note_dark(self, ticks: Floats, scopes: tuple[Scope, ...], dark: Bools) -> None:
        for scope in self._open.keys() - set(scopes):
            self.dark.append((scope, self._open.pop(scope), float(ticks[0])))
        before = np.array([[scope in self._open for scope in scopes]], dtype=bool).reshape(1, -1)
        changed = np.vstack([before, dark[:-1]]) != dark
        for column, row in zip(*(part.tolist() for part in np.nonzero(changed.T)), strict=True):
            scope, at = scopes[column], float(ticks[row])
            if dark[row, column]:
                self._open[scope] = at
            else:
                self.dark.append((scope, self._open.pop(scope), at))

    def _note_range(self, known: Floats) -> None:
        if not known.size:
            return
        all_ = whole(known)
        there = len(known) if all_ else int((~np.isnan(known)).any(axis=1).sum())
        if there:
            lowest, highest = (known.min(), known.max()) if all_ else (np.nanmin(known), np.nanmax(known))
            self.known = Range(
                self.known.ticks + there,
                float(np.fmin(self.known.lowest, lowest)),
                float(np.fmax(self.known.highest, highest)),
            )

    def _draw(self, ticks: Floats, scopes: tuple[Scope, ...], values: Floats) -> None:
        drawn = [place for place, scope in enumerate(scopes) if scope in self._columns or self._room(scope)]
        into = [self._columns[scopes[place]] for place in drawn]
        known = values[:, drawn]
        size = max(1, math.ceil(self.ticks / BUCKETS))
        bucket = np.minimum((self._done + np.arange(len(ticks))) // size, BUCKETS - 1)
        for number in np.unique(bucket).tolist():
            rows = bucket == number
            self._at[number] = np.fmin(self._at[number], ticks[rows][0])
            for kept, best in ((self._low, np.fmin), (self._high, np.fmax)):
                kept[number, into] = best(kept[number, into], best.reduce(known[rows], axis=0))

    def _room(self, scope: Scope) -> bool:
        if len(self._columns) >= MOST_CURVES:
            return False
        self._columns[scope] = len(self._columns)
        if len(self._columns) > self._low.shape[1]:
            more = np.full((BUCKETS, max(8, self._low.shape[1])), np.nan)
            self._low, self._high = np.hstack([self._low, more]), np.hstack([self._high, more])
        return True
