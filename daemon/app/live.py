"""Live: threads, signals, doors and faces around the loop. `run` is the daemon in the foreground.

main        waits for signals; reads the configuration anew when asked
loop        everything that is decided
recorder    orders and alerts into rows, then the HTTP 200
web, scheduler, workers: see their modules
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any

from prometheus_client import CollectorRegistry

from config.loader import Loaded
from config.problems import ConfigError
from daemon import log
from daemon.app import heartbeat
from daemon.app.build import Parts, build, rebuild, setup_of
from daemon.app.calendars import ask_calendars
from daemon.app.faces import Face, faces_of
from daemon.app.gauges import Gauges
from daemon.app.host import LiveHost
from daemon.app.loopthread import LoopThread
from daemon.app.systemd import Systemd
from daemon.clock import SystemClock, rfc3339
from daemon.databases import DatabaseDoor
from daemon.errors import ANSWER_IS_NO, GOOD, StoreSick
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import address_book
from daemon.escalate.direct import DirectPager
from daemon.escalate.told import Told
from daemon.files import FileDoor
from daemon.http.door import HttpDoor
from daemon.loop.control import Lead
from daemon.loop.messages import Asked, Message, Tick
from daemon.loop.pools import ThreadPool
from daemon.loop.recorder import Recorder
from daemon.metrics import Metrics
from daemon.processes import ProcessDoor
from daemon.scheduling import Schedule
from daemon.settings.load import load
from daemon.settings.model import Settings
from daemon.store.engine import place
from daemon.store.store import Store
from remediations.ports import Ports

SIGNALS = {
    signal.SIGTERM: "stop",
    signal.SIGINT: "stop",
    signal.SIGHUP: "reload",
    signal.SIGUSR1: "pause",
    signal.SIGUSR2: "unpause",
}
HOUSEKEEPING = 3600.0
JOIN = 5.0


def run(files: Sequence[Path], *, environment: Mapping[str, str]) -> int:
    """Run until a signal; the exit code. Raises `ConfigError`, `AlreadyRunning`, `StoreSick` before anything starts."""
    loaded = load(files, environment=environment)
    try:
        daemon = Daemon(loaded, environment)
    except StoreSick as error:
        _tell_of_sick_store(loaded, str(error), environment)
        raise
    return daemon.run()


def _tell_of_sick_store(loaded: Loaded[Settings], reason: str, environment: Mapping[str, str]) -> None:
    """A store that was good and cannot be used now keeps the daemon from starting: nobody watches, so people hear.

    A path where there never was a store is a mistake of whoever starts it, and is said to them alone.
    """
    path = place(loaded.model.state).path
    if path is None or not path.is_file() or not path.stat().st_size:
        return
    clock = SystemClock()
    setup = setup_of(loaded.model)
    book, _ = address_book(loaded.model.people, loaded.model.channels, loaded.environment.context)
    doors = Doors(HttpDoor(clock), clock, loaded.redactor.text)
    calendars = ask_calendars(loaded.model, doors.http, FileDoor(), clock)
    booked = {one.schedule: one.said.booked for one in calendars if one.said is not None}
    pager = DirectPager(
        replace(setup.directory, booked=booked),
        setup.policies["default"],
        book,
        doors,
        Told.near(path, environment),
    )
    pager.page("store", f"the daemon cannot start: {reason}; nothing is watched", clock.now())


class Daemon:
    """One running daemon."""

    def __init__(self, loaded: Loaded[Settings], environment: Mapping[str, str]) -> None:
        self._files = loaded.files
        self._environment = environment
        self._asked: SimpleQueue[str] = SimpleQueue()
        """Written by signal handlers: `SimpleQueue.put` is reentrant."""
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._clock = SystemClock()
        self._processes = ProcessDoor(self._clock, environment)
        self._http = HttpDoor(self._clock)
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._metrics.build(version("fleetmend"), sys.version.split()[0])
        log.configure(lambda: rfc3339(self._clock.now()), loaded.redactor)
        self._store = Store.open(loaded.model.state)
        self._store.own()
        self._store.migrate()
        self._recorder = Recorder(self._store, self._inbox.put, self._redacted)
        self._schedule = Schedule(lambda name: self._inbox.put(Tick(name)))
        now = self._clock.now()
        leader = f"{socket.gethostname()}/{os.getpid()}"
        with self._store.write() as uow:
            epoch = uow.lease.claim(leader, now)
        log.get().info(log.LEASE_TAKEN, holder=leader, epoch=epoch)
        ports = Ports(self._http, self._processes, FileDoor(), DatabaseDoor(self._clock), self._clock)
        self._host = LiveHost(loaded, ports, leader, version("fleetmend"), self._asked.put, now)
        self._parts: Parts = build(
            loaded,
            store=self._store,
            ports=ports,
            host=self._host,
            metrics=self._metrics,
            make_pool=lambda name, size, work: ThreadPool(name, size, work, self._inbox.put),
            lead=Lead(epoch, self._clock),
            now=now,
        )
        self._host.workers = self._parts.workers
        self._host.told = Told.near(place(loaded.model.state).path, environment)
        waiting = {"inbox": self._inbox.qsize, "recorder": lambda: self._recorder.waiting}
        self._host.gauges = Gauges(self._metrics, waiting)
        self._parts.workers.pager = self._host.pager
        self._ports = ports
        self._loop = LoopThread(self._parts.loop, self._host, self._inbox, self._clock, self._schedule)
        self._systemd = Systemd(environment)
        self._host.systemd = self._systemd
        self._face: Face | None = None

    def run(self) -> int:
        """Start everything, wait for signals, drain, stop."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        self._recorder.start()
        now = self._clock.now()
        self._parts.loop.submit(self._host.left_open(now))
        self._parts.loop.submit(heartbeat.started(self._host.loaded.model.heartbeat, now))
        self._host.listen_for_beats(self._parts.loop)
        self._loop.start()
        try:
            return self._serve()
        finally:
            log.get().info(log.DAEMON_STOPPING)
            self._stop()
            log.get().info(log.DAEMON_STOPPED)

    def _serve(self) -> int:
        """Until a signal, or until another daemon leads; the exit code."""
        self._face = faces_of(self._host, self._parts, self._recorder, self._registry, self._reload)
        self._schedule.start(self._intervals())
        settings = self._host.loaded.model
        gc.freeze()  # what was built by now stays for good: looking through it again and again is waste
        log.get().info(
            log.DAEMON_STARTED,
            pid=os.getpid(),
            listen=self._face.address,
            state=settings.state,
            autonomy=str(settings.autonomy),
            config=[str(file) for file in self._files],
        )
        self._systemd.ready()
        while (asked := self._asked.get()) not in {"stop", "lost"}:
            if asked == "reload":
                self._reload()
            else:
                self._inbox.put(Asked(asked))
        return ANSWER_IS_NO if asked == "lost" else GOOD

    def _stop(self) -> None:
        """Not ready, intake closed -> scheduler off -> no new steps -> hands -> due pages -> web -> store."""
        self._host.ready = (False, "shutting down")
        self._systemd.stopping()
        self._recorder.close()
        self._schedule.stop()
        self._loop.drain(self._processes.end_all)
        if self._face is not None:
            self._face.stop()
        self._http.close()
        self._store.close()

    def _reload(self) -> Sequence[str]:
        """Read the files anew; what is wrong with them, or nothing. A bad file changes nothing."""
        try:
            loaded = load(self._files, environment=self._environment)
        except ConfigError as error:
            return self._refuse(tuple(str(problem) for problem in error.problems))
        loaded.environment.succeed(self._host.loaded.environment)
        if fixed := self._fixed(loaded):
            return self._refuse(fixed)
        self._loop.adopt(lambda now: self._take(loaded, now))
        return ()

    def _refuse(self, problems: tuple[str, ...]) -> Sequence[str]:
        self._host.refused = problems
        self._metrics.config_reloads.labels("refused").inc()
        log.get().error(log.CONFIG_REFUSED, problems=problems)
        return problems

    def _fixed(self, loaded: Loaded[Settings]) -> tuple[str, ...]:
        """What a running daemon cannot change."""
        before, after = self._host.loaded.model, loaded.model
        for key in ("state", "listen"):
            if getattr(before, key) != getattr(after, key):
                loaded.problem((key,), "cannot change while the daemon runs", "restart it")
        return tuple(str(problem) for problem in loaded.problems if problem.severity == "error")

    def _take(self, loaded: Loaded[Settings], now: float) -> None:
        """On the loop's thread, between two steps: rules change; states, incidents, pages and clocks do not."""
        rebuild(self._parts, loaded, self._ports, now)
        self._host.take(loaded, now)
        self._host.listen_for_beats(self._parts.loop)
        log.configure(lambda: rfc3339(self._clock.now()), loaded.redactor)
        self._schedule.reschedule(self._intervals())
        self._metrics.config_reloads.labels("taken").inc()
        log.get().info(log.CONFIG_LOADED, digest=loaded.digest)

    def _redacted(self, data: Any) -> Any:
        """What others send, without the secrets of the configuration in force and of those before it."""
        return self._parts.workers.redacted(data)

    def _intervals(self) -> dict[str, float]:
        settings = self._host.loaded.model
        every = {"poll": settings.poll_interval, "housekeeping": HOUSEKEEPING}
        if settings.heartbeat is not None:
            every["heartbeat"] = settings.heartbeat.every
        return every

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        asked = SIGNALS[signal.Signals(number)]
        if asked == "stop" and self._host.ready[1] == "shutting down":
            os._exit(1)  # a second TERM exits at once
        self._asked.put(asked)
