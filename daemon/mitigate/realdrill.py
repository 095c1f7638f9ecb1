"""Carrying a rung out for real in a drill: which rungs may be, how each is taken back, whether the world is as before.

Pure. The world as a playbook sees it: every condition that only probes decide, every rung's own check, and what its
taking back would say (which names the version, the size, the endpoint of now).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.templates import Expression, TemplateError
from daemon.mitigate.rehearsal import Rehearsed
from daemon.mitigate.step import own_check
from remediations.actions.registry import Prepared
from remediations.spec import Playbook, Rung, action_of

Step = dict[str, Any]
"""Plain data, fit for a row: an action made ready before anything was touched, and the pre-check it waits for."""
STEADY = frozenset({"facts", "scope", "vars"})
"""Names a condition may read to be compared: the others change with the clock."""


def why_not(rung: Rung, seen: Rehearsed) -> str:
    """Why a rung is not carried out for real; nothing when it may be."""
    kind, args = action_of(rung.do)
    restart = kind == "service" and "restart" in args
    if rung.undo is None and rung.return_ is None and not restart:
        return "nothing takes it back"
    ready = seen.actions.get((rung.name, "do"))
    if not isinstance(ready, Prepared):
        return f"it cannot be made ready: {ready}"
    if not ready.mends:
        return "it mends nothing"
    broken = [str(action) for action in _back(rung, seen) if not isinstance(action, Prepared)]
    if broken:
        return f"it could not be taken back: {broken[0]}"
    own = seen.confirms.get(rung.name)
    if own is not None and own.ok:
        return "its own check holds already: nothing would be seen of it"
    return ""


def chain_of(rung: Rung, seen: Rehearsed) -> list[Step]:
    """How it is taken back: its undo, else all steps of its return; nothing for a restart."""
    whens: list[str | None] = [None]
    if rung.undo is None and rung.return_ is not None:
        whens = [step.when for step in rung.return_.steps]
    ready = [action for action in _back(rung, seen) if isinstance(action, Prepared)]
    return [step_of(action, when) for action, when in zip(ready, whens, strict=False)]


def step_of(action: Prepared, when: str | None = None) -> Step:
    """An action as plain data."""
    return {
        "kind": action.kind,
        "rendered": dict(action.rendered),
        "targets": sorted(action.targets),
        "disruptive": action.disruptive,
        "idempotent": action.idempotent,
        "when": when,
    }


def picture(book: Playbook, seen: Rehearsed, names: Mapping[str, Any]) -> dict[str, Any]:
    """The world as the playbook sees it, as plain data. `names`: what expressions see beside `facts`."""
    known = {**names, "facts": {name: answer.names() for name, answer in seen.evidence.items()}}
    said: dict[str, Any] = {f"probe {name}": answer.ok for name, answer in seen.evidence.items()}
    said |= {f"`{text}`": _decided(text, known) for text in sorted(set(_conditions(book)))}
    said |= {
        f"own check of {rung.name}": answer.ok
        for rung in book.ladder
        if own_check(rung) is not None and (answer := seen.confirms.get(rung.name)) is not None
    }
    for place, action in seen.actions.items():
        if isinstance(action, Prepared) and place[1] != "do":
            said[" of ".join(reversed(place))] = {
                key: value for key, value in action.rendered.items() if key != "fault_since"
            }
    return dict(json.loads(json.dumps(said, default=str)))  # as it comes back from a row


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is not as it was, in words."""
    return [
        f"{what} was {_word(before.get(what))}, is {_word(after.get(what))}"
        for what in sorted(before.keys() | after.keys())
        if before.get(what) != after.get(what)
    ]


def holds(when: str | None, seen: Rehearsed, names: Mapping[str, Any]) -> bool:
    """The pre-check of a step, on what probes said just now."""
    known = {**names, "facts": {name: answer.names() for name, answer in seen.evidence.items()}}
    return when is None or _decided(when, known) is True


def _back(rung: Rung, seen: Rehearsed) -> Sequence[Prepared | str | None]:
    if rung.undo is not None:
        return [seen.actions.get((rung.name, "undo"))]
    steps = rung.return_.steps if rung.return_ is not None else ()
    names = ["return" if not number else f"return {number + 1}" for number in range(len(steps))]
    return [seen.actions.get((rung.name, name)) for name in names]


def _conditions(book: Playbook) -> Iterator[str]:
    for rung in book.ladder:
        for text in (
            rung.when,
            rung.require,
            *(s.when for s in (rung.return_.steps if rung.return_ else ())),
        ):
            if text is not None and Expression(text).names <= STEADY:
                yield text


def _decided(text: str, names: Mapping[str, Any]) -> bool | None:
    try:
        return bool(Expression(text).evaluate(names))
    except TemplateError:
        return None


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "so" if value else "not so"
    return "unknown" if value is None else str(value)
