"""Earned autonomy: what a rung's record says about how far it may go by itself. Pure arithmetic over counted verdicts.

A rung that a person approves again and again, and that works, is suggested for `auto`; one that acts by itself in vain is
asked about first, where the configuration says so. Nothing is ever let further than it is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from config import proportion
from config.problems import Wrong
from config.section import Autonomy, Section
from config.units import Duration, Share, format_share
from remediations.verification import Verdict

HELPED = frozenset({Verdict.RECOVERED, Verdict.CONTAINED})


class EarnedAutonomy(Section):
    """How a rung's record counts: verified successes among its verdicts, by the lower 95 % bound of their share."""

    window: Annotated[Duration, Field(gt=0)] = 90 * 86400.0
    """How far back attempts count."""
    minimum: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Verdicts in the window below which a record says nothing."""
    promote_above: Annotated[Share, Field(gt=0, lt=1)] = 0.8
    """Lower bound from which `auto` is suggested for a rung that asks first. Nothing is promoted by itself."""
    demote_below: Annotated[Share, Field(gt=0, lt=1)] = 0.3
    """Lower bound below which a rung that acts by itself should ask first."""
    demotes: bool = False
    """Whether such a rung does ask first, until its record in the window is better."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.demote_below >= self.promote_above:
            raise Wrong(
                "demote_below is not below promote_above", "leave room between the two, such as 30% and 80%"
            )
        return self


@dataclass(frozen=True, slots=True)
class Record:
    """Verdicts of a rung in the window. What nobody could verify, and what went by itself, prove nothing either way."""

    helped: int = 0
    in_vain: int = 0
    unknown: int = 0
    self_resolved: int = 0

    @property
    def judged(self) -> int:
        """Verdicts that say whether it works."""
        return self.helped + self.in_vain

    @property
    def at_least(self) -> float:
        """Lower bound of the share that helped; 0 while there is no verdict."""
        found = proportion.bounds(self.helped, self.judged)
        return 0.0 if found is None else found[0]


def record_of(verdicts: Mapping[str, int]) -> Record:
    """From counts by verdict, as the journal keeps them."""
    return Record(
        helped=sum(verdicts.get(verdict, 0) for verdict in HELPED),
        in_vain=verdicts.get(Verdict.NOT_RECOVERED, 0),
        unknown=verdicts.get(Verdict.UNKNOWN, 0),
        self_resolved=verdicts.get(Verdict.SELF_RESOLVED, 0),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """A record and what follows from it. `suggests`: another level than the configured one, or None.

    `demoted`: it asks first though it is configured to act by itself.
    """

    record: Record
    suggests: Autonomy | None = None
    demoted: bool = False
    window: float = 0.0
    below: float = 0.0

    @property
    def text(self) -> str:
        """`helped 3 of 12 times, so at least 9% (below 30%)`."""
        record = self.record
        bound = f", so at least {format_share(round(record.at_least, 2))}" if record.judged else ""
        limit = f" (below {format_share(self.below)})" if self.demoted else ""
        return f"helped {record.helped} of {record.judged} times{bound}{limit}"

    def data(self) -> dict[str, Any]:
        """As it stands in the trace of the guardrail `autonomy`."""
        record = self.record
        return {
            "helped": record.helped,
            "in_vain": record.in_vain,
            "unknown": record.unknown,
            "self_resolved": record.self_resolved,
            "at_least": round(record.at_least, 4),
            "window_s": self.window,
            "demoted": self.demoted,
        }


def standing(record: Record, configured: Autonomy, rules: EarnedAutonomy) -> Standing:
    """What a record means for a rung that is configured to go so far."""
    suggests: Autonomy | None = None
    if record.judged >= rules.minimum:
        if configured is Autonomy.PROPOSE and record.at_least >= rules.promote_above:
            suggests = Autonomy.AUTO
        elif configured is Autonomy.AUTO and record.at_least < rules.demote_below:
            suggests = Autonomy.PROPOSE
    demoted = suggests is Autonomy.PROPOSE and rules.demotes
    return Standing(record, suggests, demoted, rules.window, rules.demote_below)
