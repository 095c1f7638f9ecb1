"""The daemon of this machine: its store, read and ordered through directly, whether it runs or not."""

from __future__ import annotations

import contextlib
import os
import pwd
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from daemon.cli import alive
from daemon.cli.questions import Asked, Question
from daemon.cli.remote import RemoteFace
from daemon.cli.setup import Setup
from daemon.cli.taken import Taken
from daemon.clock import rfc3339
from daemon.desk import models
from daemon.desk.orders import order_of
from daemon.desk.tokens import Caller, Role
from daemon.errors import FleetmendError, NotFound, StoreError
from daemon.incidents.records import Order, OrderState
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from remediations.ports import Clock, Http

M = TypeVar("M", bound=models.Model)

MARK = "fleetmend pause"
"""Begins a kill-switch file that `pause` made, so that `unpause` removes no other."""
ANSWER_WITHIN = 3.0
LIVE_WITHIN = 2.0


class LocalFace:
    """`who`: the operating system's user, who may do what the store's file permissions let them."""

    def __init__(self, setup: Setup, http: Http, clock: Clock, *, token: str | None, who: str) -> None:
        self._setup, self._http, self._clock, self._token, self._who = setup, http, clock, token, who
        self._note: str | None = None

    @property
    def note(self) -> str | None:
        """What the reader has to know about the last answer."""
        return "\n".join(filter(None, (self._note, *self._setup.warnings))) or None

    def ask(self, question: Question[M]) -> M:
        """Answer from the running daemon where it knows more, else from the store. Raises `StoreError`, `NotFound`."""
        now = self._clock.now()
        with self._store(read_only=True) as store:
            with store.read() as uow:
                running = self._runs(uow, now)
                as_of = "" if running else _as_of(uow)
            if not running:
                self._note = f"the daemon is not running; this is the store as of {as_of}"
            elif question.live and (answer := self._live(question)) is not None:
                return answer
            with store.read() as uow:
                lease = uow.lease.current() if running else None
                leader = lease.holder if lease is not None else None
                return question.answer(Asked(uow, self._setup.known, now, self._kill_switch(), leader))

    def runs(self) -> bool:
        """Whether a daemon is there that takes orders."""
        try:
            with self._store(read_only=True) as store, store.read() as uow:
                return self._runs(uow, self._clock.now())
        except StoreError:
            return False

    def order(self, kind: str, incident: str | None, args: Mapping[str, Any]) -> Taken:
        """Write the order down and wait a moment for the loop's answer.

        `pause` works without a store: it makes the kill-switch file. Raises as `order_of` does, or `StoreError`.
        """
        now = self._clock.now()
        try:
            taken, running = self._record(kind, incident, args, now)
        except StoreError as error:
            if kind != "pause" or self._setup.kill_switch is None:
                raise
            return self._by_file(args, error, now)
        self._note = None if running else "the daemon is not running; it carries this out when it starts"
        if kind == "unpause" and not args.get("scope") and not args.get("id"):
            self._lift_file()
        return self._answer(taken) if running else taken

    def _record(
        self, kind: str, incident: str | None, args: Mapping[str, Any], now: float
    ) -> tuple[Taken, bool]:
        with self._store(read_only=False) as store:
            with store.read() as uow:
                about = uow.incidents.get(incident) if incident is not None else None
                if incident is not None and about is None:
                    raise NotFound(f"there is no incident {incident!r}")
                running = self._runs(uow, now)
            caller = Caller(self._who, Role.ADMIN, "cli")
            order = order_of(kind, caller, args, now=now, incident=about)
            recorded = store.record(orders=[order])
        return Taken(recorded[0], None), running

    def _answer(self, taken: Taken) -> Taken:
        """The loop looks every second; what it has not answered by then it still will."""
        until = self._clock.monotonic() + ANSWER_WITHIN
        pause = threading.Event()
        with self._store(read_only=True) as store:
            while self._clock.monotonic() < until:
                with store.read() as uow:
                    order: Order | None = uow.inbox.order(taken.order or 0)
                if order is not None and order.state is not OrderState.NEW:
                    return Taken(taken.order, order.answer, order.state is OrderState.REFUSED)
                pause.wait(0.1)
        return taken

    def _live(self, question: Question[M]) -> M | None:
        """What the daemon itself says; None when it does not: the store's answer is good enough then."""
        if not self._setup.listen:
            return None
        face = RemoteFace(
            f"http://{_reachable(self._setup.listen)}",
            self._token,
            self._http,
            self._clock,
            deadline=LIVE_WITHIN,
        )
        with contextlib.suppress(FleetmendError):
            return face.ask(question)
        return None

    def _runs(self, uow: UnitOfWork, now: float) -> bool:
        return alive.runs(self._setup.state, uow.lease.current(), now)

    @contextmanager
    def _store(self, *, read_only: bool) -> Iterator[Store]:
        with Store.open(self._setup.state, read_only=read_only) as store:
            yield store

    def _kill_switch(self) -> tuple[str, ...]:
        path = self._setup.kill_switch
        return (f"the kill switch {path} exists",) if path is not None and path.exists() else ()

    def _by_file(self, args: Mapping[str, Any], error: StoreError, now: float) -> Taken:
        path = self._setup.kill_switch
        assert path is not None
        if args.get("scope") not in {None, "", "*"}:
            raise FleetmendError(
                f"{error}; without the store only everything can be paused: leave out --scope"
            )
        text = f"{MARK} by {self._who} at {rfc3339(now)}: {args.get('reason') or 'no reason given'}\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as refusal:
            raise FleetmendError(f"{error}; and the kill switch {path}: {refusal.strerror}") from error
        self._note = f"the store cannot be written ({error})"
        return Taken(None, f"everything is paused by the kill switch {path}; fleetmend unpause removes it")

    def _lift_file(self) -> None:
        path = self._setup.kill_switch
        if path is None or not path.exists():
            return
        if not _marked(path):
            self._note = (
                f"the kill switch {path} was made by somebody else and still holds: remove it by hand"
            )
            return
        path.unlink(missing_ok=True)


def local_user(environment: Mapping[str, str]) -> str:
    """Who is at the terminal: behind `sudo`, the person who called it."""
    uid = os.getuid()
    if uid == 0 and environment.get("SUDO_USER"):
        return environment["SUDO_USER"][:64]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _marked(path: Path) -> bool:
    try:
        return path.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    except OSError:
        return False


def _reachable(listen: str) -> str:
    """The address of a listening socket as a client on this machine reaches it."""
    host, _, port = listen.rpartition(":")
    return f"127.0.0.1:{port}" if host in {"", "0.0.0.0", "::", "[::]"} else listen  # noqa: S104 - compared, not bound


def _as_of(uow: UnitOfWork) -> str:
    """The last thing a daemon wrote."""
    lease = uow.lease.current()
    lines = uow.timeline.tail(uow.timeline.last_seq() - 1)
    times = [*([lease.renewed_at] if lease else []), *(line.event.at for line in lines)]
    return rfc3339(max(times)) if times else "its making: no daemon has used it yet"
