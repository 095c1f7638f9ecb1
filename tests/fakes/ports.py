"""Fakes of the doors: small real classes that are set up by state and asserted by state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from remediations.ports import (
    Clock,
    Command,
    Databases,
    Exit,
    Files,
    Http,
    PortError,
    Ports,
    Processes,
    Request,
    Response,
    TooLarge,
    Unreachable,
)

EPOCH = 1_767_600_000.0
"""A Monday morning (2026-01-05 08:00 UTC) that stories start at."""

Answer = Response | PortError | Callable[[Request], Response]


class FakeClock:
    """Both clocks, set by hand; `advance` moves them together, `step` moves the wall clock alone."""

    def __init__(self, now: float = EPOCH, monotonic: float = 1_000.0) -> None:
        self.wall = now
        self.ticks = monotonic

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds

    def step(self, seconds: float) -> None:
        self.wall += seconds


class FakeHttp:
    """Answers by routes and remembers every request.

    A route is (method, beginning of the address); the longest one that fits answers. Its answers are given one after
    the other, the last one for ever. An answer is a Response, a PortError to raise, or a function of the request.
    What has no route is unreachable, as a host that is not there.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.requests: list[Request] = []
        self.routes: dict[tuple[str, str], list[Answer]] = {}

    def on(self, method: str, address: str, *answers: Answer) -> FakeHttp:
        self.routes[(method, address)] = list(answers)
        return self

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        if deadline <= self.clock.monotonic():
            raise Unreachable("the deadline had passed before anything was sent")
        address = request.url + (request.path if request.url.startswith("unix://") else "")
        fitting = [
            route for route in self.routes if route[0] == request.method and address.startswith(route[1])
        ]
        if not fitting:
            raise Unreachable(f"{request.method} {address}: nobody there")
        self.requests.append(request)
        answers = self.routes[max(fitting, key=lambda route: len(route[1]))]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, PortError):
            raise answer
        response = answer if isinstance(answer, Response) else answer(request)
        if len(response.body) > max_bytes:
            raise TooLarge(f"the answer is larger than {max_bytes} bytes")
        return response

    def sent(self, method: str, address: str = "") -> list[Request]:
        """The requests of that method whose address begins so."""
        return [seen for seen in self.requests if seen.method == method and seen.url.startswith(address)]


def answer(status: int = 200, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, dict(headers or {}), body.encode() if isinstance(body, str) else body, 0.01)


class Scripted(ABC):
    """A receiver that answers from its script while there is one, and as `_take` says from then on.

    An error of the script that left the sender all the same is taken before it is raised.
    """

    script: list[Response | PortError]

    def __call__(self, request: Request) -> Response:
        if not self.script:
            return self._take(request)
        scripted = self.script.pop(0)
        if not isinstance(scripted, PortError):
            return scripted
        if scripted.sent:
            self._take(request)
        raise scripted

    @abstractmethod
    def _take(self, request: Request) -> Response: ...


class FakeProcesses:
    """Ends every program as told by its first word; unknown ones cannot be started."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.exits: dict[str, Exit | Callable[[Command], Exit]] = {}

    def run(self, command: Command, *, deadline: float) -> Exit:
        del deadline
        if not command.argv or command.argv[0] not in self.exits:
            raise Unreachable(f"{command.argv[:1]}: no such program")
        self.commands.append(command)
        ended = self.exits[command.argv[0]]
        return ended(command) if callable(ended) else ended


class FakeFiles:
    """Version folders and links in memory."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FakeClock()
        self.links: dict[Path, Path] = {}
        self.folders: dict[Path, dict[str, float]] = {}
        self.switched: dict[Path, float] = {}
        self.refusing = False
        self.programs: set[str] = set()
        self.contents: dict[Path, bytes] = {}

    def add_version(self, folder: Path, name: str, made_at: float) -> None:
        self.folders.setdefault(folder, {})[name] = made_at

    def read_link(self, link: Path) -> Path:
        if link not in self.links:
            raise Unreachable(f"{link} is no link")
        return self.links[link]

    def list_versions(self, folder: Path) -> tuple[tuple[str, float], ...]:
        if folder not in self.folders:
            raise Unreachable(f"{folder} cannot be read")
        return tuple(sorted(self.folders[folder].items(), key=lambda version: (version[1], version[0])))

    def changed_at(self, link: Path) -> float:
        if link not in self.links:
            raise Unreachable(f"{link} cannot be followed")
        return self.switched.get(link, 0.0)

    def swap_link(self, link: Path, target: Path) -> None:
        if self.refusing:
            raise Unreachable(f"{link} cannot be changed")
        self.links[link] = target
        self.switched[link] = self._clock.now()

    def exists(self, path: Path) -> bool:
        whole = PurePosixPath(path)
        if path in self.links:
            return self.exists(path.parent / self.links[path])
        return path in self.folders or whole.name in self.folders.get(path.parent, {})

    def read(self, path: Path, max_bytes: int) -> bytes:
        if path not in self.contents:
            raise Unreachable(f"{path} cannot be read: No such file or directory")
        if len(self.contents[path]) > max_bytes:
            raise TooLarge(f"{path} is larger than {max_bytes} bytes")
        return self.contents[path]

    def runnable(self, program: str) -> bool:
        return program in self.programs


class FakeDatabases:
    """Answers a statement with the rows set for it, or raises the error set for it; nobody answers any other."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, str]] = []
        self.answers: dict[str, tuple[tuple[object, ...], ...] | PortError] = {}

    def execute(self, dsn: str, statement: str, *, deadline: float) -> tuple[tuple[object, ...], ...]:
        del deadline
        if statement not in self.answers:
            raise Unreachable("nobody there")
        self.statements.append((dsn, statement))
        answered = self.answers[statement]
        if isinstance(answered, PortError):
            raise answered
        return answered


@dataclass
class FakePermit:
    """Grants or refuses; counts how often it was asked."""

    grants: bool = True
    asked: int = 0
    on_ask: Callable[[], object] = field(default=lambda: None)

    def granted(self) -> bool:
        self.asked += 1
        self.on_ask()
        return self.grants


@dataclass
class FakePorts:
    """All fakes, sharing one clock; `ports` is what an action is handed."""

    clock: FakeClock = field(default_factory=FakeClock)
    http: FakeHttp = field(init=False)
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    files: FakeFiles = field(default_factory=FakeFiles)
    databases: FakeDatabases = field(default_factory=FakeDatabases)

    def __post_init__(self) -> None:
        self.http = FakeHttp(self.clock)

    @property
    def ports(self) -> Ports:
        return Ports(self.http, self.processes, self.files, self.databases, self.clock)


def _fit(
    http: FakeHttp, processes: FakeProcesses, files: FakeFiles, databases: FakeDatabases, clock: FakeClock
) -> tuple[Http, Processes, Files, Databases, Clock]:
    """The type checker proves here that the fakes fit their ports."""
    return http, processes, files, databases, clock
