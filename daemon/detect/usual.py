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


@dataclass(slots=True)
class Usual:
    """`per`: seconds of the window counted over (`expected.per`)."""

    per: float
    counts: dict[Scope, deque[float]] = field(default_factory=dict)
    next_at: dict[Scope, float] = field(default_factory=dict)

    def of(self, scopes: Sequence[Scope]) -> Floats:
        """Usual events per window, `[S]`; NaN for scopes nothing was learnt about."""
        return np.array(
            [statistics.median(kept) if (kept := self.counts.get(scope)) else math.nan for scope in scopes]
        )

    def learn(self, signal: Signal, rings: Rings, ticks: Floats, seen: Observations) -> bool:
        """Count the window before ticks that saw traffic, twice per window and scope; True when any was counted."""
        lively = (seen.fire == OK) & ~seen.excused
        lessons: dict[int, list[int]] = {}
        for column, scope in enumerate(seen.scopes):
            due = self.next_at.get(scope, -math.inf)
            for row in np.flatnonzero(lively[:, column] & (ticks >= due)).tolist():
                if ticks[row] >= due:
                    due = float(ticks[row]) + self.per / _LESSONS_PER_WINDOW
                    lessons.setdefault(row, []).append(column)
        if not lessons:
            return False
        rows = sorted(lessons)
        wide = replace(signal, window=self.per, widen_to=self.per, events=0.0)
        values = measure(wide, rings, ticks[rows], expected=seen.scopes)
        place = {scope: column for column, scope in enumerate(values.scopes)}
        taught = False
        for index, lesson in enumerate(rows):
            for scope in (seen.scopes[column] for column in lessons[lesson]):
                if values.quality[index, place[scope]] != Quality.OK:
                    continue
                count = float(values.events[index, place[scope]])
                self.counts.setdefault(scope, deque(maxlen=_KEPT)).append(count)
                self.next_at[scope] = float(ticks[lesson]) + self.per / _LESSONS_PER_WINDOW
                taught = True
        return taught

    def save(self) -> dict[str, Any]:
        """JSON-ready."""
        return {scope_key(scope): list(kept) for scope, kept in self.counts.items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """What was learnt before the restart."""
        for key, kept in saved.items():
            self.counts[scope_from_key(key)] = deque((float(count) for count in kept), maxlen=_KEPT)
