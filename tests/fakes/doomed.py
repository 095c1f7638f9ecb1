"""A real daemon that notes every point it reaches, and is killed at the first that it is doomed at.

    DOOM=moments.json python -m tests.fakes.doomed run --config FILE

The file holds `{"log": PATH, "moments": [[NAME, "before" | "after"], ...]}`. Each point is a line of the log, written
before anything else happens; the last line of a log is where the process was killed, as `kill -9` does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.cli.main import invoke
from daemon.databases import DatabaseDoor
from daemon.files import FileDoor
from daemon.http.door import HttpDoor
from daemon.processes import ProcessDoor
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from tests.fakes.points import (
    WatchedDatabases,
    WatchedFiles,
    WatchedHttp,
    WatchedProcesses,
    When,
    noted,
)

DOOM = "DOOM"
"""Name of the variable; nothing of the product reads it."""


class Executioner:
    """Writes down each point, then kills the process where it is doomed."""

    def __init__(self, log: Path, moments: Iterable[tuple[str, str]]) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._moments = {(name, When(when)) for name, when in moments}
        self._seen: set[tuple[str, When]] = set()

    def reached(self, names: frozenset[str], when: When) -> None:
        here = {(name, when) for name in names}
        lines = [f"{when}\t{name}\n" for name, when in sorted(here - self._seen)]
        self._seen |= here
        if lines:
            os.write(self._log, "".join(lines).encode())
        if here & self._moments:
            os.write(self._log, f"killed\t{json.dumps(sorted(here))}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


def doom(order: dict[str, Any]) -> None:
    """From now on this process is doomed: its store and its doors tell the executioner."""
    fate = Executioner(Path(order["log"]), [(name, when) for name, when in order["moments"]])
    write = Store.write

    @contextmanager
    def watched(self: Store, *, epoch: int | None = None) -> Iterator[UnitOfWork]:
        with noted(write(self, epoch=epoch), fate) as unit:
            yield unit

    setattr(Store, "write", watched)  # noqa: B010 - the type checker takes no other method for this one
    for door, method, around in (
        (HttpDoor, "send", WatchedHttp),
        (FileDoor, "swap_link", WatchedFiles),
        (ProcessDoor, "run", WatchedProcesses),
        (DatabaseDoor, "execute", WatchedDatabases),
    ):
        _instrument(door, method, around, fate)


def _instrument(door: Any, method: str, around: Any, fate: Executioner) -> None:
    """Calls of this method go through the watched door around the real one."""
    real = getattr(door, method)

    class Plain:
        def __init__(self, inner: Any) -> None:
            setattr(self, method, lambda *args, **kwargs: real(inner, *args, **kwargs))

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(around(Plain(self), fate), method)(*args, **kwargs)

    setattr(door, method, call)


if __name__ == "__main__":
    doom(json.loads(Path(os.environ.pop(DOOM)).read_text(encoding="utf-8")))
    sys.exit(invoke(sys.argv[1:]))
