"""`reference/states.md`: the three transition tables, drawn and tabled."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import IncidentState
from daemon.incidents.transitions import ESCALATION, INCIDENT, EscalationEvent, IncidentEvent
from pages.text import code, doc, member_docs, table
from remediations.run import RUN, RunEvent, RunState

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)

INTRO = """# States

An incident is three rows with one id: the **incident** (what is wrong), its **run** (where it stands on the ladder)
and its **escalation** (who has been told). Each has a transition table; a pair of state and event that is not in it
does not happen: asking for it is a mistake of ours, the item is set aside with a page, and the others go on.
Every state x event pair is tested. Tables: `daemon/incidents/transitions.py` and `remediations/run.py`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRO,
            _machine("Incident", IncidentState, IncidentEvent, INCIDENT, IncidentState.OPEN),
            _machine("Run", RunState, RunEvent, RUN, RunState.DIAGNOSING),
            _machine("Escalation", EscalationState, EscalationEvent, ESCALATION, EscalationState.QUIET),
        ]
    )


def _machine(title: str, states: type[S], events: type[E], moves: Mapping[tuple[S, E], S], first: S) -> str:
    meaning, said = member_docs(states), member_docs(events)
    return "\n".join(
        [
            f"## {title}\n\n{doc(states)}\n",
            table(("state", "means"), [(code(one.value), meaning.get(one.name, "")) for one in states]),
            table(("event", "means"), [(code(one.value), said.get(one.name, "")) for one in events]),
            diagram(moves, first),
            matrix(states, events, moves),
        ]
    )


def diagram(moves: Mapping[tuple[S, E], S], first: S) -> str:
    """Mermaid; several events between the same two states share an arrow."""
    arrows: dict[tuple[S, S], list[str]] = {}
    for (state, event), after in moves.items():
        arrows.setdefault((state, after), []).append(event.value)
    lines = [f"    {state} --> {after}: {', '.join(events)}" for (state, after), events in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, "```\n"])


def matrix(states: type[S], events: type[E], moves: Mapping[tuple[S, E], S]) -> str:
    """Every pair: the next state, or a dot for one that does not happen."""
    rows = [
        (
            code(state.value),
            *(moves[state, event].value if (state, event) in moves else "·" for event in events),
        )
        for state in states
    ]
    return table(("in \\ event", *(code(event.value) for event in events)), rows)
