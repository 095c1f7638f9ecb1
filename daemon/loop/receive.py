"""Receive: what came back, written down before anything is decided on it."""

from __future__ import annotations

from daemon.errors import StoreSick
from daemon.escalate.message import Receipt
from daemon.incidents.change import Change
from daemon.incidents.model import DRILL
from daemon.incidents.records import MuteKind, Order, Phase
from daemon.loop import calendars, drills, say
from daemon.loop.ground import Ground
from daemon.loop.messages import (
    Answered,
    Asked,
    Beaten,
    CalendarRead,
    Drilled,
    Fetched,
    Message,
    Performed,
    Posted,
    Tick,
    Told,
)
from daemon.loop.orders import carry_out
from daemon.mitigate import journal, paying
from daemon.store.unit import UnitOfWork
from remediations.outcome import Outcome
from remediations.run import Evidence

SIGNAL = "signal"
"""Owner of pauses set by SIGUSR1."""


def all_of(loop: Ground, now: float) -> None:
    """Hear everything that came back, in order. What cannot be written down now stays for the next step.

    Raises `StoreSick` after all were heard: samples need no store.
    """
    sick: StoreSick | None = None
    for _ in range(len(loop.unheard)):
        message = loop.unheard.popleft()
        try:
            take(loop, message, now)
        except StoreSick as error:
            loop.unheard.append(message)
            sick = error
    if sick is not None:
        raise sick


def take(loop: Ground, message: Message, now: float) -> None:
    """Keep one message."""
    match message:
        case Fetched(_, result):
            loop.stages.detection.take(result, now)
        case Answered(key, evidence):
            _answered(loop, key, evidence, now)
        case Performed(key, outcome):
            performed(loop, key, outcome, now)
        case Posted(key, receipt):
            _posted(loop, key, receipt, now)
        case Told(events):
            loop.item("told", lambda uow: loop.apply(uow, Change(events=events)), now)
        case Drilled():
            if not drills.heard(loop, message, now):
                loop.drills.wake = True  # it is asked anew
        case CalendarRead():
            calendars.heard(loop, message, now)
        case Beaten(error):
            loop.heart.take(error)
        case Asked(what):
            _asked(loop, what, now)
        case Tick(name):
            _due(loop, name, now)
        case _:
            pass


def _due(loop: Ground, name: str, now: float) -> None:
    """What of the host's own is to be done at its time."""
    if name == "heartbeat":
        loop.host.heartbeat(loop, now)
    elif name == "housekeeping":
        loop.host.housekeeping(loop, now)


def _posted(loop: Ground, key: str, receipt: Receipt, now: float) -> None:
    """A message was handed to its provider: its row is settled."""

    def book(uow: UnitOfWork) -> None:
        row = uow.deliveries.get(key.rpartition("#")[0])
        if row is not None:
            loop.metrics.deliveries.labels(row.channel, str(receipt.kind)).inc()
            loop.metrics.lateness_seconds.labels("page").observe(max(0.0, now - row.due_at))
        for change in loop.stages.escalate.receipt(uow, key, receipt, now):
            loop.apply(uow, change)

    if not loop.item("post", book, now):
        loop.unheard.append(Posted(key, receipt))


def performed(loop: Ground, key: str, outcome: Outcome, now: float) -> None:
    """An action ended: its outcome goes into the journal; the run is stepped in the same round."""

    def record(uow: UnitOfWork) -> None:
        attempt = uow.attempts.get(key)
        if attempt is None or attempt.outcome is not None:
            return
        incident = uow.incidents.get(attempt.incident)
        drilled = (
            incident is not None and incident.failure_mode == DRILL
        )  # taken back at once: nothing is owed
        playbook = None if drilled else loop.stages.mitigate.rules.playbooks.get(attempt.playbook)
        loop.apply(uow, journal.ended(uow, attempt, playbook, outcome, now))
        if attempt.phase is Phase.RETURN:
            loop.apply(uow, paying.ended(uow, attempt, outcome, now))

    if not loop.item(key.split("/", 1)[0], record, now):
        loop.unheard.append(Performed(key, outcome))


def _answered(loop: Ground, key: str, evidence: Evidence, now: float) -> None:
    if loop.stages.detection.answered(key, evidence, now):
        return
    name = key.split("|", 2)[1 if key.startswith(f"{paying.DEBT}|") else 0]

    def record(uow: UnitOfWork) -> None:
        debt = key.startswith(f"{paying.DEBT}|")
        change = (
            paying.answered(uow, key, evidence) if debt else loop.stages.mitigate.answered(uow, key, evidence)
        )
        if change is not None:
            loop.apply(uow, change)

    loop.item(name, record, now)


def orders_and_alerts(loop: Ground, now: float) -> None:
    """Rows that faces and the command line appended; each order is its own transaction."""
    with loop.store.read() as uow:
        orders, alerts = uow.inbox.new_orders(), uow.inbox.new_alerts()
    for order in orders:
        _order(loop, order, now)
    if alerts:
        loop.item("inbox", lambda uow: _alerts(loop, uow), now)


def _order(loop: Ground, order: Order, now: float) -> None:
    name = f"order-{order.id}"
    if loop.item(name, lambda uow: say.ordered(order, carry_out(loop, uow, order, now).text), now):
        return
    parked = loop.parked.items().get(name)
    if parked is not None:
        loop.item(f"{name}-refused", lambda uow: uow.inbox.dead_letter(order, parked.error), now)


def _alerts(loop: Ground, uow: UnitOfWork) -> None:
    alerts = uow.inbox.new_alerts()
    loop.stages.alerts.take(uow, alerts)
    uow.checkpoints.save(loop.stages.alerts.rows_of({alert.fingerprint for alert in alerts}))


def _asked(loop: Ground, what: str, now: float) -> None:
    if what == "reload":
        loop.host.reload("signal")
    elif what in {"pause", "unpause"}:
        args = {"reason": "SIGUSR1"} if what == "pause" else {"kind": str(MuteKind.PAUSE), "scope": {}}
        order = Order(0, now, what, SIGNAL, SIGNAL, None, args)
        loop.item(SIGNAL, lambda uow: uow.inbox.add_orders([order]), now)
