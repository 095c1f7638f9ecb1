"""Who should be there and who is switched off: the inventory's lists, what was seen lately, suspended scopes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import numpy as np

from config.probes import ProbeSpec
from config.scope import Scope, scope_of
from detectors.expected import listed_scopes
from detectors.observe import switched_off
from detectors.rings import Rings
from detectors.rule import Signal
from detectors.samples import Floats
from detectors.signals import measure
from detectors.spec import Inventory, SeenWithin
from detectors.values import Bools, Quality, wide

Lists = tuple[tuple[str, frozenset[str]], ...]
"""Label -> the values that should be there, for the labels whose members are listed by name."""

_SCOPE_LABEL = re.compile(r"\bscope\.([A-Za-z_][A-Za-z0-9_]*)|\bscope\[['\"]([A-Za-z_][A-Za-z0-9_]*)['\"]\]")
_GOOD, _ABSENT, _UNBORN = np.int8(Quality.OK), np.int8(Quality.ABSENT), np.int8(Quality.UNBORN)
_MAX_SEEN = 20_000
_MAX_SCOPES = 500
_REFRESH = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Suspension:
    """Who is switched off on purpose, tick by tick: from row `begins[i]` on, `off[i]`."""

    begins: tuple[int, ...] = (0,)
    off: tuple[frozenset[Scope], ...] = (frozenset(),)

    @classmethod
    def of(cls, scopes: Sequence[Scope], off: Bools) -> Suspension:
        """From `off[T, K]` for `scopes[K]`."""
        changes = np.flatnonzero((off[1:] != off[:-1]).any(axis=1)) + 1
        begins = (0, *changes.tolist())
        return cls(
            begins, tuple(frozenset(scopes[k] for k in np.flatnonzero(off[row]).tolist()) for row in begins)
        )

    def rows(self, first: int) -> Suspension:
        """From this row on."""
        place = bisect_right(self.begins, first) - 1
        return Suspension((0, *(begin - first for begin in self.begins[place + 1 :])), self.off[place:])

    def over(self, scopes: tuple[Scope, ...], ticks: int) -> Bools:
        """`[T, S]`: whether one that is switched off covers the scope."""
        if not any(self.off):
            return wide(np.zeros((1, 1), dtype=bool), (ticks, len(scopes)))
        out = np.zeros((ticks, len(scopes)), dtype=bool)
        for (begin, end), off in zip(pairwise((*self.begins, ticks)), self.off, strict=True):
            if off and begin < ticks:
                out[begin:end] = switched_off(scopes, off)
        return out


NOBODY = Suspension()


@dataclass(slots=True)
class Members:
    """Label values by when they were last seen; what the inventory lists is always there.

    `news`: something was seen for the first time, or long ago, since the last save.
    """

    inventory: Inventory
    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    suspended: frozenset[Scope] = frozenset()
    news: bool = False
    _listed: tuple[Inventory, Lists, dict[Signal, tuple[Scope, ...]]] | None = None
    """What the inventory lists by name, worked out once."""
    _noted: dict[str, tuple[tuple[Scope, ...], bytes, float]] = field(default_factory=dict)

    def note(self, who: str, scopes: tuple[Scope, ...], seen_at: Floats, now: float) -> None:
        """Remember the labels of the scopes that were there (`seen_at[S]`, NaN: not there), as `who` (a detector) saw."""
        there = np.isfinite(seen_at)
        before = self._noted.get(who)
        shape = there.tobytes()
        if before is not None and before[:2] == (scopes, shape) and now - before[2] < _REFRESH:
            return
        self._noted[who] = (scopes, shape, now)
        for index in np.flatnonzero(there):
            for label, value in scopes[index]:
                self._note(label, value, float(seen_at[index]))

    def values(self, label: str, now: float) -> tuple[str, ...]:
        """Known values of a label: listed, and seen within its time (without one: seen since start)."""
        rule = self.inventory.labels.get(label)
        listed = rule if isinstance(rule, tuple) else ()
        within = rule.seen_within + _REFRESH if isinstance(rule, SeenWithin) else np.inf
        seen = (value for value, at in self.seen.get(label, {}).items() if now - at <= within)
        return tuple(sorted({*listed, *seen}))

    def expected(self, signal: Signal, now: float) -> tuple[Scope, ...]:
        """Scopes that should be there for a signal: listed by name, or seen lately where the inventory says so."""
        rules = self.inventory.labels
        if not any(isinstance(rules.get(label), SeenWithin) for label in signal.by):
            _, _, scopes = self._by_name()
            if signal not in scopes:
                scopes[signal] = listed_scopes(signal, rules)
            return scopes[signal]
        lately = {
            label: self.values(label, now) if isinstance(rule, SeenWithin) else rule
            for label, rule in rules.items()
        }
        return listed_scopes(signal, lately)

    @property
    def lists(self) -> Lists:
        """Labels whose members are listed by name."""
        return self._by_name()[1]

    def suspension(self, rings: Mapping[str, Rings], default: str, ticks: Floats) -> Suspension:
        """Who is switched off at `ticks[T]`; where that cannot be read, the last known ones stay so."""
        rule = self.inventory.suspended
        source = rings.get((rule.source or default) if rule else "")
        if rule is None or source is None:
            return NOBODY
        values = measure(suspended_signal(rule.of, rule.by), source, ticks)
        if not values.scopes:
            return NOBODY
        quality = values.quality
        known = (quality == _GOOD) | (quality == _ABSENT) | (quality == _UNBORN)
        before = np.array([[scope in self.suspended for scope in values.scopes]], dtype=bool)
        with np.errstate(invalid="ignore"):
            told = np.vstack([before.reshape(1, -1), known & (values.value > 0)])
        row = np.where(
            np.vstack([np.ones_like(before, dtype=bool).reshape(1, -1), known]),
            np.arange(len(told))[:, None],
            0,
        )
        np.maximum.accumulate(row, axis=0, out=row)
        return Suspension.of(values.scopes, np.take_along_axis(told, row, axis=0)[1:])

    def probe_scopes(self, spec: ProbeSpec, now: float) -> tuple[Scope, ...]:
        """The scopes a probe is asked about: every combination of the labels its address names."""
        labels = sorted(scope_labels(spec))
        combinations = product(*(self.values(label, now) for label in labels))
        found = (scope_of(zip(labels, values, strict=True)) for values in combinations)
        return tuple(scope for scope, _ in zip(found, range(_MAX_SCOPES), strict=False))

    def save(self) -> dict[str, Any]:
        """JSON-ready: what was seen of labels whose members are remembered."""
        self.news = False
        return {label: dict(values) for label, values in self.seen.items() if self._remembered(label)}

    def restore(self, saved: Mapping[str, Mapping[str, float]]) -> None:
        for label, values in saved.items():
            known = self.seen.setdefault(label, {})
            for value, at in values.items():
                known[value] = max(float(at), known.get(value, 0.0))

    def _by_name(self) -> tuple[Inventory, Lists, dict[Signal, tuple[Scope, ...]]]:
        """(inventory, lists, scopes listed for each signal that was asked about)."""
        if self._listed is None or self._listed[0] is not self.inventory:
            rules = self.inventory.labels.items()
            lists = tuple((label, frozenset(rule)) for label, rule in rules if isinstance(rule, tuple))
            self._listed = (self.inventory, lists, {})
        return self._listed

    def _note(self, label: str, value: str, now: float) -> None:
        known = self.seen.setdefault(label, {})
        before = known.get(value)
        if before is None and len(known) >= _MAX_SEEN:
            return
        if before is None or now - before >= _REFRESH:
            self.news = self.news or self._remembered(label)
            known[value] = now

    def _remembered(self, label: str) -> bool:
        return isinstance(self.inventory.labels.get(label), SeenWithin)


@lru_cache(maxsize=64)
def strangers(scopes: tuple[Scope, ...], lists: Lists) -> Bools:
    """`[S]`: scopes with a label that the inventory lists, and not with this value: nobody misses them when they go."""
    known = dict(lists)
    return np.array(
        [any(label in known and value not in known[label] for label, value in scope) for scope in scopes],
        dtype=bool,
    )


def suspended_signal(of: str, by: tuple[str, ...]) -> Signal:
    """The gauge that says who is switched off."""
    return Signal("gauge", (of,), by=by)


def scope_labels(spec: ProbeSpec) -> frozenset[str]:
    """Labels of the scope that a probe's templates name."""
    texts = [str(value) for value in spec.question.model_dump().values()]
    return frozenset(first or second for text in texts for first, second in _SCOPE_LABEL.findall(text))
