"""`service {manager, restart | stop | start | scale: UNIT, to, max}`: processes under a process manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from config.problems import Wrong
from config.scope import Scope
from config.section import Section
from config.templates import TemplateText
from remediations.actions.action import Action, Names, Permit, Rendered, Unrenderable
from remediations.actions.rendering import Renderer
from remediations.actions.supervisor import BAD_NAME, NOT_RUNNING, Supervisor, SupervisorFault, UnitState
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, PortError, Ports, TooLarge
from remediations.spec import ManagerSpec, Name

OPERATIONS = ("restart", "stop", "start", "scale")
MOST_MEMBERS = 1_000


class ServiceArgs(Section):
    manager: Name
    restart: TemplateText | None = None
    stop: TemplateText | None = None
    start: TemplateText | None = None
    scale: TemplateText | None = None
    """A group: so many of its members run afterwards as `to` says."""
    to: Annotated[int, Field(ge=0, le=MOST_MEMBERS)] | TemplateText | None = None
    max: Annotated[int, Field(ge=1, le=MOST_MEMBERS)] | None = None
    """Never more than this, whatever `to` gives."""

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        given = [name for name in OPERATIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise Wrong("a service action does exactly one thing", f"give one of {', '.join(OPERATIONS)}")
        if (self.scale is not None) != (self.to is not None):
            raise Wrong("scale and to go together", "write {scale: GROUP, to: 4, max: 4}")
        if isinstance(self.to, str) and self.max is None:
            raise Wrong("to is calculated and has no bound", "add max")
        return self


class ServiceAction:
    """See the module. `managers`: the configuration's section of that name."""

    def __init__(self, managers: Mapping[str, ManagerSpec]) -> None:
        self._managers = managers

    def render(self, args: ServiceArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        operation = next(name for name in OPERATIONS if getattr(args, name) is not None)
        rendered: dict[str, Any] = {
            "manager": args.manager,
            "operation": operation,
            "unit": renderer.place(getattr(args, operation)),
        }
        if args.to is not None:
            rendered["to"] = min(_count(args.to, renderer), args.max or MOST_MEMBERS)
        return rendered

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The unit at its manager."""
        del scope
        return frozenset({f"{rendered['manager']}/{rendered['unit']}"})

    def disruptive(self, rendered: Rendered) -> bool:
        del rendered
        return True

    def idempotent(self, rendered: Rendered) -> bool:
        return bool(rendered["operation"] != "restart")

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        del key  # XML-RPC has no place for it; starts and stops are harmless to repeat
        spec = self._managers.get(rendered["manager"])
        if spec is None:
            effect = f"no manager is called {rendered['manager']}"
            return Outcome(OutcomeState.FAILED, effect, "", ports.clock.now())
        work = _Work(Supervisor(ports.http, spec), permit, deadline)
        try:
            state = work.carry_out(rendered)
        except SupervisorFault as fault:
            state, work.said = OutcomeState.FAILED, str(fault)
        except (Ambiguous, TooLarge) as error:
            # a question that went unanswered changed nothing; an order, or what came of it, is open
            state, work.said = OutcomeState.UNKNOWN if work.ordered else OutcomeState.FAILED, str(error)
        except PortError as error:
            state, work.said = OutcomeState.FAILED, str(error)
        effect = (
            f"{rendered['operation']} {rendered['unit']}: {'; '.join(work.steps) or 'nothing was changed'}"
        )
        return Outcome(state, effect, work.said, ports.clock.now())


class _Work:
    """One order being carried out: what has been done so far, in words, survives whatever goes wrong after it."""

    def __init__(self, supervisor: Supervisor, permit: Permit, deadline: float) -> None:
        self._supervisor = supervisor
        self._permit = permit
        self._deadline = deadline
        self.steps: list[str] = []
        self.said = ""
        self.ordered = False

    def carry_out(self, rendered: Rendered) -> OutcomeState:
        unit = rendered["unit"]
        if rendered["operation"] == "scale":
            return self._scale(unit, rendered["to"])
        if rendered["operation"] == "restart" and _is_pattern(unit):
            return self._restart_all(unit)
        before = self._supervisor.unit_state(unit, deadline=self._deadline)
        if not self._permit.granted():
            self.steps.append("no permit")
            return OutcomeState.NOT_DONE
        if rendered["operation"] == "stop":
            return self._stop(before)
        if rendered["operation"] == "start":
            return self._start(before) if not before.running else self._already(f"running as {before.pid}")
        return self._restart(before)

    def _restart_all(self, pattern: str) -> OutcomeState:
        """One after the other; a pattern that fits nothing is an error, never "nothing to do"."""
        units = self._supervisor.matching(pattern, deadline=self._deadline)
        if not units:
            raise SupervisorFault(BAD_NAME, f"no process that should run fits {pattern}")
        worst = OutcomeState.DONE
        for unit in units:
            if not self._permit.granted():
                self.steps.append("no permit any more")
                return OutcomeState.UNKNOWN if self.ordered else OutcomeState.NOT_DONE
            try:
                if self._restart(unit) is not OutcomeState.DONE:
                    worst = OutcomeState.FAILED
            except SupervisorFault as fault:
                self.steps.append(f"{unit.name}: {fault}")
                worst = OutcomeState.FAILED
        return worst

    def _restart(self, before: UnitState) -> OutcomeState:
        """Stop it if it runs at all, start it, and see a process that is not the old one."""
        try:
            if before.stoppable:
                self._stop(before)
        except SupervisorFault as fault:
            if fault.code != NOT_RUNNING:
                raise
            self.steps.append(f"{before.name} had just ended")
        return self._start(before)

    def _stop(self, before: UnitState) -> OutcomeState:
        if not before.stoppable:
            return self._already(before.state.lower())
        self.ordered = True
        self._supervisor.stop(before.name, deadline=self._deadline)
        self.steps.append(f"stopped {before.name} ({before.pid})")
        return OutcomeState.DONE

    def _start(self, before: UnitState) -> OutcomeState:
        self.ordered = True
        self._supervisor.start(before.name, deadline=self._deadline)
        after = self._supervisor.unit_state(before.name, deadline=self._deadline)
        if not after.running or after.pid == before.pid:
            self.steps.append(f"{after.name} is {after.state.lower()} as {after.pid} after its start")
            return OutcomeState.FAILED
        self.steps.append(f"started {after.name} ({after.pid})")
        return OutcomeState.DONE

    def _scale(self, group: str, to: int) -> OutcomeState:
        members = self._supervisor.members(group, deadline=self._deadline)
        if not members:
            raise SupervisorFault(BAD_NAME, f"no group is called {group}")
        running = [unit for unit in members if unit.running]
        idle = [unit for unit in members if not unit.running]
        change = min(to, len(members)) - len(running)
        if change and not self._permit.granted():
            self.steps.append("no permit")
            return OutcomeState.NOT_DONE
        for unit in idle[: max(0, change)]:
            if self._start(unit) is not OutcomeState.DONE:
                return OutcomeState.FAILED
        for unit in reversed(running[change:] if change < 0 else []):
            self._stop(unit)
        self.steps.append(f"{len(running) + change} of {len(members)} run")
        if to > len(members):
            self.said = f"{to} were asked for, the group has {len(members)}"
        return OutcomeState.DONE if to <= len(members) else OutcomeState.FAILED

    def _already(self, state: str) -> OutcomeState:
        self.steps.append(f"already {state}")
        return OutcomeState.DONE


def _is_pattern(unit: str) -> bool:
    return any(char in unit for char in "*?[")


def _count(to: int | str, renderer: Renderer) -> int:
    text = str(to) if isinstance(to, int) else renderer.place(to)
    if not text.isdecimal() or int(text) > MOST_MEMBERS:
        raise Unrenderable(f"to gives {text!r}, which is no number of processes")
    return int(text)


def _fits(action: ServiceAction) -> Action[ServiceArgs]:
    """The type checker proves here that this kind is an action."""
    return action
