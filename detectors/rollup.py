"""Hourly roll-ups: what a signal comes to in each hour of wall time, scope by scope, while its ticks pass.

An hour teaches nothing to a scope that fired in it, was pending in it and then fired, was switched off on purpose in
it, or was seen for less than half of it. Any cutting of the ticks into blocks gives the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope, scope_from_key, scope_key
from detectors.hours import Hours
from detectors.samples import Floats
from detectors.state import Transition, TransitionState
from detectors.values import Bools, Quality, Values
from detectors.wall import HOUR, wall_hours

SEEN_FROM = 0.5
"""Share of an hour that must have been seen for it to teach anything."""
DAY = 86_400.0
"""Seconds folded in at once at most: what is looked up is a week old, and by then must have been folded in."""
_KNOWN, _VALUED, _VALUE, _RATE, _SPOILT = range(5)
_TELLING = tuple(np.int8(code) for code in (Quality.OK, Quality.NO_TRAFFIC, Quality.TOO_FEW))
_GOOD = np.int8(Quality.OK)


@dataclass(slots=True)
class Rollups:
    """One detector's hours. `step`: seconds between its ticks; `window`: seconds its events are counted over, 0 for
    signals that count none.

    `sums`: `[5, S]` of the hour begun at `begun` (NaN: none). `pending`: scope -> start of the hour in which it began
    to be.
    """

    step: float
    window: float
    hours: Hours
    begun: float = math.nan
    sums: Floats = field(default_factory=lambda: np.zeros((5, 0)))
    pending: dict[Scope, float] = field(default_factory=dict)
    _columns: dict[Scope, int] = field(default_factory=dict)
    """Of the sums."""

    def fold(
        self,
        ticks: Floats,
        values: Values,
        off: Bools,
        firing: Collection[Scope],
        transitions: Iterable[Transition],
    ) -> None:
        """Take in a block of ticks, all newer than those before. `off[T, S]`: where nothing was expected.

        `firing`: scopes that fired before the first of them; `transitions`: what changed at them.
        """
        place = self._placed(values.scopes)
        kept = place >= 0
        place = place[kept]
        added = self._added(values, kept)
        burning = {scope for scope in firing if scope in self.hours.scopes}
        left = sorted(transitions, key=lambda one: one.at)
        _, starts = wall_hours(ticks, self.hours.zone)
        edges = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(ticks)]
        for begin, end in pairwise(edges):
            self._begin(float(starts[begin]))
            self._spoil(burning)
            count = sum(one.at <= ticks[end - 1] for one in left)
            for one in left[:count]:
                self._move(one, burning)
            left = left[count:]
            spoilt = self.sums[_SPOILT, place]
            self.sums[_SPOILT, place] = np.maximum(spoilt, off[begin:end, kept].any(axis=0))
            for row, rows in added.items():
                # One addend after the other, as tick by tick: a pairwise sum would round otherwise.
                summands = np.vstack([self.sums[None, row, place], rows[begin:end]])
                self.sums[row, place] = np.add.accumulate(summands, axis=0)[-1]

    def set_back(self) -> None:
        """The wall clock was set back: what is left of the running hour would be counted twice."""
        self.begun, self.pending = math.nan, {}
        self.sums[:] = 0.0

    def save(self) -> dict[str, Any]:
        """JSON-ready: the running hour."""
        return {
            "begun": None if math.isnan(self.begun) else self.begun,
            "sums": {
                scope_key(scope): self.sums[:, place].tolist()
                for scope, place in self._columns.items()
                if self.sums[:, place].any()
            },
            "pending": {scope_key(scope): at for scope, at in self.pending.items()},
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """The running hour as saved."""
        if saved["begun"] is None:
            return
        self.begun = float(saved["begun"])
        sums = {scope_from_key(key): row for key, row in saved["sums"].items()}
        for place, row in zip(self._placed(tuple(sums)).tolist(), sums.values(), strict=True):
            if place >= 0:
                self.sums[:, place] = row
        self.pending = {scope_from_key(key): float(at) for key, at in saved["pending"].items()}

    def _added(self, values: Values, kept: Bools) -> dict[int, Floats]:
        """What every tick adds to the sums, `[T, K]` each."""
        quality = values.quality[:, kept]
        known = np.logical_or.reduce([quality == code for code in _TELLING])
        value = values.value[:, kept]
        valued = (quality == _GOOD) & ~np.isnan(value)
        added = {
            _KNOWN: known.astype(np.float64),
            _VALUED: valued.astype(np.float64),
            _VALUE: np.where(valued, value, 0.0),
        }
        if self.window > 0:
            added[_RATE] = np.where(known, values.events[:, kept] / self.window, 0.0)
        return added

    def _begin(self, start: float) -> None:
        """Ticks from here on belong to this hour: the one before is finished."""
        if start != self.begun:
            if not math.isnan(self.begun):
                self._finish()
            self.begun = start
            self.sums[:] = 0.0

    def _finish(self) -> None:
        known, valued, value, rate, spoilt = self.sums
        whole = HOUR / self.step
        share = np.minimum(known / whole, 1.0)
        learnt = (share >= SEEN_FROM) & (spoilt == 0)
        if not learnt.any():
            return
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(valued / whole >= SEEN_FROM, value / valued, np.nan)
            events = rate / known * HOUR
        self.hours.keep(self.begun, np.where(learnt, np.vstack([mean, events, share]), np.nan))

    def _move(self, one: Transition, burning: set[Scope]) -> None:
        if one.scope not in self.hours.scopes:
            return
        if one.state is TransitionState.PENDING:
            self.pending[one.scope] = self.begun
        elif one.state is TransitionState.WITHDRAWN:
            self.pending.pop(one.scope, None)
        elif one.state is TransitionState.FIRED:
            self.hours.take_back(one.scope, self.pending.pop(one.scope, self.begun))
            self._spoil({one.scope})
            burning.add(one.scope)
        elif one.state is TransitionState.CLEARED:
            burning.discard(one.scope)

    def _spoil(self, scopes: Collection[Scope]) -> None:
        self.sums[_SPOILT, [self.hours.scopes[scope] for scope in scopes]] = 1.0

    def _placed(self, scopes: tuple[Scope, ...]) -> NDArray[np.intp]:
        """Columns of these scopes; the sums follow where others made room."""
        place = self.hours.placed(scopes)
        before, after = self._columns, self.hours.scopes
        if after is not before:
            sums = np.zeros((len(self.sums), len(after)))
            stays = [scope for scope in before if scope in after]
            sums[:, [after[scope] for scope in stays]] = self.sums[:, [before[scope] for scope in stays]]
            self.sums, self._columns = sums, after
            self.pending = {scope: at for scope, at in self.pending.items() if scope in after}
        return place
