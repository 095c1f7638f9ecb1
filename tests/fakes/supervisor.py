"""A supervisord in memory: speaks its XML-RPC through `FakeHttp`, obeys start and stop, can be told to misbehave."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import FakeHttp, answer


@dataclass
class Program:
    group: str
    name: str
    state: str = "RUNNING"
    pid: int = 0
    wont_start: bool = False
    liar: bool = False
    """Orders are accepted and nothing happens."""

    @property
    def full_name(self) -> str:
        return self.name if self.name == self.group else f"{self.group}:{self.name}"


@dataclass
class FakeSupervisor:
    """`calls`: every method called with its arguments, in order. `raises`: method -> error instead of an answer."""

    programs: list[Program] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    raises: dict[str, PortError] = field(default_factory=dict)
    next_pid: int = 100

    def add(self, group: str, name: str | None = None, state: str = "RUNNING", **more: Any) -> Program:
        self.next_pid += 1
        pid = self.next_pid if state == "RUNNING" else 0
        self.programs.append(Program(group, name or group, state, pid, **more))
        return self.programs[-1]

    def serve(self, http: FakeHttp, url: str) -> None:
        http.on("POST", url, self.respond)

    def respond(self, request: Request) -> Response:
        parameters, method = xmlrpc.client.loads(request.body or b"")
        name = (method or "").removeprefix("supervisor.")
        self.calls.append((name, *parameters))
        if name in self.raises:
            raise self.raises[name]
        try:
            value = self._methods[name](*parameters)
        except xmlrpc.client.Fault as fault:
            return answer(200, xmlrpc.client.dumps(fault))
        return answer(200, xmlrpc.client.dumps((value,), methodresponse=True))

    @property
    def _methods(self) -> dict[str, Callable[..., Any]]:
        return {
            "getProcessInfo": self._process_info,
            "getAllProcessInfo": self._all_process_info,
            "startProcess": self._start_process,
            "stopProcess": self._stop_process,
        }

    @property
    def orders(self) -> list[tuple[Any, ...]]:
        """The calls that change something, without the wait flag."""
        return [call[:2] for call in self.calls if call[0] in {"startProcess", "stopProcess"}]

    def _find(self, unit: str) -> Program:
        for program in self.programs:
            if unit == program.full_name:
                return program
        raise xmlrpc.client.Fault(10, f"BAD_NAME: {unit}")

    def _process_info(self, unit: str) -> dict[str, Any]:
        return self._info(self._find(unit))

    def _all_process_info(self) -> list[dict[str, Any]]:
        return [self._info(program) for program in self.programs]

    def _start_process(self, unit: str, _wait: bool) -> bool:
        program = self._find(unit)
        if program.liar:
            return True
        if program.state == "RUNNING":
            raise xmlrpc.client.Fault(60, f"ALREADY_STARTED: {unit}")
        if program.wont_start:
            program.state = "FATAL"
            raise xmlrpc.client.Fault(50, f"SPAWN_ERROR: {unit}")
        self.next_pid += 1
        program.state, program.pid = "RUNNING", self.next_pid
        return True

    def _stop_process(self, unit: str, _wait: bool) -> bool:
        program = self._find(unit)
        if program.liar:
            return True
        if program.state != "RUNNING":
            raise xmlrpc.client.Fault(70, f"NOT_RUNNING: {unit}")
        program.state, program.pid = "STOPPED", 0
        return True

    @staticmethod
    def _info(program: Program) -> dict[str, Any]:
        return {
            "name": program.name,
            "group": program.group,
            "statename": program.state,
            "pid": program.pid,
        }
