"""Checkpoints: what of detection outlives a restart, as rows by (owner, scope), and when it is worth a write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.scope import WHOLE, Scope, scope_from_key, scope_key, scope_of
from daemon.detect.evaluation import Evaluation
from detectors.state import save, save_unseen

EVERY = 5.0
"""Seconds between writes while no detector changes its state."""
ROWS_A_SECOND = 100.0
"""Rows written on average at most: thousands of scopes that fail at once are written less often. After a kill what came
since is read back, or, where a source tells no history, was not seen.
"""
FEW = EVERY * ROWS_A_SECOND
"""Rows up to which a change of state is written at once."""
LESSONS_EVERY = 600.0
"""Seconds between writes of what is merely usual."""
USUAL, HOURS, SEEN, OFF, TICKS = "@usual", "@hours", "@seen", "@suspended", "@ticks"
"""Owners of the rows beside those of detectors: names no detector can have."""

Rows = dict[tuple[str, Scope], Any]


@dataclass(slots=True)
class Checkpoints:
    """What was written last. Scopes that are plainly fine have no row."""

    evaluation: Evaluation
    _saved: Rows = field(default_factory=dict)
    _at: float = -math.inf
    _count: int = 0
    """Rows of the last write."""

    def due(self, now: float) -> Rows | None:
        """All rows to be kept, or None when there is nothing to write.

        Written when a detector moved, else at most every `EVERY`, and less often the more there is to write. Ticks alone
        are nothing new: they are read anew.
        """
        evaluation = self.evaluation
        learnt = any(watch.learns for watch in evaluation.watches.values())
        lessons = learnt and now - self._at >= LESSONS_EVERY
        waited = now - self._at
        at_once = (evaluation.moved or evaluation.members.news or lessons) and self._count <= FEW
        if not at_once and waited < max(EVERY, self._count / ROWS_A_SECOND):
            return None
        states = self._states()
        moved, evaluation.moved = evaluation.moved, False
        if states == self._saved and not moved and not lessons:
            return None
        self._saved, self._at = states, now
        rows = {**states, **self._unseen(), **self._usual(), **self._hours(), **self._ticks()}
        self._count = len(rows)
        return rows

    def restore(self, rows: Mapping[tuple[str, Scope], Any]) -> None:
        """Continue where the rows say we were; what happened since is read back where a source can tell."""
        watches = self.evaluation.watches
        states: dict[str, dict[Scope, Any]] = {}
        for (owner, scope), row in rows.items():
            if owner == SEEN:
                self.evaluation.members.restore(row)
            elif owner == OFF:
                self.evaluation.members.suspended = frozenset(map(scope_from_key, row))
            elif owner == USUAL:
                watch = watches.get(dict(scope).get("detector", ""))
                if watch is not None and watch.usual is not None:
                    watch.usual.restore(row)
            elif owner == HOURS:
                watch = watches.get(dict(scope).get("detector", ""))
                if watch is not None and watch.seasons is not None:
                    watch.seasons.restore(row)
            elif owner in watches:
                states.setdefault(owner, {})[scope] = row
        ticks = rows.get((TICKS, WHOLE), {})
        for name, watch in watches.items():
            watch.resume(states.get(name, {}), float(ticks.get(name, math.nan)))
        self._saved = {key: row for key, row in rows.items() if key[0] in watches or key[0] in {SEEN, OFF}}

    def _states(self) -> Rows:
        rows: Rows = {}
        for name, watch in self.evaluation.watches.items():
            rows |= {(name, scope): row for scope, row in save(watch.state).items()}
        remembered = self.evaluation.members.save()
        if remembered:
            rows[SEEN, WHOLE] = remembered
        if self.evaluation.members.suspended:
            rows[OFF, WHOLE] = sorted(map(scope_key, self.evaluation.members.suspended))
        return rows

    def _unseen(self) -> Rows:
        """A zero test reaches back to the last growth: what of that time nobody saw must be remembered."""
        return {
            (name, scope): row
            for name, watch in self.evaluation.watches.items()
            if watch.rule.zero_test
            for scope, row in save_unseen(watch.state).items()
        }

    def _usual(self) -> Rows:
        return {
            (USUAL, scope_of({"detector": name})): watch.usual.save()
            for name, watch in self.evaluation.watches.items()
            if watch.usual is not None and watch.usual.counts
        }

    def _hours(self) -> Rows:
        """The running hours; finished ones have rows of their own."""
        return {
            (HOURS, scope_of({"detector": name})): watch.seasons.save()
            for name, watch in self.evaluation.watches.items()
            if watch.seasons is not None
        }

    def _ticks(self) -> Rows:
        """The newest tick of each detector: what was judged is not judged again after a restart."""
        ticks = {
            name: watch.last_tick
            for name, watch in self.evaluation.watches.items()
            if math.isfinite(watch.last_tick)
        }
        return {(TICKS, WHOLE): ticks} if ticks else {}
