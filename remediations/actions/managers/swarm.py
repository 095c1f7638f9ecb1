"""The services of a Docker swarm: restarted (tasks replaced), scaled and rolled back by an update, then looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from remediations.actions.managers.answers import at, count, listed, text
from remediations.actions.managers.manager import ManagerFault, Operations, Order, Standing, UnitState, Work
from remediations.outcome import OutcomeState
from remediations.ports import Response

SERVICE = "service/"
"""How a service is told from a container."""
FAILED = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
"""States of an update that was given up; a rollback that was asked for ends in `rollback_completed`."""


KEPT = "dev.fleetmend.before"
"""Label of a service that was restarted or scaled after a rollout: the swarm keeps one specification before the current,
and that one runs the same from then on. Holds what its tasks ran before the rollout, and a digest of what they run."""
MOST_KEPT = 64_000
"""Characters of it: a label goes through every manager of the swarm."""


class Calls(Protocol):
    """What is used of the Engine."""

    def get(self, path: str, *, deadline: float, **query: str) -> Any: ...

    def post(
        self, path: str, *, deadline: float, fine: tuple[int, ...], body: Any = None, **query: str
    ) -> Response: ...


@dataclass(frozen=True, slots=True)
class _Service:
    """A service and its tasks that are to run; `running`: ids of those that do."""

    told: Mapping[str, Any]
    wanted: int
    tasks: frozenset[str]
    running: frozenset[str]

    @property
    def version(self) -> int:
        return count(self.told, "Version", "Index")

    @property
    def update(self) -> str:
        return text(self.told, "UpdateStatus", "State")

    def __str__(self) -> str:
        return f"{len(self.running)} of {self.wanted} tasks run"


class Swarm:
    """See the module."""

    def __init__(self, engine: Calls) -> None:
        self._engine = engine
        self._operations: Operations = {"restart": self._restart, "scale": self._scale, "undo": self._undo}

    def state(self, unit: str, *, deadline: float) -> UnitState:
        service = self._look(unit, deadline)
        standing = Standing.RUNNING if service.running else Standing.DOWN
        if not service.running and service.update == "updating":
            standing = Standing.BETWEEN
        identity = f"version {service.version}" if service.running else ""
        return UnitState(unit, standing, str(service), identity, idle=service.wanted == 0)

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        return self._operations[order.operation](order, work)

    def _restart(self, order: Order, work: Work) -> OutcomeState:
        """As `docker service update --force` does it: the same specification, every task replaced."""
        before = self._able(order, work.deadline)
        spec = _changed(before.told, ("TaskTemplate", "ForceUpdate"), lambda old: (old or 0) + 1)
        _keep(before.told, spec)
        if not self._update(order.unit, before, spec, work):
            return OutcomeState.NOT_DONE

        def new_ones(now: _Service) -> bool:
            return len(now.running) >= now.wanted and now.tasks.isdisjoint(before.tasks)

        return self._await(order.unit, before, new_ones, work)

    def _scale(self, order: Order, work: Work) -> OutcomeState:
        to = order.to or 0
        before = self._able(order, work.deadline)
        if before.wanted != to:
            spec = _changed(before.told, ("Mode", "Replicated", "Replicas"), lambda _: to)
            _keep(before.told, spec)
            if not self._update(order.unit, before, spec, work):
                return OutcomeState.NOT_DONE
        return self._await(
            order.unit,
            before,
            lambda now: now.wanted == to and len(now.running) == to == len(now.tasks),
            work,
        )

    def _undo(self, order: Order, work: Work) -> OutcomeState:
        """The specification before the last rollout: by the swarm itself, or what was kept of it over restarts since."""
        before = self._able(order, work.deadline)
        if _ran_something_else(before.told):
            wanted = at(before.told, "PreviousSpec", "TaskTemplate")
            spec, how = dict(at(before.told, "Spec")), {"rollback": "previous"}
        else:
            wanted, how = _kept(before.told), {}
            spec = _changed(before.told, ("TaskTemplate",), lambda _: wanted)
            spec["Labels"].pop(KEPT, None)
        if not self._update(order.unit, before, spec, work, **how):
            return OutcomeState.NOT_DONE

        def back(now: _Service) -> bool:
            runs = digest(at(now.told, "Spec", "TaskTemplate")) == digest(wanted)
            return runs and len(now.running) >= now.wanted

        given_up = FAILED - {"rollback_started", "rollback_completed"}
        return self._await(order.unit, before, back, work, given_up)

    def _update(self, unit: str, before: _Service, spec: Mapping[str, Any], work: Work, **query: str) -> bool:
        """False without a permit. The version makes it fail when somebody else changed the service meanwhile."""
        if not work.permitted():
            return False
        work.ordered = True
        self._engine.post(
            f"/services/{_name(unit)}/update",
            deadline=work.deadline,
            fine=(200,),
            body=spec,
            version=str(before.version),
            **query,
        )
        return True

    def _await(
        self,
        unit: str,
        before: _Service,
        reached: Callable[[_Service], bool],
        work: Work,
        failed: frozenset[str] = FAILED,
    ) -> OutcomeState:
        """Until the tasks are seen to be so. An update that the swarm gives up is a failure at once."""

        def look() -> OutcomeState | None:
            now = self._look(unit, work.deadline)
            work.said = f"{now}{f', update {now.update}' if now.update else ''}"
            if now.version != before.version and now.update in failed:
                return OutcomeState.FAILED
            settled = not work.ordered or (
                now.version != before.version and now.update not in {"updating", "rollback_started"}
            )
            return OutcomeState.DONE if settled and reached(now) else None

        came = work.ask_until(look)
        work.steps.append(work.said)
        return came or work.open

    def _able(self, order: Order, deadline: float) -> _Service:
        """The service, as far as it can be told this at all. Raises `ManagerFault`."""
        service = self._look(order.unit, deadline)
        reason = {
            "restart": "" if service.wanted else "it is scaled to 0: there is nothing to restart",
            "scale": ""
            if at(service.told, "Spec", "Mode", "Replicated") is not None
            else "it runs on every node (mode global): it has no number to set",
            "undo": ""
            if _ran_something_else(service.told) or _kept(service.told) is not None
            else "no specification that ran something else is kept",
        }[order.operation]
        if reason:
            raise ManagerFault(f"{order.unit}: {reason}")
        return service

    def _look(self, unit: str, deadline: float) -> _Service:
        name = _name(unit)
        told = self._engine.get(f"/services/{name}", deadline=deadline)
        filters = json.dumps({"service": [name], "desired-state": ["running"]})
        tasks = [
            (text(task, "ID"), text(task, "Status", "State"))
            for task in listed(self._engine.get("/tasks", deadline=deadline, filters=filters))
        ]
        ids = frozenset(task for task, _ in tasks)
        replicated = at(told, "Spec", "Mode", "Replicated") is not None
        wanted = count(told, "Spec", "Mode", "Replicated", "Replicas") if replicated else len(ids)
        return _Service(told, wanted, ids, frozenset(task for task, state in tasks if state == "running"))


def _ran_something_else(told: Mapping[str, Any]) -> bool:
    """Whether the specification before differs in what the tasks run; a restart or a scaling is no rollout to undo."""
    now, before = at(told, "Spec", "TaskTemplate"), at(told, "PreviousSpec", "TaskTemplate")
    return before is not None and digest(now) != digest(before)


def digest(template: Mapping[str, Any]) -> str:
    """Tells whether tasks run the same, however often they were restarted."""
    written = json.dumps({**template, "ForceUpdate": 0}, sort_keys=True)
    return hashlib.blake2s(written.encode(), digest_size=16).hexdigest()


def _keep(told: Mapping[str, Any], spec: dict[str, Any]) -> None:
    """Write into `spec` what its tasks ran before the last rollout, which the swarm forgets by this update."""
    before = at(told, "PreviousSpec", "TaskTemplate") if _ran_something_else(told) else _kept(told)
    labels = {name: value for name, value in (spec.get("Labels") or {}).items() if name != KEPT}
    if before is not None:
        kept = json.dumps({"of": digest(spec["TaskTemplate"]), "template": before})
        labels |= {KEPT: kept} if len(kept) <= MOST_KEPT else {}
    if labels or "Labels" in spec:
        spec["Labels"] = labels


def _kept(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was kept; None when there is nothing, or somebody rolled out since, so that it is of another rollout."""
    try:
        kept = json.loads(at(told, "Spec", "Labels", KEPT) or "null")
    except ValueError:
        return None
    template, of = at(kept, "template"), at(kept, "of")
    same = isinstance(template, dict) and of == digest(at(told, "Spec", "TaskTemplate"))
    return {**template, "ForceUpdate": _forced(told) + 1} if same else None


def _forced(told: Mapping[str, Any]) -> int:
    return count(told, "Spec", "TaskTemplate", "ForceUpdate")


def _name(unit: str) -> str:
    return unit.removeprefix(SERVICE)


def _changed(told: Mapping[str, Any], path: tuple[str, ...], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of the service's specification with one value changed; an update has to send all of it."""
    spec: dict[str, Any] = json.loads(json.dumps(at(told, "Spec")))
    place = spec
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = change(place.get(path[-1]))
    return spec
