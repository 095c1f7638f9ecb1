"""Parts: everything the web is handed by whoever builds it, in one frozen bundle.

The web knows no loop: it reads through its own read-only store, sees the loop through a snapshot, and gives what
people order to `record`, which answers when it is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from fastapi import Request
from prometheus_client import CollectorRegistry

from config.scope import Scope
from daemon.desk.known import Known
from daemon.desk.snapshot import Snapshot
from daemon.desk.tokens import Tokens
from daemon.detect.inbox import InboxSpec
from daemon.detect.trace import Chart
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.twilio_back import Phones
from daemon.incidents.records import Alert, Order
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from daemon.web.handover import Handover
from daemon.web.limits import Limits
from daemon.web.presses import Presses
from daemon.web.pulse import Pulse
from daemon.web.sessions import Sessions
from daemon.web.tries import Tries
from remediations.ports import Clock, Http

T = TypeVar("T")

Record = Callable[[Sequence[Order], Sequence[Alert]], Future[tuple[int, ...]]]
"""The orders' ids. Raises when it cannot take more right now; the future carries the error of what could not be written."""
Charts = Callable[[str, Scope, float, float], Chart | None]
"""(detector, scope, since, until) -> its recent values; None when nothing is kept about it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The callables answer with what is in force at the moment they are called: a reload changes them."""

    reader: Store
    known: Callable[[], Known]
    snapshot: Callable[[], Snapshot | None]
    record: Record
    reload: Callable[[], Sequence[str]]
    registry: CollectorRegistry
    tokens: Callable[[], Tokens]
    inbox: Callable[[], InboxSpec]
    public_url: Callable[[], str]
    local_operator: Callable[[], bool]
    chart: Charts
    clock: Clock
    ready: Callable[[], tuple[bool, str]]
    sessions: Sessions
    pulse: Pulse
    shared: Callable[[], Shared] = Shared
    http: Http | None = None
    phones: Callable[[], Phones | None] = lambda: None
    limits: Limits = field(default_factory=Limits)
    presses: Presses = field(default_factory=Presses)
    tries: Tries = field(default_factory=Tries)
    handover: Handover = field(default_factory=Handover)

    def read(self, question: Callable[[UnitOfWork], T]) -> T:
        """Ask within one read transaction."""
        with self.reader.read() as uow:
            return question(uow)

    @property
    def now(self) -> float:
        return self.clock.now()


def parts_of(request: Request) -> Parts:
    """The parts of the application that serves this request."""
    parts: Parts = request.app.state.parts
    return parts


Names = Mapping[str, str]
