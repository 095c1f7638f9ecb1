"""Looks for changes of shift, and owes the hand-offs that nobody was told yet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from daemon.escalate import handoff
from daemon.escalate.handoff import Handover
from daemon.incidents.change import Change
from daemon.incidents.events import Event
from daemon.incidents.model import Incident
from daemon.incidents.records import Delivery
from daemon.loop.ground import Ground
from daemon.store.unit import UnitOfWork

EVERY = 15.0
"""Seconds between two looks at the schedules."""


def look(loop: Ground, now: float) -> None:
    """Tell who comes and who goes. Costs a look at the schedules while none of them changed lately."""
    if loop.control.draining or 0.0 <= now - loop.shifts_at < EVERY:
        return
    loop.shifts_at = now
    changes = handoff.handovers(loop.stages.escalate.setup.directory, now)
    if not changes:
        return
    with loop.store.read() as uow:
        rows, _ = _new(loop, uow, changes, now)
    if rows:
        loop.item("hand-off", partial(_owe, loop, changes=changes, now=now), now)


def _owe(loop: Ground, uow: UnitOfWork, *, changes: Sequence[Handover], now: float) -> None:
    rows, events = _new(loop, uow, changes, now)
    loop.apply(uow, Change(deliveries=tuple(rows), events=tuple(events)))


def _new(
    loop: Ground, uow: UnitOfWork, changes: Sequence[Handover], now: float
) -> tuple[list[Delivery], list[Event]]:
    """What is owed and has no row yet: whoever was told of a change is not told of it again."""
    directory, incidents = loop.stages.escalate.setup.directory, _concerned(uow)
    rows: list[Delivery] = []
    events: list[Event] = []
    for side in handoff.sides(changes):
        owed, said = handoff.owed(side, incidents, directory, now)
        if owed and not any(uow.deliveries.get(row.key) for row in owed):
            rows += owed
            events += said
    return rows, events


def _concerned(uow: UnitOfWork) -> tuple[Incident, ...]:
    unpaid = uow.debts.unpaid()
    found = {debt.incident: uow.incidents.get(debt.incident) for debt in unpaid}
    return handoff.concerned(
        uow.incidents.open(), unpaid, {name: one for name, one in found.items() if one is not None}
    )
