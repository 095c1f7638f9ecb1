"""A Docker Engine in memory, after the public reference of its API: containers, and the services of a swarm."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.rest import Asked, Refused, Said

GONE = "0001-01-01T00:00:00Z"


@dataclass
class Container:
    """`liar`: orders are accepted and nothing happens. `dies`: it ends so many looks after each start.

    `health`: the words of its health check, one a look, the last one for ever; none: it has no check.
    """

    name: str
    number: int = 1
    status: str = "running"
    liar: bool = False
    wont_start: bool = False
    dies: int | None = None
    health: tuple[str, ...] = ()
    seen: int = 0

    @property
    def running(self) -> bool:
        return self.status == "running"

    def start(self) -> None:
        self.number, self.status, self.seen = self.number + 1, "running", 0

    def told(self) -> dict[str, Any]:
        self.seen += 1
        if self.dies is not None and self.running and self.number > 1 and self.seen > self.dies:
            self.status = "exited"
        state: dict[str, Any] = {
            "Status": self.status,
            "Running": self.running,
            "Paused": False,
            "Restarting": self.status == "restarting",
            "Dead": self.status == "dead",
            "Pid": 4000 + self.number if self.running else 0,
            "ExitCode": 0,
            "StartedAt": f"2026-01-05T08:00:{self.number:02}.459876391Z" if self.number else GONE,
        }
        if self.health:
            state["Health"] = {"Status": self.health[min(self.seen, len(self.health)) - 1]}
        return {"Id": f"{self.number:064}", "Name": f"/{self.name}", "State": state}


@dataclass
class SwarmService:
    """`breaks`: tasks of a new specification never run, and the swarm pauses its update. `stuck`: nothing happens."""

    name: str
    replicas: int | None = 2
    image: str = "ingestion:v1"
    breaks: bool = False
    stuck: bool = False
    version: int = 10
    previous: dict[str, Any] | None = None
    update: str = ""
    made: int = 0

    def __post_init__(self) -> None:
        mode = {"Global": {}} if self.replicas is None else {"Replicated": {"Replicas": self.replicas}}
        self.spec: dict[str, Any] = {
            "Name": self.name,
            "Labels": {"team": "fleet"},
            "TaskTemplate": {"ContainerSpec": {"Image": self.image}, "ForceUpdate": 0},
            "Mode": mode,
        }
        self.tasks: list[dict[str, Any]] = []
        while len(self.tasks) < self.wanted:
            self._new_task()

    @property
    def wanted(self) -> int:
        replicated = self.spec["Mode"].get("Replicated")
        return 2 if replicated is None else int(replicated["Replicas"])

    def told(self) -> dict[str, Any]:
        told = {"ID": f"id-of-{self.name}", "Version": {"Index": self.version}, "Spec": self.spec}
        if self.previous is not None:
            told["PreviousSpec"] = self.previous
        if self.update:
            told["UpdateStatus"] = {"State": self.update, "Message": ""}
        return copy.deepcopy(told)

    def change(self, spec: dict[str, Any], *, back: bool) -> None:
        was, self.version = self.spec, self.version + 1
        self.spec = copy.deepcopy(self.previous or {}) if back else spec
        self.previous = was
        changed = was["TaskTemplate"] != self.spec["TaskTemplate"]
        self.update = ("rollback_started" if back else "updating") if changed else ""

    def look(self) -> list[dict[str, Any]]:
        """The tasks that are to run; every look brings the swarm one step on."""
        if not self.stuck:
            self._step()
        return copy.deepcopy(self.tasks)

    def _step(self) -> None:
        old = [task for task in self.tasks if task["Spec"] != self.spec["TaskTemplate"]]
        if old and self.breaks and not self.update.startswith("rollback"):
            self.update = "paused"
        elif old:
            self.tasks.remove(old[0])
            self._new_task()
        elif len(self.tasks) < self.wanted:
            self._new_task()
        elif len(self.tasks) > self.wanted:
            self.tasks.pop()
        elif self.update in {"updating", "rollback_started"}:
            self.update = "completed" if self.update == "updating" else "rollback_completed"

    def _new_task(self) -> None:
        self.made += 1
        self.tasks.append(
            {
                "ID": f"task-{self.made}",
                "Spec": copy.deepcopy(self.spec["TaskTemplate"]),
                "Status": {"State": "running"},
                "DesiredState": "running",
            }
        )


@dataclass
class FakeDocker:
    """`orders`: what was told to change, in order. `refuses`: beginnings of paths that a proxy does not let pass."""

    api: str = "1.47"
    containers: dict[str, Container] = field(default_factory=dict)
    services: dict[str, SwarmService] = field(default_factory=dict)
    swarm: bool = True
    orders: list[str] = field(default_factory=list)
    refuses: tuple[str, ...] = ()
    errors: dict[str, Said] = field(default_factory=dict)
    """Operation -> what is answered in its place."""

    def add(self, name: str, **more: Any) -> Container:
        return self.containers.setdefault(name, Container(name, **more))

    def add_service(self, name: str, **more: Any) -> SwarmService:
        return self.services.setdefault(name, SwarmService(name, **more))

    def answer(self, asked: Asked) -> Said:
        try:
            return self._answer(asked)
        except Refused as refused:
            return refused.said

    def _answer(self, asked: Asked) -> Said:
        if asked.path == "/_ping":
            return Said(200, b"OK", {"Api-Version": self.api, "Server": "Docker/27"})
        spoken = re.match(r"/v(\d+)\.(\d+)(?=/)", asked.path)
        if spoken is None:
            raise _error(404, "page not found")
        newest = tuple(int(part) for part in self.api.split("."))
        if (int(spoken[1]), int(spoken[2])) > newest:
            raise _error(
                400, f"client version {spoken[0][2:]} is too new. Maximum supported API version is {self.api}"
            )
        path = asked.path[spoken.end() :]
        if path.startswith(self.refuses) and self.refuses:
            raise Refused(403, b"<html><body><h1>403 Forbidden</h1></body></html>")
        parts = path.strip("/").split("/")
        if parts[0] == "containers" and len(parts) == 3:
            return self._container(asked, parts[1], parts[2])
        if parts[0] in {"services", "tasks"}:
            return self._swarm(asked, parts)
        raise _error(404, "page not found")

    def _container(self, asked: Asked, name: str, what: str) -> Said:
        container = self.containers.get(name)
        if container is None:
            raise _error(404, f"No such container: {name}")
        if (asked.method, what) == ("GET", "json"):
            return Said(200, container.told())
        if asked.method != "POST" or what not in {"restart", "stop", "start"}:
            raise _error(404, "page not found")
        self.orders.append(f"{what} {name}" + (f" t={asked.query['t']}" if "t" in asked.query else ""))
        if what in self.errors:
            return self.errors[what]
        return Said(204 if container.liar else _carried_out(container, what))

    def _swarm(self, asked: Asked, parts: list[str]) -> Said:
        if not self.swarm:
            raise _error(503, "This node is not a swarm manager.")
        if parts == ["tasks"]:
            filters = json.loads(asked.query["filters"])
            assert filters["desired-state"] == ["running"]
            (name,) = filters["service"]
            return Said(200, self.services[name].look())
        service = self.services.get(parts[1])
        if service is None:
            raise _error(404, f"service {parts[1]} not found")
        if asked.method == "GET":
            return Said(200, service.told())
        self.orders.append(f"update {service.name}" + (" rollback" if "rollback" in asked.query else ""))
        if "update" in self.errors:
            return self.errors["update"]
        if asked.query.get("version") != str(service.version):
            raise _error(500, "rpc error: code = Unknown desc = update out of sequence")
        service.change(asked.json, back=asked.query.get("rollback") == "previous")
        return Said(200, {"Warnings": None})


def _carried_out(container: Container, what: str) -> int:
    """The status of an order that was obeyed: 204, or 304 where it was so already."""
    was = container.running
    if what == "stop":
        container.status = "exited"
        return 204 if was else 304
    if what == "start" and was:
        return 304
    if container.wont_start:
        container.status = "exited"
        raise _error(500, f"driver failed programming external connectivity on endpoint {container.name}")
    container.start()
    return 204


def _error(status: int, message: str) -> Refused:
    return Refused(status, {"message": message})
