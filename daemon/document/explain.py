"""Why a rung was or was not carried out, from the timeline alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.document.dossier import Dossier
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Phase


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """One guardrail's answer as it was recorded; `until`: unix seconds at which a refusal ends by itself."""

    name: str
    allowed: bool
    reason: str
    until: float | None = None
    inputs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was asked at `at` about `rung`, and every answer, in the order of the guardrails."""

    incident: str
    at: float
    rung: str
    allowed: bool
    gates: tuple[GateAnswer, ...]

    @property
    def refusals(self) -> tuple[GateAnswer, ...]:
        return tuple(gate for gate in self.gates if not gate.allowed)


def explain(dossier: Dossier) -> tuple[Explanation, ...]:
    """Every question to the guardrails about this incident, oldest first; a skipped rung is a question of its own."""
    return tuple(_explanations(dossier.events))


def explain_at(events: Sequence[Event], at: float, target: str) -> Explanation | None:
    """The answer that held at `at` for `target`: the last one given until then.

    `target`: an incident's id, or anything the answer was made from: an action's target, a rung, a scope's value.
    """
    fitting = [
        event
        for event in events
        if event.at <= at and (event.incident == target or _mentions(event.data, target))
    ]
    found = list(_explanations(fitting))
    return found[-1] if found else None


def _explanations(events: Iterable[Event]) -> Iterable[Explanation]:
    for event in events:
        data = event.data
        if event.kind is Kind.GATES:
            gates = tuple(_gate(gate) for gate in data.get("gates", ()))
            yield Explanation(event.incident, event.at, asked_of(data), bool(data.get("allowed")), gates)
        elif event.kind is Kind.SKIPPED:
            gate = GateAnswer(
                str(data.get("gate", "when")), False, str(data.get("reason", event.text)), None, {}
            )
            yield Explanation(event.incident, event.at, str(data.get("rung", "")), False, (gate,))


def asked_of(data: Mapping[str, Any]) -> str:
    """What the guardrails were asked about: a rung, or the return of one."""
    rung = str(data.get("rung", ""))
    return f"return of {rung}" if data.get("phase") == Phase.RETURN else rung


def _gate(data: Mapping[str, Any]) -> GateAnswer:
    until = data.get("until")
    return GateAnswer(
        name=str(data.get("name", "")),
        allowed=bool(data.get("allowed")),
        reason=str(data.get("reason", "")),
        until=float(until) if until is not None else None,
        inputs=dict(data.get("inputs") or {}),
    )


def _mentions(value: Any, target: str) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(inner, target) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(inner, target) for inner in value)
    return isinstance(value, str) and value == target
