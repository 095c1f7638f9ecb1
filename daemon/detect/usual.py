"""How much traffic is usual per scope, learnt while there is some: so that silence is news only where it is not usual.

Kept is the count of the last few windows that ended with traffic, so the level follows a provider into its night, and
an outage, which brings no traffic, teaches nothing.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from config.scope import Scope, scope_from_key, scope_key
from detectors.observe import OK, Observations
from detectors.rings import Rings
from detectors.rule import Signal
from detectors.samples import Floats
from detectors.signals import measure
from detectors.values import Quality

_KEPT = 5
_LESSONS_PER_WINDOW = 2


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the window before the tick `row` of a block counted."""

    row: int
    scope: Scope
    count: float


@dataclass(slots=True)
class _Table:
    """`level[S]`: usual events per window, `due[S]`: when the next lesson is (unix seconds), for `scopes[S]`."""

    scopes: Sequence[Scope]
    place: Mapping[Scope, int]
    level: Floats
    due: Floats


@dataclass(slots=True)
class Usual:
    """`per`: seconds of the window counted over (`expected.per`)."""

    per: float
    counts: dict[Scope, deque[float]] = field(default_factory=dict)
    next_at: dict[Scope, float] = field(default_factory=dict)
    news: bool = False
    """Something was learnt since the last save."""
    _table: _Table | None = None
    """The same for the scopes asked about last: there may be thousands, and each learns once in many ticks."""

    def of(self, scopes: Sequence[Scope]) -> Floats:
        """Usual events per window, `[S]`; NaN for scopes nothing was learnt about. Not to be written to."""
        return self._placed(scopes).level

    def over(self, scopes: Sequence[Scope], ticks: Floats, lessons: Sequence[Lesson]) -> Floats:
        """Usual events per window at each tick, `[T, S]`, while these lessons are learnt: each counts from the next
        tick on, in a block of ticks as well as tick by tick.
        """
        usual = np.tile(self.of(scopes), (len(ticks), 1))
        if not lessons:
            return usual
        table = self._placed(scopes)
        place = table.place
        self.news = self.news or bool(lessons)
        learnt: dict[Scope, tuple[int, float]] = {}
        for lesson in lessons:
            row, scope = lesson.row + 1, lesson.scope
            self.counts.setdefault(scope, deque(maxlen=_KEPT)).append(lesson.count)
            if scope in learnt:
                since, level = learnt[scope]
                usual[since:row, place[scope]] = level
            learnt[scope] = row, statistics.median(self.counts[scope])
        for scope, (since, level) in learnt.items():
            usual[since:, place[scope]] = table.level[place[scope]] = level
        return usual

    def lessons(self, signal: Signal, rings: Rings, ticks: Floats, seen: Observations) -> list[Lesson]:
        """The windows before ticks that saw traffic, counted twice per window and scope; in order of time.

        `seen`: as if any amount were usual, so that what is usual does not decide what is learnt.
        """
        lively = (seen.fire == OK) & ~seen.excused
        table = self._placed(seen.scopes)
        lively &= ticks[:, None] >= table.due
        at = np.flatnonzero(lively.any(axis=1))
        if not len(at):
            return []
        wide = replace(signal, window=self.per, widen_to=self.per, events=0.0)
        values = measure(wide, rings, ticks[at], expected=seen.scopes)
        place = {scope: column for column, scope in enumerate(values.scopes)}
        found: list[Lesson] = []
        for column, scope in enumerate(seen.scopes):
            counted = values.quality[:, place[scope]] == int(Quality.OK)
            events, next_at = values.events[:, place[scope]], -math.inf
            told = np.flatnonzero(lively[at, column] & counted)
            times, index = ticks[at[told]], 0
            while index < len(told):
                next_at = float(times[index]) + self.per / _LESSONS_PER_WINDOW
                found.append(Lesson(int(at[told[index]]), scope, float(events[told[index]])))
                index = int(times.searchsorted(next_at))
            if next_at > -math.inf:
                self.next_at[scope] = table.due[column] = next_at
        return sorted(found, key=lambda lesson: lesson.row)

    def set_back(self) -> None:
        """The wall clock was set back: every scope may learn at once."""
        self.next_at.clear()
        self._table = None

    def save(self) -> dict[str, Any]:
        """JSON-ready: per scope the counts, and when the next one is due."""
        self.news = False
        return {
            scope_key(scope): {"counts": list(kept), "next_at": self.next_at.get(scope)}
            for scope, kept in self.counts.items()
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """What was learnt before the restart; what an older release kept in another form is learnt anew."""
        self._table = None
        for key, kept in saved.items():
            if not isinstance(kept, Mapping):
                continue
            scope = scope_from_key(key)
            self.counts[scope] = deque((float(count) for count in kept["counts"]), maxlen=_KEPT)
            if kept["next_at"] is not None:
                self.next_at[scope] = float(kept["next_at"])

    def _placed(self, scopes: Sequence[Scope]) -> _Table:
        if self._table is None or self._table.scopes != scopes:
            levels = (
                statistics.median(kept) if (kept := self.counts.get(one)) else math.nan for one in scopes
            )
            due = (self.next_at.get(scope, -math.inf) for scope in scopes)
            place = {scope: column for column, scope in enumerate(scopes)}
            self._table = _Table(scopes, place, np.array([*levels]), np.array([*due]))
        return self._table
