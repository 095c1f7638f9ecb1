"""What an action may do to the world: Protocols with their request and result types.

The daemon's doors (`daemon.http`, `daemon.processes`, `daemon.files`, `daemon.databases`, `daemon.clock`) fit
these by shape; nothing here is imported from the daemon. All times are seconds: `deadline` is monotonic seconds
(as `Clock.monotonic()` counts), `timeout` a length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `url` is http(s) or `unix:///path/to.sock` with the path of the resource in `path`."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    path: str = "/"
    basic_auth: tuple[str, str] | None = None
    tls: Mapping[str, str] = field(default_factory=dict)
    """`ca`, `cert`, `key`: file paths; empty means the system's trust store."""


@dataclass(frozen=True, slots=True)
class Response:
    """`body` holds at most the byte cap asked for; an answer larger than that raises `TooLarge` instead."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float


class PortError(Exception):
    """The world could not be reached as asked. `sent` says whether the request may have taken effect."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Unreachable(PortError):
    """Nothing was sent: name not found, connection refused, TLS refused. Safe to try again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class Ambiguous(PortError):
    """Written but not answered (time-out, connection lost): the effect may have taken place."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class TooLarge(PortError):
    """The answer exceeded the byte cap; the request was answered."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class Http(Protocol):
    """The one door out for HTTP: total deadline, byte cap, no redirects followed, no proxy from the environment."""

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        """Send once, never retry. Raises `Unreachable`, `Ambiguous` or `TooLarge`."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: no shell, its own process group, only the environment given."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    max_output: int = 64_000


@dataclass(frozen=True, slots=True)
class Exit:
    """`code` is None when the deadline ended the group; `output` is stdout and stderr together, bounded."""

    code: int | None
    output: str
    elapsed: float
    timed_out: bool = False


class Processes(Protocol):
    """The one door out for processes: TERM, then KILL of the whole group at the deadline; always reaped."""

    def run(self, command: Command, *, deadline: float) -> Exit:
        """Raises `Unreachable` when the program cannot be started at all."""
        ...


class Files(Protocol):
    """The few file operations an action needs; every one is atomic or says that nothing happened."""

    def read_link(self, link: Path) -> Path:
        """Where the link points, relative as written. Raises `Unreachable` when it is no link."""
        ...

    def list_versions(self, folder: Path) -> tuple[tuple[str, float], ...]:
        """(name, modified at in unix seconds) of the sub-folders, oldest first."""
        ...

    def changed_at(self, link: Path) -> float:
        """When it was last switched, or a file directly in what it points at was last written (unix seconds).

        Raises `Unreachable` when it is no link that can be followed.
        """
        ...

    def swap_link(self, link: Path, target: Path) -> None:
        """Point the link at `target` by an atomic rename. Raises `Unreachable` when refused."""
        ...

    def exists(self, path: Path) -> bool: ...

    def read(self, path: Path, max_bytes: int) -> bytes:
        """All of a regular file. Raises `Unreachable` when it cannot be read, `TooLarge` when it is longer."""
        ...

    def runnable(self, program: str) -> bool:
        """Whether a program of this name or path is there and may be started."""
        ...


class Databases(Protocol):
    """Statements on an operated database; used by the `sql` action."""

    def execute(self, dsn: str, statement: str, *, deadline: float) -> tuple[tuple[object, ...], ...]:
        """Run one statement on a connection of its own; the rows of its answer.

        Raises `Unreachable` when nobody is there (refused, no such host, no answer to a connection), `PortError` when
        the server is there and refused the connection or the statement: what it refused changed nothing. `Ambiguous`
        when the answer did not come: the statement may have taken effect.
        """
        ...


class Clock(Protocol):
    """Two clocks: `now` for what is written down, `monotonic` for what has to last a time."""

    def now(self) -> float:
        """Unix seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All doors an action is handed; a test hands fakes."""

    http: Http
    processes: Processes
    files: Files
    databases: Databases
    clock: Clock
