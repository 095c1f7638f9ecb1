"""Lanes: incidents of the past as bands on one common time line, with marks for actions and pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from daemon.clock import rfc3339
from daemon.document.words import scope_text
from daemon.replay.would import PastIncident, Would

MOST_LANES = 200
_THINNEST = 0.3
"""Per cent of the width: a short incident in a long month can still be seen."""


@dataclass(frozen=True, slots=True)
class Notch:
    """A mark: `left` in per cent of the span; `kind`: `action` or `page`."""

    left: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One incident: `left` and `width` in per cent of the span."""

    since: str
    until: str
    what: str
    severity: str
    done: str
    paged: str
    left: float
    width: float
    marks: tuple[Notch, ...]


def lanes(would: Would, start: float, end: float) -> list[Lane]:
    """All of them, oldest first, on the span from `start` to `end` (unix seconds)."""
    span = max(end - start, 1.0)

    def place(at: float) -> float:
        return round(min(max((at - start) / span, 0.0), 1.0) * 100, 3)

    found = []
    for one in would.incidents:
        incident = one.incident
        left, right = place(one.since), place(end if one.until is None else one.until)
        width = round(max(right - left, _THINNEST), 3)
        found.append(
            Lane(
                since=rfc3339(one.since),
                until="" if one.until is None else rfc3339(one.until),
                what=f"{incident.failure_mode} at {scope_text(incident.scope) or 'the whole pipeline'}",
                severity=incident.severity,
                done=one.done_in_words,
                paged=one.paged_in_words,
                left=min(left, round(100 - width, 3)),
                width=width,
                marks=tuple(Notch(place(at), kind, text) for at, kind, text in _marks(one)),
            )
        )
    return found


def _marks(one: PastIncident) -> Iterator[tuple[float, str, str]]:
    for rung in one.would_run:
        yield rung.at, "action", f"{rung.rung} would have begun ({rung.autonomy})"
    for page in one.pages:
        yield page.at, "page", f"L{page.level}: {page.why}"
