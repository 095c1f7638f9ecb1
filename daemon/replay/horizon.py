"""Horizon: when something can next happen by itself, read from the rows, so that a story skips the empty seconds.

The live loop looks every second, because orders may have been written meanwhile. On a story's clock nothing is written
between two steps, so a step before anything is due would do nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from config.scope import WHOLE
from daemon.incidents.change import Job
from daemon.incidents.escalation import Escalation
from daemon.incidents.model import STORM, Incident, IncidentState
from daemon.incidents.records import Debt, DebtState, Delivery, Mute
from daemon.loop.core import IDLE, Loop
from daemon.loop.triggers import SUPPRESSED_FOR
from daemon.mitigate.step import DIAGNOSE_WITHIN
from daemon.store.unit import UnitOfWork
from remediations.run import Run, RunState

ASKED_EVERY_SECOND = frozenset({RunState.RECHECKING, RunState.WAITING})
"""States in which a run asks again at every step: what it waits for has no date."""
SETTLED_BY_ANSWERS = frozenset({DebtState.PROPOSED, DebtState.PAYING, DebtState.FAILED})


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows with a date ahead, as they stood after so many changes of the store."""

    changes: int
    runs: tuple[Run, ...]
    incidents: tuple[Incident, ...]
    escalations: tuple[Escalation, ...]
    deliveries: tuple[Delivery, ...]
    debts: tuple[Debt, ...]
    mutes: tuple[Mute, ...]
    intended: bool

    @classmethod
    def read(cls, changes: int, runs: tuple[Run, ...], uow: UnitOfWork) -> _Rows:
        return cls(
            changes,
            runs,
            uow.incidents.open(),
            uow.escalations.due(math.inf),
            uow.deliveries.due(math.inf),
            uow.debts.due(math.inf),
            uow.mutes.listed(),
            bool(uow.attempts.intended()),
        )


def quiet_dates(loop: Loop, now: float) -> Iterator[float]:
    """Dates ahead, unix seconds, where nothing is asked, done, sent or muted: of runs, incidents and escalations alone.

    One that is not ahead of `now` is due at the next look.
    """
    with loop.store.read() as uow:
        runs = tuple(run for run in uow.runs.active() if run.state not in ASKED_EVERY_SECOND)
        open_ = uow.incidents.open()
        rows = _Rows(
            loop.store.changes, runs, open_, uow.escalations.due(math.inf), (), (), (), intended=False
        )
        storm = uow.incidents.latest(STORM, WHOLE)
    yield from _dates(loop, rows, now)
    if storm is None:
        return
    if not storm.ended:
        if storm.recovered_at is not None:
            yield storm.recovered_at + loop.stages.storm.leave_after
        return
    ended = storm.resolved_at or 0.0
    playbooks = loop.stages.mitigate.rules.playbooks
    for incident in open_:  # what lived through it has its whole time once more
        playbook = playbooks.get(incident.playbook or "")
        yield from _ahead(
            now, ended + SUPPRESSED_FOR, *(() if playbook is None else (ended + playbook.deadline,))
        )


@dataclass(slots=True)
class Horizon:
    """Of one store that nobody else writes to: its rows are read again when something was written."""

    _rows: _Rows | None = None

    def next_at(self, loop: Loop, under_way: Iterable[Job], now: float) -> float:
        """Unix seconds of the next step that may do something. `under_way`: jobs whose answers have not come."""
        due = min(loop.next_question(now), loop.next_page(now))
        if due < now + IDLE:
            return due
        changes = loop.store.changes
        if self._rows is None or self._rows.changes != changes:
            with loop.store.read() as uow:
                runs = uow.runs.active()
                if any(run.state in ASKED_EVERY_SECOND for run in runs):
                    return now + IDLE
                self._rows = _Rows.read(changes, runs, uow)
        dates = [*_dates(loop, self._rows, now), *(job.deadline_at + IDLE for job in under_way)]
        return min(due, max(min(dates, default=math.inf), now + IDLE))


def _dates(loop: Loop, rows: _Rows, now: float) -> Iterator[float]:
    yield from (_run(run, now) for run in rows.runs)
    for incident in rows.incidents:
        playbook = loop.stages.mitigate.rules.playbooks.get(incident.playbook or "")
        if incident.state is IncidentState.SUPPRESSED and incident.suppressed_at is not None:
            yield from _ahead(now, incident.suppressed_at + SUPPRESSED_FOR)
        elif playbook is not None:
            yield from _ahead(now, incident.detected_at + playbook.deadline)
    for escalation in rows.escalations:
        yield math.inf if escalation.next_at is None else escalation.next_at
    yield from (row.due_at for row in rows.deliveries)
    for debt in rows.debts:
        if debt.due_at is not None and debt.state not in SETTLED_BY_ANSWERS:
            yield debt.due_at
    for mute in rows.mutes:
        yield from _ahead(now, mute.starts_at, *(() if mute.ends_at is None else (mute.ends_at,)))
    if loop.waiting or loop.unheard or rows.intended:
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
