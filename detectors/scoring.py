"""How well detectors did in a past with labelled incidents: what they found, how late, and what they cried wolf about.

An incident counts once, however often it fired in it. Few incidents prove little: every share comes with the bounds of
its Wilson score interval at 95 %: three of three is a share of at least 0.44.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from config import proportion
from config.scope import WHOLE, Scope, covers

GRACE = 600.0
"""Seconds after its end in which a firing still counts as having found an incident."""
WEEK = 604_800.0


@dataclass(frozen=True, slots=True)
class Label:
    """One span of the past that a person judged: an incident, or (`quiet`) one in which nothing may fire.

    Instants are unix seconds. `detector`, `failure_mode`: None for any. `scope`: labels that have to agree.
    """

    start: float
    end: float
    detector: str | None = None
    failure_mode: str | None = None
    scope: Scope = WHOLE
    quiet: bool = False
    note: str = ""

    def concerns(self, fired: Firing) -> bool:
        """Whether a firing is of its kind and place, whenever it was."""
        return (
            self.detector in {None, fired.detector}
            and self.failure_mode in {None, fired.failure_mode}
            and covers(self.scope, fired.scope)
        )


@dataclass(frozen=True, slots=True)
class Firing:
    """A detector fired at a scope from `start` to `end` (unix seconds)."""

    detector: str
    failure_mode: str
    scope: Scope
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`, with its 95 % bounds; None when there is nothing to divide by."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        return proportion.bounds(self.hits, self.of)


@dataclass(frozen=True, slots=True)
class Score:
    """One detector, or one failure mode for incidents whose label names no detector.

    `recall`: incidents found of those labelled. `precision`: firings that lie in a labelled incident of all firings;
    firings within what nobody labelled are false alarms. `late`: seconds from an incident's start to the first
    firing, ascending. `violations`: firings within a span that must stay quiet. `flaps`: firings of an incident
    beyond its first one.
    """

    name: str
    recall: Share
    precision: Share
    late: tuple[float, ...]
    false_per_week: float
    minutes_firing: float
    flaps: int
    violations: int

    def late_at(self, share: float) -> float | None:
        """The time to detect that `share` of the found incidents did not exceed (nearest rank)."""
        if not self.late:
            return None
        return self.late[max(0, math.ceil(share * len(self.late)) - 1)]


def score(
    modes: Mapping[str, str],
    firings: Sequence[Firing],
    labels: Sequence[Label],
    start: float,
    end: float,
    *,
    grace: float = GRACE,
) -> tuple[Score, ...]:
    """Scores of every detector in `modes` (detector -> failure mode), then of failure modes that labels name.

    A firing belongs to an incident when they overlap, up to `grace` seconds after its end.
    """
    incidents = [label for label in labels if not label.quiet]
    quiet = [label for label in labels if label.quiet]
    found = [
        _scored(
            name,
            [fired for fired in firings if fired.detector == name],
            [label for label in incidents if label.detector == name],
            incidents,
            quiet,
            end - start,
            grace,
        )
        for name in modes
    ]
    by_mode = sorted({label.failure_mode for label in incidents if not label.detector and label.failure_mode})
    return (
        *found,
        *(
            _scored(
                mode,
                [fired for fired in firings if fired.failure_mode == mode],
                [label for label in incidents if not label.detector and label.failure_mode == mode],
                incidents,
                quiet,
                end - start,
                grace,
            )
            for mode in by_mode
        ),
    )


def _scored(
    name: str,
    firings: Sequence[Firing],
    own: Sequence[Label],
    incidents: Sequence[Label],
    quiet: Sequence[Label],
    span: float,
    grace: float,
) -> Score:
    matched = {label: _within(label, firings, grace) for label in own}
    true = [fired for fired in firings if any(_overlap(label, fired, grace) for label in incidents)]
    late = sorted(max(0.0, hits[0].start - label.start) for label, hits in matched.items() if hits)
    false = len(firings) - len(true)
    return Score(
        name=name,
        recall=Share(len(late), len(own)),
        precision=Share(len(true), len(firings)),
        late=tuple(late),
        false_per_week=false * WEEK / span if span > 0 else 0.0,
        minutes_firing=sum(fired.end - fired.start for fired in firings) / 60,
        flaps=sum(max(0, len(hits) - len({hit.scope for hit in hits})) for hits in matched.values()),
        violations=sum(any(_overlap(label, fired, 0.0) for label in quiet) for fired in firings),
    )


def _within(label: Label, firings: Iterable[Firing], grace: float) -> list[Firing]:
    """What fired in an incident, oldest first."""
    return sorted((one for one in firings if _overlap(label, one, grace)), key=lambda one: one.start)


def _overlap(label: Label, fired: Firing, grace: float) -> bool:
    return label.concerns(fired) and fired.start <= label.end + grace and fired.end >= label.start
