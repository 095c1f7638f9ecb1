"""Cross-checks of process managers: whether each can do what a rung asks of it, with units named as it names them."""

from __future__ import annotations

from config.loader import Loaded
from config.problems import Gravity, Wrong
from config.section import Section
from daemon.settings.model import Settings
from remediations.actions.managers.registry import KINDS
from remediations.actions.service import ServiceArgs
from remediations.spec import OnInterrupt, Playbook, action_of
from remediations.spec_managers import ManagerSpec

Path = tuple[str | int, ...]

CALCULATED = "{{", "{%"
"""What a unit's name holds when it is known at the moment of acting only; it is checked again then."""


def check_service(loaded: Loaded[Settings], path: Path, args: Section, gravity: Gravity) -> None:
    """Record what the manager of a `service` action cannot do. `path`: of the arguments."""
    spec = loaded.model.managers.get(args.manager) if isinstance(args, ServiceArgs) else None
    if spec is None or not isinstance(args, ServiceArgs):
        return
    kind, operation = KINDS[spec.type], args.operation
    if operation not in kind.operations:
        loaded.problem(
            (*path, operation),
            f"{kind.title} has no {operation}, so the manager {args.manager!r} cannot do it",
            f"it has {', '.join(kind.operations)}; without it this rung is refused",
            gravity,
        )
    else:
        _unit(loaded, (*path, operation), spec, operation, args.unit, gravity)


def check_reruns(loaded: Loaded[Settings], path: Path, playbook: Playbook) -> None:
    """Record rungs that would undo their own undo. `path`: of the playbook."""
    for index, rung in enumerate(playbook.ladder):
        kind, args = action_of(rung.do)
        if (
            kind == "service"
            and rung.on_interrupt is OnInterrupt.RERUN
            and isinstance(args, dict)
            and "undo" in args
        ):
            loaded.problem(
                (*path, "ladder", index, "on_interrupt"),
                "an undo that is done twice goes back to what it undid",
                "write page, or probe with confirm",
            )


def check_witness(loaded: Loaded[Settings], path: Path, manager: str | None, unit: str | None) -> None:
    """Record a witness's unit that its manager cannot know. `path`: of the witness."""
    spec = loaded.model.managers.get(manager or "")
    if spec is not None and unit is not None:
        _unit(loaded, (*path, "unit"), spec, "state", unit, Gravity.ERROR)


def _unit(
    loaded: Loaded[Settings], path: Path, spec: ManagerSpec, operation: str, unit: str, gravity: Gravity
) -> None:
    if any(mark in unit for mark in CALCULATED):
        return
    try:
        KINDS[spec.type].named(operation, unit)
    except Wrong as wrong:
        loaded.problem(path, wrong.problem, wrong.hint, gravity)
