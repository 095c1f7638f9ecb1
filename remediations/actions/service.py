"""`service {manager, restart | stop | start | scale | undo: UNIT, to, max}`: units under a process manager."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from config.problems import Wrong
from config.scope import Scope
from config.section import Section
from config.templates import TemplateText
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal, Unrenderable
from remediations.actions.managers.manager import ManagerFault, Order, Work
from remediations.actions.managers.registry import EVERY_OPERATION, KINDS, built
from remediations.actions.rendering import Renderer
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, PortError, Ports, TooLarge
from remediations.spec import Name
from remediations.spec_managers import ManagerSpec

MOST_MEMBERS = 1_000
REPEATABLE = frozenset({"stop", "start", "scale"})
"""Done twice they are as done once; a second restart is another one, a second undo goes back to what was undone."""


class ServiceArgs(Section):
    manager: Name
    restart: TemplateText | None = None
    stop: TemplateText | None = None
    start: TemplateText | None = None
    scale: TemplateText | None = None
    """A group: so many of its members run afterwards as `to` says."""
    undo: TemplateText | None = None
    """A rollout: back to what ran before it."""
    to: Annotated[int, Field(ge=0, le=MOST_MEMBERS)] | TemplateText | None = None
    max: Annotated[int, Field(ge=1, le=MOST_MEMBERS)] | None = None
    """Never more than this, whatever `to` gives."""
    timeout: Annotated[Duration, Field(gt=0, le=3600)] | None = None
    """For all of it, seeing that it took place included; left out: the manager's."""

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        given = [name for name in EVERY_OPERATION if getattr(self, name) is not None]
        if len(given) != 1:
            raise Wrong(
                "a service action does exactly one thing", f"give one of {', '.join(EVERY_OPERATION)}"
            )
        if (self.scale is not None) != (self.to is not None):
            raise Wrong("scale and to go together", "write {scale: GROUP, to: 4, max: 4}")
        if isinstance(self.to, str) and self.max is None:
            raise Wrong("to is calculated and has no bound", "add max")
        return self

    @property
    def operation(self) -> str:
        """The one that is given."""
        return next(name for name in EVERY_OPERATION if getattr(self, name) is not None)

    @property
    def unit(self) -> str:
        """What it is done to, as written."""
        return str(getattr(self, self.operation))


class ServiceAction:
    """See the module. `managers`: the configuration's section of that name; `pause` waits between two questions."""

    def __init__(
        self,
        managers: Mapping[str, ManagerSpec],
        reveal: Reveal,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._managers = managers
        self._reveal = reveal
        self._pause = pause or threading.Event().wait

    def render(self, args: ServiceArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        unit = renderer.place(args.unit)
        spec = self._managers.get(args.manager)
        timeout = args.timeout
        if spec is not None:
            unit = _named(spec, args.operation, unit)
            timeout = spec.timeout if timeout is None else timeout
        rendered: dict[str, Any] = {"manager": args.manager, "operation": args.operation, "unit": unit}
        if args.to is not None:
            rendered["to"] = min(_count(args.to, renderer), args.max or MOST_MEMBERS)
        if timeout is not None:
            rendered["timeout"] = timeout
        return rendered

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The unit at its manager."""
        del scope
        return frozenset({f"{rendered['manager']}/{rendered['unit']}"})

    def disruptive(self, rendered: Rendered) -> bool:
        del rendered
        return True

    def idempotent(self, rendered: Rendered) -> bool:
        return rendered["operation"] in REPEATABLE

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        del key  # no manager has a place for it; starts, stops and numbers are harmless to repeat
        spec = self._managers.get(rendered["manager"])
        if spec is None:
            effect = f"no manager is called {rendered['manager']}"
            return Outcome(OutcomeState.FAILED, effect, "", ports.clock.now())
        order = Order(rendered["operation"], rendered["unit"], rendered.get("to"))
        until = min(deadline, ports.clock.monotonic() + rendered.get("timeout", spec.timeout))
        work = Work(permit, ports.clock, until, self._pause)
        try:
            state = built(spec, ports, self._reveal).carry_out(order, work)
        except (Ambiguous, TooLarge) as error:
            # a question that went unanswered changed nothing; an order, or what came of it, is open
            state, work.said = work.open, str(error)
        except (ManagerFault, PortError) as error:
            state, work.said = OutcomeState.FAILED, str(error)
        nothing = "it was told to" if work.ordered else "nothing was changed"
        effect = f"{order.operation} {order.unit}: {'; '.join(work.steps) or nothing}"
        return Outcome(state, effect, work.said, ports.clock.now())


def _named(spec: ManagerSpec, operation: str, unit: str) -> str:
    """The unit as that type of manager names it. Raises `Unrenderable`."""
    kind = KINDS[spec.type]
    if operation not in kind.operations:
        raise Unrenderable(f"{kind.title} has no {operation}: it has {', '.join(kind.operations)}")
    try:
        return kind.named(operation, unit)
    except Wrong as wrong:
        raise Unrenderable(str(wrong)) from None


def _count(to: int | str, renderer: Renderer) -> int:
    text = str(to) if isinstance(to, int) else renderer.place(to)
    if not text.isdecimal() or int(text) > MOST_MEMBERS:
        raise Unrenderable(f"to gives {text!r}, which is no number of processes")
    return int(text)


def _fits(action: ServiceAction) -> Action[ServiceArgs]:
    """The type checker proves here that this kind is an action."""
    return action
