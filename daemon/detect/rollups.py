"""What one detector learns hour by hour, and what it makes of it: usual counts, and values against their baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from config.scope import Scope
from detectors.baseline import deviations, normal, usual_count
from detectors.hours import Hour, Hours
from detectors.rollup import Rollups
from detectors.rule import Rule, Signal
from detectors.samples import Floats
from detectors.state import Phase, State, Transition
from detectors.values import FIRST_DARK, Bools, Quality, Values
from detectors.wall import HOUR, WEEK, wall_hours

MOST_WEEKS = 8
"""A baseline looks back that far at most, see its `weeks`."""
KEPT = (MOST_WEEKS + 1) * WEEK * HOUR + 24 * HOUR
"""Seconds for which finished hours are kept in the store."""
_WEEKS_OF_USUAL = 4
_GOOD, _WARMING, _UNBORN = np.int8(Quality.OK), np.int8(Quality.WARMING), np.int8(Quality.UNBORN)
_FIRING = np.int8(Phase.FIRING)
_GATES = frozenset({"events", "widen_to"})
"""Fields of a signal that say when it is judged, not what it is."""


@dataclass(slots=True)
class Seasons:
    """`signal`: what the detector measures; hours of another signal teach nothing."""

    rule: Rule
    signal: str
    rollups: Rollups

    @classmethod
    def of(cls, rule: Rule) -> Seasons | None:
        """None for a detector that learns nothing by the hour."""
        if rule.baseline is None and rule.expected is None:
            return None
        hours = Hours(_zone(rule), _weeks(rule))
        return cls(rule, signal_key(rule.signal), Rollups(rule.step, rule.signal.window, hours))

    def under(self, rule: Rule) -> Seasons | None:
        """The same under a changed rule: what was learnt of the same signal stays."""
        new = Seasons.of(rule)
        if new is None or new.signal != self.signal:
            return new
        new.rollups.hours = self.rollups.hours.in_zone(_zone(rule), _weeks(rule))
        if new.rollups.step == self.rollups.step and _zone(rule) == self.rollups.hours.zone:
            new.rollups.restore(self.rollups.save())
        return new

    def usual(self, scopes: tuple[Scope, ...], ticks: Floats) -> Floats:
        """Usual events per `expected.per` at each tick, `[T, S]`; NaN where too few of the same hours are known."""
        per = self.rule.expected.per if self.rule.expected else HOUR
        numbers, row = self._hours_of(ticks)
        counts: Floats = np.stack([usual_count(self._same(one, scopes), per) for one in numbers])[row]
        return counts

    def against(self, ticks: Floats, values: Values) -> Values:
        """The values as deviations from their baseline; those of a detector without one as they are.

        Where too few of the same hours are known it is warming; a scope that cannot have had enough yet is not there for
        this detector, and nobody waits for it.
        """
        baseline = self.rule.baseline
        if baseline is None:
            return values
        numbers, row = self._hours_of(ticks)
        told = [normal(self._same(one, values.scopes), baseline.weeks) for one in numbers]
        middle, spread = (np.stack(part)[row] for part in zip(*told, strict=True))
        good = values.quality == _GOOD
        off = deviations(baseline, np.where(good, values.value, np.nan), middle, spread)
        first = self.rollups.hours.first_of(values.scopes)
        young = (np.array(numbers)[:, None] - first < baseline.weeks * WEEK)[row]
        unknown = np.isnan(middle)
        quality = np.where(good & unknown, _WARMING, values.quality)
        quality = np.where(unknown & young & (quality < FIRST_DARK), _UNBORN, quality)
        return replace(values, value=off, quality=quality)

    def fold(
        self, ticks: Floats, values: Values, off: Bools, before: State, moves: Iterable[Transition]
    ) -> None:
        """Learn from a block. `values`: of the plain signal; `off[T, S]`: where nothing was expected; `before`: where
        the detector stood until then.
        """
        firing = [before.scopes[place] for place in np.flatnonzero(before.phase == _FIRING).tolist()]
        self.rollups.fold(ticks, values, off, firing, moves)

    def news(self) -> tuple[Hour, ...]:
        """Hours that are not kept yet as they are now."""
        return self.rollups.hours.news(self.rule.name, self.signal)

    def kept(self, start: float) -> None:
        """The hour that began then was written."""
        self.rollups.hours.unwritten.discard(start)

    def remember(self, hours: Iterable[Hour]) -> None:
        """What was learnt before the restart, of the same signal."""
        self.rollups.hours.remember(hour for hour in hours if hour.signal == self.signal)

    def save(self) -> dict[str, Any]:
        """JSON-ready: the running hour."""
        return {"signal": self.signal, "step": self.rollups.step, **self.rollups.save()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """The running hour, if it is one of the same signal and pace."""
        if (saved["signal"], saved["step"]) == (self.signal, self.rollups.step):
            self.rollups.restore(saved)

    def _hours_of(self, ticks: Floats) -> tuple[list[int], Any]:
        numbers, _ = wall_hours(ticks, self.rollups.hours.zone)
        unique, row = np.unique(numbers, return_inverse=True)
        return unique.tolist(), row

    def _same(self, number: int, scopes: tuple[Scope, ...]) -> Floats:
        return self.rollups.hours.same(number, scopes)


def signal_key(signal: Signal) -> str:
    """Tells one measured quantity from another, also in later releases: by what is said of it, not by defaults."""
    told = [
        f"{field.name}={getattr(signal, field.name)!r}"
        for field in fields(signal)
        if field.name not in _GATES and getattr(signal, field.name) != field.default
    ]
    return hashlib.sha256("|".join(told).encode()).hexdigest()[:16]


def _zone(rule: Rule) -> str:
    if rule.baseline is not None:
        return rule.baseline.zone
    return rule.expected.zone if rule.expected else "UTC"


def _weeks(rule: Rule) -> int:
    own = rule.baseline.weeks if rule.baseline else 0
    return max(own, _WEEKS_OF_USUAL if rule.expected else 0)
