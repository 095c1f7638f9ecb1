"""A Docker Engine by its API over the Http port: containers here, the services of a swarm in `swarm.py`.

Every start of a container has a start time and a process of its own. Proved against an Engine made for the tests
after the public API reference, not against a Docker.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any
from urllib.parse import quote

from config.problems import Wrong
from remediations.actions.managers.answers import at, count, decoded, exchange, text
from remediations.actions.managers.manager import Manager, ManagerFault, Order, Standing, UnitState, Work, one
from remediations.actions.managers.swarm import SERVICE, Swarm
from remediations.outcome import OutcomeState
from remediations.ports import Http, Request, Response
from remediations.spec_managers import DockerSpec

OPERATIONS = ("restart", "stop", "start", "scale", "undo")
OF_CONTAINERS = ("restart", "stop", "start")
OF_SERVICES = ("restart", "scale", "undo")
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)
VERSION = re.compile(r"\d{1,3}\.\d{1,3}", re.ASCII)
DONE, SO_ALREADY = 204, 304
IDLE = frozenset({"created", "exited", "dead"})


def named(operation: str, unit: str) -> str:
    """The unit, a container or `service/NAME`. Raises `Wrong`."""
    service = unit.startswith(SERVICE)
    if not NAME.fullmatch(unit.removeprefix(SERVICE)):
        raise Wrong(f"no name of a container: {unit}", "write NAME, or service/NAME for a service of a swarm")
    known = (*(OF_SERVICES if service else OF_CONTAINERS), "state")
    if operation not in known:
        what = "services of a swarm" if service else "containers"
        raise Wrong(f"Docker has no {operation} for {what}", f"it has {', '.join(known[:-1])}")
    return unit


class Engine:
    """The calls; what is refused raises `ManagerFault`."""

    def __init__(self, http: Http, spec: DockerSpec) -> None:
        self._http = http
        self._spec = spec
        self._spoken: str | None = None
        """Of the address: `/v1.47`. Asked anew with every question, so that an order is one call and no more."""

    def get(self, path: str, *, deadline: float, **query: str) -> Any:
        self._spoken = self._version(deadline)
        return decoded(self._send("GET", path, query, deadline=deadline, fine=(200,)))

    def post(
        self, path: str, *, deadline: float, fine: tuple[int, ...], body: Any = None, **query: str
    ) -> Response:
        return self._send("POST", path, query, deadline=deadline, fine=fine, body=body)

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        deadline: float,
        fine: tuple[int, ...],
        body: Any = None,
    ) -> Response:
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        spoken = self._version(deadline) if self._spoken is None else self._spoken
        whole = f"{spoken}{path}{f'?{asked}' if asked else ''}"
        request = self._request(method, whole, None if body is None else json.dumps(body).encode())
        return exchange(self._http, request, deadline=deadline, fine=fine)

    def _version(self, deadline: float) -> str:
        """`/v1.47`: the newest that the Engine speaks; it refuses newer ones and gives up the oldest."""
        answer = exchange(self._http, self._request("GET", "/_ping", None), deadline=deadline, fine=(200,))
        headers = {name.lower(): value for name, value in answer.headers.items()}
        spoken = headers.get("api-version", "")
        return f"/v{spoken}" if VERSION.fullmatch(spoken) else ""

    def _request(self, method: str, path: str, body: bytes | None) -> Request:
        url = self._spec.url
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if url.startswith("unix://"):
            return Request(method, url, headers=headers, body=body, path=path)
        return Request(
            method, f"{url.rstrip('/')}{path}", headers=headers, body=body, tls=self._spec.tls.files
        )


class Docker:
    """See the module."""

    def __init__(self, http: Http, spec: DockerSpec) -> None:
        self._engine = Engine(http, spec)
        self._swarm = Swarm(self._engine)
        self._spec = spec

    @property
    def steady(self) -> float:
        return self._spec.steady

    def state(self, unit: str, *, deadline: float) -> UnitState:
        try:
            named("state", unit)
        except Wrong as wrong:
            raise ManagerFault(str(wrong)) from None
        if unit.startswith(SERVICE):
            return self._swarm.state(unit, deadline=deadline)
        return _container(unit, self._engine.get(f"/containers/{unit}/json", deadline=deadline))

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        if order.unit.startswith(SERVICE):
            return self._swarm.carry_out(order, work)
        return one(self, order, work)

    def stop(self, before: UnitState, work: Work) -> None:
        """Returns when it has ended; the Engine kills it after its time to stop."""
        self._tell("stop", before, work, **self._time_to_stop)

    def start(self, before: UnitState, work: Work) -> None:
        self._tell("start", before, work)

    def restart(self, before: UnitState, work: Work) -> None:
        """One call; it starts what does not run, too."""
        self._tell("restart", before, work, **self._time_to_stop)

    @property
    def _time_to_stop(self) -> dict[str, str]:
        seconds = self._spec.stop_timeout
        return {} if seconds is None else {"t": str(math.ceil(seconds))}

    def _tell(self, what: str, before: UnitState, work: Work, **query: str) -> None:
        self._engine.post(
            f"/containers/{before.name}/{what}", deadline=work.deadline, fine=(DONE, SO_ALREADY), **query
        )


def _container(unit: str, told: Any) -> UnitState:
    """`State` of an inspected container. One with a health check runs only once it is healthy."""
    status, health = text(told, "State", "Status"), text(told, "State", "Health", "Status")
    if not status:
        raise ManagerFault(f"Docker says nothing of {unit}")
    standing = Standing.DOWN
    if status == "running" and at(told, "State", "Running") is True:
        standing = Standing.BETWEEN if health == "starting" else Standing.RUNNING
    said = f"{status} ({health})" if health not in {"", "none"} else status
    identity = ""
    if standing is not Standing.DOWN:
        identity = f"process {count(told, 'State', 'Pid')} since {text(told, 'State', 'StartedAt')}"
    return UnitState(unit, standing, said, identity, status in IDLE)


def _fits(manager: Docker) -> Manager:
    """The type checker proves here that it is one."""
    return manager
