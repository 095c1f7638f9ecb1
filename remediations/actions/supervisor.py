"""A client of supervisord's XML-RPC interface over the Http port (supervisord.org, "XML-RPC API").

Only the calls that mending needs. The standard library encodes and decodes; the door carries, so that deadline, byte
cap and "was anything sent" hold here too.
"""

from __future__ import annotations

import xmlrpc.client
from dataclasses import dataclass
from fnmatch import fnmatchcase
from xml.parsers.expat import ExpatError

from remediations.ports import Ambiguous, Http, Request
from remediations.spec import ManagerSpec

MAX_ANSWER = 4_000_000
BAD_NAME = 10
NOT_RUNNING = 70
"""Fault codes of supervisord."""
RUNNING_STATES = frozenset({"STARTING", "RUNNING", "BACKOFF"})
"""What supervisord itself calls running; only RUNNING has lasted its `startsecs`."""


class SupervisorFault(Exception):
    """supervisord understood and refused: unknown name, spawn error, not running, …"""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(f"supervisord says {text} (fault {code})")


@dataclass(frozen=True, slots=True)
class UnitState:
    """A process as supervisord sees it. `name` is `group:process`, or the process alone in a group of its own."""

    name: str
    group: str
    state: str
    pid: int

    @property
    def running(self) -> bool:
        return self.state == "RUNNING" and self.pid > 0

    @property
    def stoppable(self) -> bool:
        return self.state in RUNNING_STATES


class Supervisor:
    """Every method may raise `PortError` or `SupervisorFault`. `deadline`: monotonic seconds."""

    def __init__(self, http: Http, spec: ManagerSpec) -> None:
        self._http = http
        self._spec = spec

    def unit_state(self, unit: str, *, deadline: float) -> UnitState:
        """What supervisord knows of one process; also a witness for corroboration (`{manager, unit, is: down}`)."""
        return _unit(self._call("getProcessInfo", unit, deadline=deadline))

    def members(self, group: str, *, deadline: float) -> tuple[UnitState, ...]:
        """The processes of a group in the order of their numbers; empty when there is no such group."""
        listed = self._call("getAllProcessInfo", deadline=deadline)
        if not isinstance(listed, list):
            raise Ambiguous("supervisord listed no processes")
        units = (_unit(item) for item in listed)
        return tuple(sorted((unit for unit in units if unit.group == group), key=_by_number))

    def matching(self, pattern: str, *, deadline: float) -> tuple[UnitState, ...]:
        """The processes whose name fits a shell pattern (`ingestion-*`), those stopped on purpose left out."""
        listed = self._call("getAllProcessInfo", deadline=deadline)
        if not isinstance(listed, list):
            raise Ambiguous("supervisord listed no processes")
        units = (_unit(item) for item in listed)
        return tuple(unit for unit in units if fnmatchcase(unit.name, pattern) and unit.state != "STOPPED")

    def start(self, unit: str, *, deadline: float) -> None:
        """Returns when the process has lasted its `startsecs`."""
        self._call("startProcess", unit, True, deadline=deadline)

    def stop(self, unit: str, *, deadline: float) -> None:
        """Returns when the process has ended (supervisord kills it after its `stopwaitsecs`)."""
        self._call("stopProcess", unit, True, deadline=deadline)

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


def _unit(info: object) -> UnitState:
    if not isinstance(info, dict):
        raise Ambiguous("supervisord described no process")
    name, group = str(info.get("name", "")), str(info.get("group", ""))
    return UnitState(
        name=name if name == group else f"{group}:{name}",
        group=group,
        state=str(info.get("statename", "UNKNOWN")),
        pid=int(info.get("pid") or 0),
    )


def _by_number(unit: UnitState) -> tuple[int, str]:
    digits = unit.name.rpartition("-")[2]
    return (int(digits) if digits.isdecimal() else -1, unit.name)
