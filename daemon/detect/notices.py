"""What detection has to say about itself: sources as people see them, and bounds that were reached."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_KEPT = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """`kind`: series_limit | scope_limit | skewed | partial | unanswered (a query) | unjudged | clock. `name`: of the source,
    of the detector for unjudged and scope_limit, `daemon` for clock. `since`, `at`: unix seconds.
    """

    kind: str
    name: str
    since: float
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source for `status`. `state`: up | failing | down | waiting. `age`: seconds since its newest sample."""

    name: str
    state: str
    age: float | None
    reason: str
    series: int
    dropped: int
    errors: int
    skipped: int
    late: int


@dataclass(slots=True)
class Notices:
    """Each stays until it was not repeated for a while; the same words twice keep their beginning."""

    kept: dict[tuple[str, str], Notice] = field(default_factory=dict)
    stays: float = 60.0

    def add(self, kind: str, name: str, text: str, at: float) -> None:
        known = self.kept.get((kind, name))
        since = known.since if known else at
        if known is None and len(self.kept) >= _KEPT:
            return
        self.kept[kind, name] = Notice(kind, name, since, at, text)

    def current(self, now: float) -> tuple[Notice, ...]:
        """What still holds, oldest first."""
        self.kept = {key: notice for key, notice in self.kept.items() if now - notice.at <= self.stays}
        return tuple(sorted(self.kept.values(), key=lambda notice: (notice.since, notice.kind, notice.name)))


def age_of(newest: float, now: float) -> float | None:
    """Seconds since `newest`; None when there was nothing."""
    return None if math.isinf(newest) else max(now - newest, 0.0)
