"""Rehearsing a playbook at one scope: its probes are asked for real, its actions made ready and looked at, none is done.

Runs on a worker. What it brings back is judged by `daemon.mitigate.drill`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from config.scope import Scope
from daemon.mitigate.facts import prepared
from daemon.mitigate.step import own_check
from remediations.actions.looks import Look, Looker
from remediations.actions.registry import Actions, Prepared
from remediations.ports import Ports
from remediations.run import Evidence
from remediations.spec import Playbook


class Probes(Protocol):
    """Probes asked by name; `daemon.detect.probes.Prober` fits. `deadline`: monotonic seconds."""

    def ask(self, name: str, scope: Scope, deadline: float, ok: str | None = None) -> Evidence: ...

    def labels(self, name: str) -> tuple[str, ...]:
        """The labels that a scope must have for the probe to be asked of it."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """`names`: what templates see beside `facts`, as for an incident that began now."""

    playbook: Playbook
    scope: Scope
    names: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """`evidence`: probe by its name in `diagnose`. `confirms`: rung -> what its own check says now.

    `actions`: (rung, part) -> the action made ready, or why it cannot be. `looks`: likewise what was seen of it.
    `lacking`: probe -> the labels that this scope would need to have for it.
    """

    scope: Scope
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    confirms: Mapping[str, Evidence] = field(default_factory=dict)
    actions: Mapping[tuple[str, str], Prepared | str] = field(default_factory=dict)
    looks: Mapping[tuple[str, str], Look] = field(default_factory=dict)


def rehearse(
    task: Task, probes: Probes, actions: Actions, looker: Looker, ports: Ports, *, deadline: float
) -> Rehearsed:
    """All of it, one question after the other, within `deadline` (monotonic seconds)."""
    book, scope = task.playbook, task.scope
    evidence = {name: probes.ask(question.probe, scope, deadline) for name, question in book.diagnose.items()}
    names = {**task.names, "facts": {name: seen.names() for name, seen in evidence.items()}}
    confirms = {
        rung.name: probes.ask(check.probe, scope, deadline, check.ok)
        for rung in book.ladder
        if (check := own_check(rung)) is not None
    }
    lacking = {name: _lacking(probes, question.probe, scope) for name, question in book.diagnose.items()}
    ready = {place: prepared(actions, do, names, scope) for place, do in parts(book)}
    looks: dict[tuple[str, str], Look] = {}
    for place, action in ready.items():
        if isinstance(action, Prepared):
            looks[place] = _look(action, ready, looks, looker, ports, deadline)
    return Rehearsed(
        scope, {name: labels for name, labels in lacking.items() if labels}, evidence, confirms, ready, looks
    )


def _lacking(probes: Probes, name: str, scope: Scope) -> tuple[str, ...]:
    return tuple(label for label in probes.labels(name) if label not in dict(scope))


def _look(
    action: Prepared,
    ready: Mapping[tuple[str, str], Prepared | str],
    looks: Mapping[tuple[str, str], Look],
    looker: Looker,
    ports: Ports,
    deadline: float,
) -> Look:
    """What is the same as before is not looked at twice."""
    seen = next((look for place, look in looks.items() if ready[place] == action), None)
    return seen or looker.look(action.kind, action.rendered, ports, deadline=deadline)


def parts(book: Playbook) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """((rung, part), action as written): `do`, `undo`, `return` and its further steps `return 2`, …"""
    for rung in book.ladder:
        yield (rung.name, "do"), rung.do
        if rung.undo is not None:
            yield (rung.name, "undo"), rung.undo
        for number, step in enumerate(rung.return_.steps if rung.return_ is not None else ()):
            yield (rung.name, "return" if not number else f"return {number + 1}"), step.do
