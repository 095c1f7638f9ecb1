"""supervisord by its XML-RPC interface over the Http port (supervisord.org, "XML-RPC API").

Only the calls that mending needs. The standard library encodes and decodes; the door carries, so that deadline, byte
cap and "was anything sent" hold here too. Proved against a real supervisord.
"""

from __future__ import annotations

import xmlrpc.client
from dataclasses import dataclass
from fnmatch import fnmatchcase
from xml.parsers.expat import ExpatError

from config.problems import Wrong
from remediations.actions.managers.manager import (
    Manager,
    ManagerFault,
    Operations,
    Order,
    Standing,
    UnitState,
    Work,
    one,
    replaced,
    stopped,
)
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, Http, Request
from remediations.spec_managers import SupervisorSpec

OPERATIONS = ("restart", "stop", "start", "scale")
MAX_ANSWER = 4_000_000
BAD_NAME = 10
NOT_RUNNING = 70
"""Fault codes of supervisord."""
STANDING = {
    "RUNNING": Standing.RUNNING,
    "STARTING": Standing.BETWEEN,
    "STOPPING": Standing.BETWEEN,
    "UNKNOWN": Standing.BETWEEN,
}
"""All others do not run. Only RUNNING has lasted its `startsecs`; BACKOFF has ended and waits for its next try."""
STOPPABLE = frozenset({"STARTING", "RUNNING", "BACKOFF"})
"""What supervisord itself calls running."""


class SupervisorFault(ManagerFault):
    """supervisord understood and refused: unknown name, spawn error, not running, …"""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(f"supervisord says {text} (fault {code})")


def named(operation: str, unit: str) -> str:
    """The unit as supervisord names it. Raises `Wrong`."""
    if operation != "restart" and _is_pattern(unit):
        raise Wrong(f"{operation} takes one unit, not a pattern: {unit}", "name it in full")
    return unit


@dataclass(frozen=True, slots=True)
class Process:
    """A process in supervisord's words. `name` is `group:process`, or the process alone in a group of its own."""

    name: str
    group: str
    state: str
    pid: int

    @property
    def running(self) -> bool:
        return self.state == "RUNNING" and self.pid > 0

    @property
    def unit(self) -> UnitState:
        standing = STANDING.get(self.state, Standing.DOWN)
        if standing is Standing.RUNNING and not self.pid:
            standing = Standing.DOWN
        identity = str(self.pid) if self.pid else ""
        return UnitState(self.name, standing, self.state.lower(), identity, self.state not in STOPPABLE)


class Supervisor:
    """See the module."""

    steady = 0.0
    """supervisord itself waits for a program's `startsecs`."""

    def __init__(self, http: Http, spec: SupervisorSpec) -> None:
        self._http = http
        self._spec = spec
        self._operations: Operations = {
            "restart": self._restart,
            "stop": lambda order, work: one(self, order, work),
            "start": lambda order, work: one(self, order, work),
            "scale": self._scale,
        }

    def state(self, unit: str, *, deadline: float) -> UnitState:
        return _process(self._call("getProcessInfo", unit, deadline=deadline)).unit

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        return self._operations[order.operation](order, work)

    def members(self, group: str, *, deadline: float) -> tuple[Process, ...]:
        """The processes of a group in the order of their numbers; empty when there is no such group."""
        listed = (one for one in self._list(deadline) if one.group == group)
        return tuple(sorted(listed, key=_by_number))

    def stop(self, before: UnitState, work: Work) -> None:
        """Returns when the process has ended (supervisord kills it after its `stopwaitsecs`)."""
        self._call("stopProcess", before.name, True, deadline=work.deadline)

    def start(self, before: UnitState, work: Work) -> None:
        """Returns when the process has lasted its `startsecs`."""
        self._call("startProcess", before.name, True, deadline=work.deadline)

    def restart(self, before: UnitState, work: Work) -> None:
        """Stop it if it runs at all, and start it."""
        if not before.idle:
            try:
                self.stop(before, work)
                work.steps.append(f"stopped {before.name} ({before.identity})")
            except SupervisorFault as fault:
                if fault.code != NOT_RUNNING:
                    raise
                work.steps.append(f"{before.name} had just ended")
        self.start(before, work)

    def _restart(self, order: Order, work: Work) -> OutcomeState:
        """A pattern: one after the other; one that fits nothing is an error, never "nothing to do"."""
        if not _is_pattern(order.unit):
            return one(self, order, work)
        worst = OutcomeState.DONE
        for unit in self._matching(order.unit, work.deadline):
            if not work.permitted():
                return OutcomeState.UNKNOWN if work.ordered else OutcomeState.NOT_DONE
            try:
                came = replaced(self, unit, work, again=True)
            except SupervisorFault as fault:
                work.steps.append(f"{unit.name}: {fault}")
                came = OutcomeState.FAILED
            if came is OutcomeState.UNKNOWN:
                return came
            worst = came if came is not OutcomeState.DONE else worst
        return worst

    def _scale(self, order: Order, work: Work) -> OutcomeState:
        """Start what is missing, stop the highest numbers, and count who runs afterwards."""
        to = order.to or 0
        members = self._group(order.unit, work.deadline)
        running = [process for process in members if process.running]
        idle = [process for process in members if not process.running]
        change = min(to, len(members)) - len(running)
        start, stop = idle[: max(0, change)], running[change:] if change < 0 else []
        for process in (*start, *reversed(stop)):
            if not work.permitted():
                return OutcomeState.UNKNOWN if work.ordered else OutcomeState.NOT_DONE
            if process in start:
                came = replaced(self, process.unit, work, again=False)
            else:
                came = stopped(self, process.unit, work)
            if came is not OutcomeState.DONE:
                return came
        run = sum(process.running for process in self.members(order.unit, deadline=work.deadline))
        work.steps.append(f"{run} of {len(members)} run")
        if to > len(members):
            work.said = f"{to} were asked for, the group has {len(members)}"
        return OutcomeState.DONE if run == to else OutcomeState.FAILED

    def _matching(self, pattern: str, deadline: float) -> tuple[UnitState, ...]:
        """Those whose name fits a shell pattern (`ingestion-*`), those stopped on purpose left out; never none."""
        fitting = (one for one in self._list(deadline) if fnmatchcase(one.name, pattern))
        units = tuple(process.unit for process in fitting if process.state != "STOPPED")
        if not units:
            raise SupervisorFault(BAD_NAME, f"no process that should run fits {pattern}")
        return units

    def _group(self, group: str, deadline: float) -> tuple[Process, ...]:
        """Its members; never none."""
        members = self.members(group, deadline=deadline)
        if not members:
            raise SupervisorFault(BAD_NAME, f"no group is called {group}")
        return members

    def _list(self, deadline: float) -> list[Process]:
        listed = self._call("getAllProcessInfo", deadline=deadline)
        if not isinstance(listed, list):
            raise Ambiguous("supervisord listed no processes")
        return [_process(item) for item in listed]

    def _call(self, method: str, *parameters: object, deadline: float) -> object:
        password = self._spec.password
        request = Request(
            "POST",
            self._spec.url if self._spec.url.startswith("unix://") else f"{self._spec.url.rstrip('/')}/RPC2",
            headers={"Content-Type": "text/xml"},
            body=xmlrpc.client.dumps(parameters, f"supervisor.{method}").encode(),  # type: ignore[arg-type]  # the stubs leave bool and str out
            path="/RPC2",
            basic_auth=None if password is None else (self._spec.username or "", password.reveal()),
        )
        response = self._http.send(request, deadline=deadline, max_bytes=MAX_ANSWER)
        if response.status != 200:
            raise SupervisorFault(response.status, f"HTTP {response.status} to {method}")
        try:
            values, _ = xmlrpc.client.loads(response.body)
        except xmlrpc.client.Fault as fault:
            raise SupervisorFault(fault.faultCode, fault.faultString) from None
        except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, KeyError, IndexError) as error:
            raise Ambiguous(f"the answer to {method} is no XML-RPC: {error}") from error
        return values[0] if values else None


def _process(info: object) -> Process:
    if not isinstance(info, dict):
        raise Ambiguous("supervisord described no process")
    name, group = str(info.get("name", "")), str(info.get("group", ""))
    return Process(
        name=name if name == group else f"{group}:{name}",
        group=group,
        state=str(info.get("statename", "UNKNOWN")),
        pid=int(info.get("pid") or 0),
    )


def _by_number(process: Process) -> tuple[int, str]:
    digits = process.name.rpartition("-")[2]
    return (int(digits) if digits.isdecimal() else -1, process.name)


def _is_pattern(unit: str) -> bool:
    return any(char in unit for char in "*?[")


def _fits(manager: Supervisor) -> Manager:
    """The type checker proves here that it is one."""
    return manager
