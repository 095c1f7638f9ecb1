"""One row for every kind of action: how it is written, a world in which it works, and what it did to that world.

A new kind is held against the conformance suite (`tests/contract/test_actions.py`) by its row here; behind an `@`
stands which way of it, such as the type of process manager.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.secrets import Environment, Secret
from remediations.ports import Ambiguous, Command, Exit, Ports, Request, Response
from remediations.spec_managers import DockerSpec, KubernetesSpec, ManagerSpec, SupervisorSpec, SystemdSpec
from tests.fakes.docker import FakeDocker
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.ports import FakePorts, answer
from tests.fakes.rest import behind
from tests.fakes.supervisor import FakeSupervisor
from tests.fakes.systemctl import FakeSystemd

CANARY = "canary-0f3a9c"
ENVIRONMENT = Environment({"TOKEN": CANARY, "DSN": f"postgresql://fleet:{CANARY}@hot-db/fleet"})
SOCKET = "unix:///run/supervisor.sock"
ENGINE = "unix:///var/run/docker.sock"
CLUSTER = "https://kubernetes.default.svc"
MANAGERS: Mapping[str, ManagerSpec] = {
    "pipeline": SupervisorSpec(type="supervisor", url=SOCKET),
    "machine": SystemdSpec(type="systemd"),
    "engine": DockerSpec(type="docker"),
    "cluster": KubernetesSpec(type="kubernetes", namespace="pipeline", url=CLUSTER, token=Secret(CANARY)),
}
TOKEN = {"env": "TOKEN"}


@dataclass
class World(FakePorts):
    """The fakes, a process manager of each type, and every deadline that a door was given (monotonic seconds)."""

    supervisor: FakeSupervisor = field(default_factory=FakeSupervisor)
    systemd: FakeSystemd = field(default_factory=FakeSystemd)
    docker: FakeDocker = field(default_factory=FakeDocker)
    cluster: FakeKubernetes = field(default_factory=lambda: FakeKubernetes(tokens={CANARY}))
    deadlines: list[float] = field(default_factory=list)

    @property
    def watched(self) -> Ports:
        """What an action is handed: the same doors, with the deadlines written down."""
        inner = self.ports
        return Ports(_Http(self), _Processes(self), inner.files, _Databases(self), inner.clock)


class _Http:
    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        self._world.deadlines.append(deadline)
        return self._world.http.send(request, deadline=deadline, max_bytes=max_bytes)


class _Processes:
    def __init__(self, world: World) -> None:
        self._world = world

    def run(self, command: Command, *, deadline: float) -> Exit:
        self._world.deadlines.append(deadline)
        return self._world.processes.run(command, deadline=deadline)


class _Databases:
    def __init__(self, world: World) -> None:
        self._world = world

    def execute(self, dsn: str, statement: str, *, deadline: float) -> tuple[tuple[object, ...], ...]:
        self._world.deadlines.append(deadline)
        return self._world.databases.execute(dsn, statement, deadline=deadline)


@dataclass(frozen=True)
class Kind:
    """`written`: the arguments, with `{{ scope.tier }}` in them. `places`: more ways to put a label into them.

    `ready`: makes the world one in which it works; what the world says, if it says anything, ends with `says`.
    `effects`: what was changed, as far as the world knows. `never_ends`: makes the world accept it and never finish;
    None when it is over at once. `keys`: the idempotency keys that arrived; None: there is no way to say one.
    `filled`: whether `written` is a template; what is none takes no label, so none can get into it. `touches`: whether it
    needs the world at all.
    """

    written: Mapping[str, Any]
    ready: Callable[[World, str], object]
    effects: Callable[[World], list[Any]]
    places: tuple[Mapping[str, Any], ...] = ()
    never_ends: Callable[[World], object] | None = None
    keys: Callable[[World], list[str | None]] | None = None
    filled: bool = True
    touches: bool = True


def plain(tried: str) -> str:
    """The kind that a row is about."""
    return tried.partition("@")[0]


def _http_ready(world: World, says: str) -> None:
    world.http.on("POST", "http://x/", answer(202, says))
    world.http.on("GET", "http://x/jobs", answer(200, '{"state": "done", "said": "' + says + '"}'))


def _http_never(world: World) -> None:
    def slow(_: Request) -> Response:
        world.clock.advance(3.0)
        return answer(200, '{"state": "running"}')

    world.http.on("POST", "http://x/", answer(202)).on("GET", "http://x/jobs", slow)


def _job_ready(world: World, says: str) -> None:
    world.http.on("POST", "http://x/", answer(201, '{"job": 7}'))
    world.http.on(
        "GET", "http://x/api/v2/jobs/7/", answer(200, f'{{"status": "successful", "said": "{says}"}}')
    )


def _job_never(world: World) -> None:
    def slow(_: Request) -> Response:
        world.clock.advance(3.0)
        return answer(200, '{"status": "running"}')

    world.http.on("POST", "http://x/", answer(201, '{"job": 7}')).on("GET", "http://x/api/v2/jobs/7/", slow)


def _command_ready(world: World, says: str) -> None:
    world.processes.exits["/bin/true"] = Exit(0, says, 0.1)


def _command_never(world: World) -> None:
    world.processes.exits["/bin/true"] = Exit(None, "half", 9.0, timed_out=True)


def _service_ready(world: World, says: str) -> None:
    del says  # supervisord says true
    world.supervisor.add("writer-hot")
    world.supervisor.serve(world.http, SOCKET)


def _systemd_ready(world: World, says: str) -> None:
    def run(command: Command) -> Exit:
        code, output = world.systemd.run(list(command.argv[1:]))
        return Exit(code, f"{output}{says}", 0.01)

    world.systemd.add("writer-hot.service")
    world.processes.exits["/usr/bin/systemctl"] = run


def _docker_ready(world: World, says: str) -> None:
    del says  # an order is answered without a word
    world.docker.add("writer-hot")
    behind(world.http, ENGINE, world.docker)


def _cluster_ready(world: World, says: str) -> None:
    world.cluster.add("writer-hot").told["metadata"]["annotations"]["said"] = says
    behind(world.http, CLUSTER, world.cluster)


def _cluster_never(world: World) -> None:
    _cluster_ready(world, "")
    world.cluster.add("writer-hot").blind = True


def _link_ready(world: World, says: str) -> None:
    del says  # a rename says nothing
    folder = Path("/srv/hot")
    for number in (1, 2):
        world.files.add_version(folder, f"v{number}", float(number))
    world.files.links[folder / "current"] = Path("v2")


TIDY = "SELECT tidy()"


def _sql_ready(world: World, says: str) -> None:
    world.databases.answers[TIDY] = ((says,),)


def _sql_never(world: World) -> None:
    world.databases.answers[TIDY] = Ambiguous("the statement was not answered")


POLL = {"url": "http://x/jobs/{{ scope.tier }}", "until": "body.state == 'done'", "within": "30s"}

PAGE = {"page": "p1", "name": "n", "text": "t"}
AWX = {"url": "http://x", "token": TOKEN}

KINDS_TRIED: Mapping[str, Kind] = {
    "http": Kind(
        written={
            "url": "http://x/{{ scope.tier }}",
            "headers": {"Authorization": TOKEN},
            "json": {"tier": "{{ scope.tier }}"},
            "poll": POLL,
        },
        places=(
            {"url": "http://x/hot", "headers": {"X-Tier": "{{ scope.tier }}"}},
            {"url": "http://x/hot", "poll": POLL},
            {"url": "http://{{ scope.tier }}/hot"},
        ),
        ready=_http_ready,
        effects=lambda world: world.http.sent("POST"),
        never_ends=_http_never,
        keys=lambda world: [sent.headers.get("Idempotency-Key") for sent in world.http.sent("POST")],
    ),
    "command": Kind(
        written={"argv": ["/bin/true", "{{ scope.tier }}"], "env": {"T": TOKEN}},
        places=(
            {"argv": ["{{ scope.tier }}"]},
            {"argv": ["/bin/true"], "env": {"TIER": "{{ scope.tier }}"}},
            {"argv": ["/bin/true"], "cwd": "/srv/{{ scope.tier }}"},
            {"argv": ["/bin/sh", "-c", "archive {{ scope.tier }}"]},
        ),
        ready=_command_ready,
        effects=lambda world: list(world.processes.commands),
        never_ends=_command_never,
        keys=lambda world: [command.env.get("FLEETMEND_KEY") for command in world.processes.commands],
    ),
    "service": Kind(
        written={"manager": "pipeline", "restart": "writer-{{ scope.tier }}"},
        places=(
            {"manager": "pipeline", "stop": "{{ scope.tier }}"},
            {"manager": "pipeline", "start": "writer:{{ scope.tier }}"},
            {"manager": "pipeline", "scale": "{{ scope.tier }}", "to": 2},
            {"manager": "pipeline", "scale": "api", "to": "{{ scope.tier }}", "max": 2},
        ),
        ready=_service_ready,
        effects=lambda world: world.supervisor.orders,
    ),
    "service@systemd": Kind(
        written={"manager": "machine", "restart": "writer-{{ scope.tier }}"},
        places=({"manager": "machine", "stop": "{{ scope.tier }}"},),
        ready=_systemd_ready,
        effects=lambda world: world.systemd.orders,
    ),
    "service@docker": Kind(
        written={"manager": "engine", "restart": "writer-{{ scope.tier }}"},
        places=({"manager": "engine", "scale": "service/{{ scope.tier }}", "to": 2},),
        ready=_docker_ready,
        effects=lambda world: world.docker.orders,
    ),
    "service@kubernetes": Kind(
        written={"manager": "cluster", "restart": "deployment/writer-{{ scope.tier }}"},
        places=(
            {"manager": "cluster", "undo": "{{ scope.tier }}"},
            {"manager": "cluster", "scale": "api", "to": "{{ scope.tier }}", "max": 2},
        ),
        ready=_cluster_ready,
        effects=lambda world: world.cluster.orders,
        never_ends=_cluster_never,
    ),
    "file_link": Kind(
        written={"link": "/srv/{{ scope.tier }}/current", "to": "previous"},
        places=(
            {"link": "/srv/hot/current", "to": "{{ scope.tier }}"},
            {"link": "/srv/hot/current", "to": "v1", "versions": "/srv/{{ scope.tier }}"},
        ),
        ready=_link_ready,
        effects=lambda world: list(world.files.switched),
    ),
    "job": Kind(
        written={
            "awx": {**AWX, "template": "restart-{{ scope.tier }}", "extra_vars": {"tier": "{{ scope.tier }}"}}
        },
        places=(
            {"awx": {**AWX, "template": 7, "extra_vars": {"hosts": ["a", "{{ scope.tier }}"]}}},
            {"awx": {**AWX, "url": "http://{{ scope.tier }}", "template": 7}},
            {"rundeck": {**AWX, "job": "{{ scope.tier }}"}},
            {"rundeck": {**AWX, "job": "j-1", "options": {"tier": "{{ scope.tier }}"}}},
        ),
        ready=_job_ready,
        effects=lambda world: world.http.sent("POST"),
        never_ends=_job_never,
        keys=lambda world: [sent.headers.get("Idempotency-Key") for sent in world.http.sent("POST")],
    ),
    "notify": Kind(
        written={
            "webhook": {
                "url": "http://x/{{ scope.tier }}",
                "headers": {"Authorization": TOKEN},
                "json": {"tier": "{{ scope.tier }}"},
            }
        },
        places=(
            {"webhook": {"url": "http://x/hot", "headers": {"X-Tier": "{{ scope.tier }}"}}},
            {"slack": {"url": "http://x/{{ scope.tier }}", "text": "down"}},
            {"slack": {"url": "http://x/hot", "text": "{{ scope.tier }} is down"}},
            *(
                {"statuspage": {**PAGE, "token": TOKEN, name: "{{ scope.tier }}"}}
                for name in (*PAGE, "component")
            ),
        ),
        ready=_http_ready,
        effects=lambda world: world.http.sent("POST"),
        keys=lambda world: [sent.headers.get("Idempotency-Key") for sent in world.http.sent("POST")],
    ),
    "wait": Kind(
        written={"for": "2m"},
        ready=lambda _world, _says: None,
        effects=lambda _world: [],
        filled=False,
        touches=False,
    ),
    "sql": Kind(
        written={"statement": {"dsn": {"env": "DSN"}, "sql": TIDY}},
        ready=_sql_ready,
        effects=lambda world: list(world.databases.statements),
        never_ends=_sql_never,
        filled=False,
    ),
}
