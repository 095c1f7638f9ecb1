"""Horizon: when something can next happen by itself, read from the rows, so that a story skips the empty seconds.

The live loop looks every second, because orders may have been written meanwhile. On a story's clock nothing is written
between two steps, so a step before anything is due would do nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from daemon.incidents.change import Job
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DebtState
from daemon.loop.core import IDLE, Loop
from daemon.loop.triggers import SUPPRESSED_FOR
from daemon.mitigate.step import DIAGNOSE_WITHIN
from daemon.store.unit import UnitOfWork
from remediations.run import Run, RunState

ASKED_EVERY_SECOND = frozenset({RunState.RECHECKING, RunState.WAITING})
"""States in which a run asks again at every step: what it waits for has no date."""
SETTLED_BY_ANSWERS = frozenset({DebtState.PROPOSED, DebtState.PAYING, DebtState.FAILED})


def next_at(loop: Loop, under_way: Iterable[Job], now: float) -> float:
    """Unix seconds of the next step that may do something. `under_way`: jobs whose answers have not come."""
    due = loop.next_question(now)
    if due < now + IDLE:
        return due
    with loop.store.read() as uow:
        dates = [*_dates(loop, uow, now), *(job.deadline_at + IDLE for job in under_way)]
    return min(due, max(min(dates, default=math.inf), now + IDLE))


def _dates(loop: Loop, uow: UnitOfWork, now: float) -> Iterator[float]:
    yield from (_run(run, now) for run in uow.runs.active())
    for incident in uow.incidents.open():
        playbook = loop.stages.mitigate.rules.playbooks.get(incident.playbook or "")
        if incident.state is IncidentState.SUPPRESSED and incident.suppressed_at is not None:
            yield from _ahead(now, incident.suppressed_at + SUPPRESSED_FOR)
        elif playbook is not None:
            yield from _ahead(now, incident.detected_at + playbook.deadline)
    for escalation in uow.escalations.due(math.inf):
        yield math.inf if escalation.next_at is None else escalation.next_at
    yield from (row.due_at for row in uow.deliveries.due(math.inf))
    for debt in uow.debts.due(math.inf):
        if debt.due_at is not None and debt.state not in SETTLED_BY_ANSWERS:
            yield debt.due_at
    for mute in uow.mutes.listed():
        yield from _ahead(now, mute.starts_at, *(() if mute.ends_at is None else (mute.ends_at,)))
    if loop.waiting or loop.unheard or uow.attempts.intended():
        yield now
    yield from (parked.until for parked in loop.parked.items().values() if parked.until > now)


def _run(run: Run, now: float) -> float:
    if run.state in ASKED_EVERY_SECOND:
        return now
    if run.state is RunState.DIAGNOSING:
        return max(now, run.entered_at + DIAGNOSE_WITHIN)
    return math.inf if run.due_at is None else max(now, run.due_at)


def _ahead(now: float, *times: float) -> Iterator[float]:
    return (at for at in times if at > now)
