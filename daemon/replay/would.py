"""What a configuration would have done: incidents of the past, the rungs they would have come to, the pages they owed.

A verdict after an action that never happened is not
knowable and is never guessed, and no more is what a probe would have answered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from daemon.incidents.model import Incident

NOT_KNOWABLE = "not_knowable"
"""The verdict on an action that never happened."""


class Came(StrEnum):
    """What the ladder came to at a rung."""

    WOULD_RUN = "would_run"
    """Every guardrail but autonomy, which was held at `observe`, let it pass."""
    REFUSED = "refused"
    SKIPPED = "skipped"
    """`when` or `require` said no."""
    NOT_KNOWABLE = NOT_KNOWABLE
    """It hangs on what was not recorded; the rungs after it are what follows if it does not fit."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guardrail that would have said no; `until`: unix seconds at which that ends by itself."""

    gate: str
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """A rung the ladder came to at `at` (unix seconds). `autonomy`: what the configuration gives it, ceiling included.

    `depends_on`: what was not recorded and it hangs on: `probe NAME`, `manager NAME`, `changes`.
    """

    rung: str
    kind: str
    action: str
    targets: tuple[str, ...]
    at: float
    autonomy: str
    came: Came
    reason: str
    refusals: tuple[Refusal, ...]
    depends_on: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """`restart-writer (auto)`; nothing for a rung that does not fit."""
        match self.came:
            case Came.WOULD_RUN:
                return f"{self.rung} ({self.autonomy})"
            case Came.REFUSED:
                return f"{self.rung} refused by {', '.join(one.gate for one in self.refusals)}"
            case Came.NOT_KNOWABLE:
                return f"{self.rung}? ({', '.join(self.depends_on)})"
            case Came.SKIPPED:
                return ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page owed at `at` (unix seconds) while nothing helped. `unless`: rungs that would have run by themselves before."""

    level: int
    at: float
    why: str
    to: tuple[str, ...]
    unless: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastIncident:
    """One incident of the past. Its samples are those of a pipeline on which nothing was done.

    `since`, `until`: unix seconds of its detection and its end, None while it lasts. `suppressed_by`: id of the last that
    held it back.
    """

    incident: Incident
    since: float
    until: float | None
    suppressed_by: str | None
    held_by_storm: bool
    considered: tuple[Considered, ...]
    pages: tuple[Page, ...]
    digest: bool

    @property
    def would_run(self) -> tuple[Considered, ...]:
        return tuple(one for one in self.considered if one.came is Came.WOULD_RUN)

    @property
    def done_in_words(self) -> str:
        """What its ladder came to; empty when to nothing."""
        return ", ".join(one.in_words for one in self.considered if one.in_words)

    @property
    def paged_in_words(self) -> str:
        """`L1, L2, 3 x L3`; empty when nobody would have been told."""
        counts = Counter(page.level for page in self.pages)
        told = [
            f"{count} x L{level}" if count > 1 else f"L{level}" for level, count in sorted(counts.items())
        ]
        return ", ".join(told) or ("digest" if self.digest else "")


@dataclass(frozen=True, slots=True)
class Would:
    """All of it, oldest first, up to `until` (unix seconds). `troubles`: what could not be worked out, and why."""

    incidents: tuple[PastIncident, ...]
    until: float
    troubles: tuple[str, ...] = ()

    @property
    def actions(self) -> Counter[str]:
        """Autonomy -> how many rungs would have run."""
        return Counter(one.autonomy for incident in self.incidents for one in incident.would_run)

    @property
    def refusals(self) -> Counter[str]:
        """Guardrail -> how many rungs it would have refused."""
        return Counter(
            refusal.gate
            for incident in self.incidents
            for one in incident.considered
            if one.came is Came.REFUSED
            for refusal in one.refusals
        )

    @property
    def not_knowable(self) -> int:
        """Rungs that hang on what was not recorded."""
        return sum(
            one.came is Came.NOT_KNOWABLE for incident in self.incidents for one in incident.considered
        )

    @property
    def pages(self) -> Counter[int]:
        """Level -> how many pages."""
        return Counter(page.level for incident in self.incidents for page in incident.pages)


def told_in_words(would: Would) -> str:
    """All of it in a sentence."""
    if not would.incidents:
        return "No incidents."
    levels = ", ".join(f"{number} L{level}" for level, number in sorted(would.pages.items()))
    by = ", ".join(f"{number} {autonomy}" for autonomy, number in sorted(would.actions.items()))
    unless = sum(bool(page.unless) for incident in would.incidents for page in incident.pages)
    parts = [_count(len(would.incidents), "incident")]
    if would.actions:
        begun = _count(would.actions.total(), "action")
        parts.append(f"{begun} would have begun ({by}), with what effect is not knowable")
    if would.refusals:
        parts.append(_count(would.refusals.total(), "refusal"))
    if would.not_knowable:
        parts.append(
            f"whether to go on with {_count(would.not_knowable, 'rung')} hangs on what was not recorded"
        )
    if would.pages:
        only = f", {unless} of them only if no action had helped" if unless else ""
        parts.append(f"{_count(would.pages.total(), 'page')} with nothing done ({levels}){only}")
    return "; ".join(parts) + "."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
