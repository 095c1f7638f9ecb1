"""Living daemons on this machine: a place for their state, and handles on the processes."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from daemon.cli.main import invoke
from daemon.clock import SystemClock
from daemon.errors import StoreError
from daemon.incidents.events import Event
from daemon.incidents.model import Incident
from daemon.incidents.records import Delivery
from daemon.store.store import Store
from tests.fakes.living_config import TOKENS, config_for, environment, free_port
from tests.fakes.plant import Plant

ROOT = Path(__file__).resolve().parents[2]
CLOCK = SystemClock()
_PAUSE = threading.Event()


def wait_for(what: str, holds: Callable[[], Any], within: float = 20.0, every: float = 0.05) -> Any:
    """What `holds` gave as soon as it is true; an AssertionError that says what was waited for otherwise."""
    until = CLOCK.monotonic() + within
    while True:
        found = holds()
        if found:
            return found
        if CLOCK.monotonic() > until:
            raise AssertionError(f"not within {within:g} s: {what}")
        _PAUSE.wait(every)


def pause(seconds: float) -> None:
    """Let the daemon run for a while in which nothing is to happen."""
    _PAUSE.wait(seconds)


class Nursery:
    """Forks daemons: see `tests.fakes.nursery`."""

    def __init__(self) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            text=True,
        )

    def fork(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Living:
    """One process."""

    def __init__(self, pid: int, log: Path, port: int) -> None:
        self.pid, self.log, self.port = pid, log, port
        try:
            self._end = os.pidfd_open(pid)
        except ProcessLookupError:
            self._end = -1

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As `kill -9` does; returns when it is gone."""
        if not self.gone(0):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def gone(self, within: float = 0.0) -> bool:
        if self._end < 0:
            return True
        ready, _, _ = select.select([self._end], [], [], within)
        if ready:
            os.close(self._end)
            self._end = -1
        return bool(ready)

    def wait(self, within: float = 40.0) -> int | None:
        """Its exit code once it has ended; None when it was killed."""
        if not self.gone(within):
            raise AssertionError(f"process {self.pid} has not ended within {within:g} s: {self.tail()}")
        code = Path(f"{self.log}.exit")
        text = code.read_text() if code.exists() else ""
        return int(text) if text else None

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.said().splitlines()[-lines:])

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Log lines with this message."""
        marked = f'"message":"{message}"'
        return [
            json.loads(line) for line in self.said().splitlines() if line.startswith("{") and marked in line
        ]

    # ------------------------------------------------------------------ spoken to

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        role: str | None = "viewer",
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {TOKENS[role]}"
        data = None if body is None else json.dumps(body).encode()
        if form is not None:
            data = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        elif data is not None:
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def serves(self) -> bool:
        """Whether it answers that it is ready."""
        if self.gone():
            raise AssertionError(f"the daemon ended: {self.tail()}")
        try:
            return self.ask("/-/ready", role=None).status == 200
        except OSError:
            return False

    def ready(self, within: float = 30.0) -> Living:
        wait_for(f"the daemon is ready; it said {self.tail()}", self.serves, within)
        return self

    def metric(self, name: str, /, **labels: str) -> float | None:
        """Value of one of its own metrics; None when there is no such series."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.ask("/metrics", role=None).text.splitlines():
            head, _, value = line.rpartition(" ")
            series, _, rest = head.partition("{")
            if series == name and wanted <= set(rest.rstrip("}").split(",") if rest else ()):
                return float(value)
        return None

    def resident(self) -> float:
        """Resident memory in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        raise AssertionError("no VmRSS")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Site:
    """Where a daemon lives: its configuration (change it before `start`), its store, its pipeline."""

    folder: Path
    plant: Plant
    nursery: Nursery
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    started: list[Living] = field(default_factory=list)
    scripts: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.config = self.config or config_for(self.plant, self.folder, self.port)
        self.environment = {**environment(), **self.environment}

    @property
    def state(self) -> Path:
        return self.folder / "state.db"

    @property
    def switch(self) -> Path:
        return self.folder / "pause"

    @property
    def file(self) -> Path:
        return self.folder / "fleetmend.yaml"

    def write(self) -> Path:
        """Put the configuration where the daemon reads it; JSON is YAML."""
        self.file.write_text(json.dumps(self.config, indent=1))
        return self.file

    def start(self, *, max_file: int | None = None, ready: bool = True) -> Living:
        """A daemon."""
        self.write()
        log = self.folder / f"daemon-{len(self.started)}.log"
        pid = self.nursery.fork(
            {
                "argv": ["run", "--config", str(self.file)],
                "env": self.environment,
                "log": str(log),
                "max_file": max_file,
            }
        )
        living = Living(pid, log, self.port)
        self.started.append(living)
        return living.ready() if ready else living

    def cli(self, *arguments: str) -> Said:
        """`fleetmend ARGUMENTS` with this site's configuration and secrets, in this process."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        os.environ.update({**self.environment, "FLEETMEND_CONFIG": str(self.file)})
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = invoke(arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Said(code, out.getvalue(), err.getvalue())

    def close(self) -> None:
        for living in self.started:
            living.kill()
        for process in self.scripts:
            process.wait(10)

    def run(self) -> Living:
        """The console script itself, as an operator starts it."""
        self.write()
        log = self.folder / f"daemon-{len(self.started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [Path(sys.executable).with_name("fleetmend"), "run", "--config", self.file],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
            )
        self.started.append(Living(process.pid, log, self.port))
        self.scripts.append(process)
        return self.started[-1].ready()

    # ------------------------------------------------------------------ what is on disk

    @contextmanager
    def store(self) -> Iterator[Store]:
        with Store.open(f"sqlite:///{self.state}", read_only=True) as store:
            yield store

    def incidents(self, mode: str = "storage_failure") -> list[Incident]:
        """All incidents of a mode, open and ended."""
        try:
            with self.store() as store, store.read() as uow:
                return list(uow.incidents.search(modes=[mode], limit=100).incidents)
        except StoreError:
            return []

    def incident(self) -> Incident | None:
        """The only one of the tests' mode."""
        found = self.incidents()
        assert len(found) <= 1, found
        return found[0] if found else None

    def events(self, incident: str) -> list[Event]:
        with self.store() as store, store.read() as uow:
            return list(uow.timeline.of(incident))

    def deliveries(self, incident: str) -> list[Delivery]:
        with self.store() as store, store.read() as uow:
            return list(uow.deliveries.of(incident))


@contextmanager
def living(folder: Path, plant: Plant, nursery: Nursery) -> Iterator[Site]:
    """A site whose daemons are gone at the end."""
    site = Site(folder, plant, nursery)
    try:
        yield site
    finally:
        site.close()
