"""Gate: one guardrail's answer; Answer: all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from remediations.guardrails.facts import Facts
from remediations.spec import Guardrails, Rung


class Unsure(StrEnum):
    """What a guardrail answers where it cannot know: chosen for each, and written beside its name."""

    CLOSED = "closed"
    """It refuses."""
    OPEN = "open"
    """It allows; another guardrail covers what it may miss."""


@dataclass(frozen=True, slots=True)
class Gate:
    """`until`: unix seconds when a refusal ends by itself, None when it does not (or is not known).

    `waits`: the refusal may lift by itself soon enough to wait for (`wait_up_to` bounds the wait unless
    `until` is a bound of its own kind, as for a pending cause). `inputs`: what the answer was made from.
    """

    name: str
    allowed: bool
    reason: str
    until: float | None = None
    waits: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """The gate as kept on the timeline: name, allowed, reason, until, inputs."""
        return {
            "name": self.name,
            "allowed": self.allowed,
            "reason": self.reason,
            "until": self.until,
            "inputs": dict(self.inputs),
        }


@dataclass(frozen=True, slots=True)
class Question:
    """May this rung be carried out now?"""

    rung: Rung
    rules: Guardrails
    facts: Facts
    now: float


class Guardrail(Protocol):
    """One question, one answer. `name` is what people see in the trace; `unsure`: which way it fails."""

    @property
    def name(self) -> str: ...

    @property
    def unsure(self) -> Unsure: ...

    def ask(self, question: Question) -> Gate: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole trace, in order."""

    gates: tuple[Gate, ...]

    @property
    def allowed(self) -> bool:
        return all(gate.allowed for gate in self.gates)

    @property
    def refusals(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if not gate.allowed)

    def data(self) -> list[dict[str, Any]]:
        return [gate.data() for gate in self.gates]
