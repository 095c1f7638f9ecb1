"""One bench for every type of process manager: a world in which it works, how that world is spoilt, what was ordered.

A new type is held against the suite (`tests/contract/test_managers.py`) by its row here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.secrets import Environment
from remediations.actions.managers.manager import Manager
from remediations.actions.managers.registry import built
from remediations.actions.service import ServiceAction, ServiceArgs
from remediations.outcome import Outcome
from remediations.ports import Ambiguous, Command, Exit, PortError
from remediations.spec_managers import DockerSpec, KubernetesSpec, ManagerSpec, SupervisorSpec, SystemdSpec
from tests.fakes.docker import FakeDocker
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.ports import FakePermit, FakePorts
from tests.fakes.rest import behind
from tests.fakes.supervisor import FakeSupervisor
from tests.fakes.systemctl import FakeSystemd

SUPERVISOR_SOCKET = "unix:///run/supervisor.sock"
DOCKER_SOCKET = "unix:///var/run/docker.sock"
CLUSTER = "https://kubernetes.default.svc"
SYSTEMCTL = "/usr/bin/systemctl"
TOKEN = "canary-token-5a21"
TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
NAMES: Mapping[str, Any] = {"scope": {"tier": "hot"}, "facts": {}, "vars": {}}


class Bench(FakePorts, ABC):
    """A world with one unit `writer` that runs, and one `idle` that does not; of `group` two run, and four could."""

    spec: ManagerSpec
    unit = "writer"
    idle = "idle"
    group = ""
    operations: tuple[str, ...]
    patient = False
    """It is not told when its order is carried out: what it was never seen to do stays unknown."""

    @property
    @abstractmethod
    def orders(self) -> list[Any]:
        """What was told to change."""

    @abstractmethod
    def spoil(self, how: str) -> None:
        """`liar`, `wont_start`, `dies` soon after its start, `between` two states; `stop`: it is down."""

    def running(self) -> int:
        """How many of `group` run."""
        raise AssertionError("it has no groups")

    def break_orders(self, error: PortError) -> None:
        """Whatever is told to change ends so, as the door sees it; questions are answered as ever."""
        for route in [route for route in self.http.routes if route[0] in {"POST", "PATCH"}]:
            self.http.routes[route] = [error]

    def break_questions(self, error: PortError) -> None:
        for route in [route for route in self.http.routes if route[0] == "GET"]:
            self.http.routes[route] = [error]

    def break_everything(self, error: PortError) -> None:
        for route in self.http.routes:
            self.http.routes[route] = [error]

    def manager(self) -> Manager:
        return built(self.spec, self.ports, self.reveal)

    def reveal(self, reference: Mapping[str, str]) -> str:
        return Environment({}, read_file=lambda _: self.token).take(reference)

    token = TOKEN
    """What stands in the file of the token."""

    def action(self) -> ServiceAction:
        return ServiceAction({"pipeline": self.spec}, self.reveal, self.clock.advance)

    def rendered(self, **written: Any) -> dict[str, Any]:
        return self.action().render(ServiceArgs.model_validate({"manager": "pipeline", **written}), NAMES)

    def perform(self, permit: FakePermit | None = None, seconds: float = 60, **written: Any) -> Outcome:
        return self.action().perform(
            self.rendered(**written),
            self.ports,
            deadline=self.clock.monotonic() + seconds,
            permit=permit or FakePermit(),
            key="k",
        )


class OfSupervisor(Bench):
    spec = SupervisorSpec(type="supervisor", url=SUPERVISOR_SOCKET)
    group = "api"
    operations = ("restart", "stop", "start", "scale")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.supervisor = FakeSupervisor()
        self.writer = self.supervisor.add("writer")
        self.supervisor.add("idle", state="STOPPED")
        for number in range(4):
            self.supervisor.add("api", f"api-{number}", "RUNNING" if number < 2 else "STOPPED")
        self.supervisor.serve(self.http, SUPERVISOR_SOCKET)

    @property
    def orders(self) -> list[Any]:
        return self.supervisor.orders

    def running(self) -> int:
        return sum(one.state == "RUNNING" for one in self.supervisor.programs if one.group == self.group)

    def spoil(self, how: str) -> None:
        if how == "liar":
            for program in self.supervisor.programs:
                program.liar = True
        elif how in {"wont_start", "dies"}:  # supervisord itself waits for `startsecs`
            self.writer.wont_start = True
        else:
            self.writer.state = "STARTING" if how == "between" else "EXITED"
            self.writer.pid = 0

    def break_orders(self, error: PortError) -> None:
        self.supervisor.raises |= dict.fromkeys(("startProcess", "stopProcess"), error)

    def break_questions(self, error: PortError) -> None:
        self.supervisor.raises |= dict.fromkeys(("getProcessInfo", "getAllProcessInfo"), error)


class OfSystemd(Bench):
    spec = SystemdSpec(type="systemd")
    operations = ("restart", "stop", "start")
    unit = "writer.service"
    idle = "idle.service"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.systemd = FakeSystemd()
        self.writer = self.systemd.add("writer.service")
        self.systemd.add("idle.service", running=False)
        self.ends: Callable[[Command], Exit | None] = lambda _: None
        self.processes.exits[SYSTEMCTL] = self._run

    def _run(self, command: Command) -> Exit:
        ended = self.ends(command)
        if ended is not None:
            return ended
        code, output = self.systemd.run(list(command.argv[1:]))
        return Exit(code, output, 0.01)

    @property
    def orders(self) -> list[Any]:
        return self.systemd.orders

    def spoil(self, how: str) -> None:
        if how == "between":
            self.writer.update(active="activating", sub="start-pre")
        elif how == "stop":
            self.writer.update(active="inactive", sub="dead")
        else:
            self.writer[how] = 1

    def break_orders(self, error: PortError) -> None:
        self.ends = lambda command: None if "show" in command.argv else _cut_off(error)

    def break_questions(self, error: PortError) -> None:
        self.ends = lambda command: _cut_off(error) if "show" in command.argv else None

    def break_everything(self, error: PortError) -> None:
        self.ends = lambda _: _cut_off(error)


def _cut_off(error: PortError) -> Exit:
    if not isinstance(error, Ambiguous):
        raise error
    return Exit(None, "", 9.0, timed_out=True)


class OfDocker(Bench):
    spec = DockerSpec(type="docker")
    operations = ("restart", "stop", "start")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.docker = FakeDocker()
        self.writer = self.docker.add("writer")
        self.docker.add("idle", status="exited")
        behind(self.http, DOCKER_SOCKET, self.docker)

    @property
    def orders(self) -> list[Any]:
        return self.docker.orders

    def spoil(self, how: str) -> None:
        if how == "dies":
            self.writer.dies = 1
        elif how in {"liar", "wont_start"}:
            setattr(self.writer, how, True)
        elif how == "between":
            self.writer.health = ("starting",)
        else:
            self.writer.status = "exited"


class OfSwarm(Bench):
    spec = DockerSpec(type="docker")
    operations = ("restart", "scale", "undo")
    unit = group = "service/writer"
    idle = "service/idle"
    patient = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.docker = FakeDocker()
        self.writer = self.docker.add_service("writer")
        self.docker.add_service("idle", replicas=0)
        behind(self.http, DOCKER_SOCKET, self.docker)

    @property
    def orders(self) -> list[Any]:
        return self.docker.orders

    def running(self) -> int:
        return len(self.writer.tasks)

    def spoil(self, how: str) -> None:
        if how == "liar":
            self.writer.stuck = True
        elif how in {"wont_start", "dies"}:
            self.writer.breaks = True
        else:
            self.writer.stuck = True
            self.writer.update = "updating" if how == "between" else ""
            for task in self.writer.tasks:
                task["Status"]["State"] = "failed"


class OfKubernetes(Bench):
    spec = KubernetesSpec(type="kubernetes", namespace="pipeline", url=CLUSTER, token_file=Path(TOKEN_FILE))
    operations = ("restart", "scale", "undo")
    unit = group = "deployment/writer"
    idle = "deployment/idle"
    patient = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cluster = FakeKubernetes(tokens={TOKEN})
        self.writer = self.cluster.add("writer", replicas=2)
        self.cluster.add("idle", replicas=0)
        behind(self.http, CLUSTER, self.cluster)

    @property
    def orders(self) -> list[Any]:
        return self.cluster.orders

    def running(self) -> int:
        return len(self.writer.staying)

    def spoil(self, how: str) -> None:
        if how == "liar":
            self.writer.blind = True
        elif how in {"wont_start", "dies"}:
            self.writer.broken = frozenset({"ingestion:v1"})
        else:
            for pod in self.writer.pods:
                pod.ready = False
            self.writer.step()
            if how == "between":
                self.writer.changed({**self.writer.told["spec"], "minReadySeconds": 1})
            else:
                self.writer.waited = 99
                self.writer.step()


BENCHES: Mapping[str, type[Bench]] = {
    "supervisor": OfSupervisor,
    "systemd": OfSystemd,
    "docker": OfDocker,
    "swarm": OfSwarm,
    "kubernetes": OfKubernetes,
}
