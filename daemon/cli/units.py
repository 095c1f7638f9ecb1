"""`check --live`: asks every process manager about the units that rungs and witnesses name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice, product

from daemon.settings.lint.check import Path
from daemon.settings.lint.live.seen import UnitSeen
from daemon.settings.model import Settings
from remediations.actions.action import ActionError
from remediations.actions.managers.manager import Manager, ManagerFault
from remediations.actions.rendering import Renderer
from remediations.ports import Clock, PortError
from remediations.spec import action_of

ANSWER_WITHIN = 5.0
"""Seconds for one unit."""
MOST_NAMES = 20
"""Names that one template is tried with."""
MOST_UNITS = 200
_LABEL = re.compile(r"\bscope\.([A-Za-z_][A-Za-z0-9_]*)")
_OF_ONE = ("restart", "stop", "start", "undo")
"""Operations on one unit; what is scaled may be a group, which has no state of its own."""
_PATTERN = re.compile(r"[*?\[]")

Named = tuple[str, str, Path]
"""(manager, unit, where it stands)."""


def ask_units(settings: Settings, managers: Mapping[str, Manager], clock: Clock) -> tuple[UnitSeen, ...]:
    """One answer per unit and place. A manager that did not answer once is not asked again."""
    seen: list[UnitSeen] = []
    silent: dict[str, str] = {}
    for manager, unit, path in islice(dict.fromkeys(_named(settings)), MOST_UNITS):
        asked = managers.get(manager)
        if asked is None:
            continue
        said, unknown = silent.get(manager, ""), False
        if not said:
            try:
                said = str(asked.state(unit, deadline=clock.monotonic() + ANSWER_WITHIN))
            except ManagerFault as fault:
                said, unknown = str(fault), True
            except PortError as error:
                said = silent[manager] = str(error)
        seen.append(UnitSeen(path, manager, unit, said, silent=manager in silent, unknown=unknown))
    return tuple(seen)


def _named(settings: Settings) -> Iterator[Named]:
    """Every unit by its full name, with the names that its template gives for what is known."""
    for name, detector in settings.detectors.items():
        corroborate = detector.corroborate
        for index, witness in enumerate(corroborate.witnesses if corroborate and detector.enabled else ()):
            kind = "any" if corroborate and corroborate.any_ else "all"
            path: Path = ("detectors", name, "corroborate", kind, index, "unit")
            for unit in _names(settings, witness.unit or ""):
                yield witness.manager or "", unit, path
    for name, playbook in settings.playbooks.items():
        for place, do in playbook.actions() if playbook.enabled else ():
            kind, args = action_of(do)
            for operation in _OF_ONE if kind == "service" and isinstance(args, dict) else ():
                path = ("playbooks", name, *_parts(place), kind, operation)
                for unit in _names(settings, str(args.get(operation) or "")):
                    yield str(args.get("manager", "")), unit, path


def _names(settings: Settings, template: str) -> Iterator[str]:
    """What the template gives for every value that the inventory lists; nothing where it needs more than that."""
    labels = list(dict.fromkeys(_LABEL.findall(template)))
    inventory = settings.inventory.labels
    known = [values if isinstance(values := inventory.get(label), tuple) else () for label in labels]
    for values in islice(product(*known), MOST_NAMES):
        names = {"scope": dict(zip(labels, values, strict=True)), "vars": settings.vars}
        try:
            unit = Renderer(names).place(template)
        except ActionError:
            continue
        if not _PATTERN.search(unit):
            yield unit


def _parts(dotted: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))
