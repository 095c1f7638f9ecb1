"""Starts real daemons quickly: imports the product once, then forks a child for each that is asked for.

    python -m tests.fakes.nursery

One JSON line in (`argv`, `env`, `log`, optionally `doom` and `max_file`), one line with the child's process id out. The
child is `fleetmend` with these arguments; its output and, at the end, its exit code go to files beside `log`. With
`doom` (`kind`, `when`) its loop's store kills the process at the first commit that holds an event of this kind: before
or after it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import daemon.cli.remote
import daemon.web.app  # noqa: F401 - imported here, so that no child has to
from daemon.app.live import Daemon
from daemon.cli.main import invoke
from daemon.incidents.change import Change
from daemon.settings.load import load
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork


class DoomedUnit:
    """A unit of work that notices the kind of event it is to die of."""

    def __init__(self, unit: UnitOfWork, kind: str) -> None:
        self._unit, self._kind = unit, kind
        self.hit = False

    def apply(self, change: Change) -> Change:
        self.hit = self.hit or any(event.kind == self._kind for event in change.events)
        return self._unit.apply(change)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)


class DoomedStore:
    """A store whose process ends with the first commit of a kind: `before` it, or `after`."""

    def __init__(self, store: Store, kind: str, when: str) -> None:
        self._store, self._kind, self._when = store, kind, when

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[Any]:
        with self._store.write(epoch=epoch) as unit:
            doomed = DoomedUnit(unit, self._kind)
            yield doomed
            if doomed.hit and self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if doomed.hit:
            os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def doomed(files: list[str], kind: str, when: str) -> int:
    """Run a daemon that dies as told."""
    built = Daemon(load([Path(file) for file in files], environment=os.environ), os.environ)
    built._parts.loop.store = DoomedStore(built._store, kind, when)  # type: ignore[assignment]  # same shape
    return built.run()


def child(order: dict[str, Any]) -> int:
    """What a forked child does; its exit code."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["env"])
    if order.get("max_file"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["max_file"], resource.RLIM_INFINITY))
    doom = order.get("doom")
    if doom:
        return doomed(
            [order["argv"][index + 1] for index, word in enumerate(order["argv"]) if word == "--config"],
            **doom,
        )
    return invoke(order["argv"])


def serve() -> None:
    """Fork one child a line, until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; ends are seen through pidfds
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = child(order)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                Path(f"{order['log']}.exit").write_text(str(code), encoding="ascii")
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
