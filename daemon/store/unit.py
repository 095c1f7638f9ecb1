"""The unit of work: the repositories of one transaction, and `apply`, the only way state changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

from daemon.errors import Stale
from daemon.incidents.change import Change
from daemon.store import attempts, debts, deliveries, escalations, incidents, runs
from daemon.store.attempts import Attempts
from daemon.store.checkpoints import Checkpoints
from daemon.store.debts import Debts
from daemon.store.deliveries import Deliveries
from daemon.store.drills import Drills
from daemon.store.escalations import Escalations
from daemon.store.inbox import Inbox
from daemon.store.incidents import Incidents
from daemon.store.lease import Leases
from daemon.store.locks import Locks
from daemon.store.mutes import Mutes
from daemon.store.pipeline import Pipeline
from daemon.store.rollups import Rollups
from daemon.store.runs import Runs
from daemon.store.timeline import Timeline
from daemon.store.tx import Tx


class UnitOfWork:
    """One transaction: everything in it is kept, or nothing."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.stale: Stale | None = None
        """Set when a change was refused: such a unit is never committed."""

    @property
    def changed(self) -> bool:
        """Whether some row may be another than before."""
        return self._tx.changed

    @cached_property
    def incidents(self) -> Incidents:
        return Incidents(self._tx)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self._tx)

    @cached_property
    def escalations(self) -> Escalations:
        return Escalations(self._tx)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts(self._tx)

    @cached_property
    def debts(self) -> Debts:
        return Debts(self._tx)

    @cached_property
    def deliveries(self) -> Deliveries:
        return Deliveries(self._tx)

    @cached_property
    def timeline(self) -> Timeline:
        return Timeline(self._tx)

    @cached_property
    def mutes(self) -> Mutes:
        return Mutes(self._tx)

    @cached_property
    def locks(self) -> Locks:
        return Locks(self._tx)

    @cached_property
    def inbox(self) -> Inbox:
        return Inbox(self._tx)

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline(self._tx)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self._tx)

    @cached_property
    def rollups(self) -> Rollups:
        return Rollups(self._tx)

    @cached_property
    def drills(self) -> Drills:
        return Drills(self._tx)

    @cached_property
    def lease(self) -> Leases:
        return Leases(self._tx)

    def apply(self, change: Change) -> Change:
        """Write all rows, events and deliveries of a change; returns it with the versions they now have.

        Each row is written only where the version it was read at still stands (0: where there is none yet), else
        `Stale` is raised and nothing of this unit is kept, even if the caller catches it. A delivery whose key
        exists already is not written again; the change returned holds the one that stands. `jobs` pass through.
        """
        with self._guarded():
            return self._write(change)

    def apply_all(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """As `apply` for each. Incidents that are only opened go together, a statement for each kind of row: two hundred of
        them would hold up everything else for a tenth of a second.
        """
        opened = [change for change in changes if _opens(change)]
        with self._guarded():
            new = dict(zip(map(id, opened), self._open(opened), strict=True))
            return tuple(new.get(id(change)) or self._write(change) for change in changes)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Stale as stale:
            self.stale = stale
            raise

    def _open(self, changes: Sequence[Change]) -> list[Change]:
        tx = self._tx
        added = incidents.ROWS.add(tx, [change.incident for change in changes if change.incident])
        clocks = escalations.ROWS.add(tx, [change.escalation for change in changes if change.escalation])
        self.timeline.append([event for change in changes for event in change.events])
        return [
            replace(change, incident=incident, escalation=escalation)
            for change, incident, escalation in zip(changes, added, clocks, strict=True)
        ]

    def _write(self, change: Change) -> Change:
        tx = self._tx
        incident, run, escalation = change.incident, change.run, change.escalation
        written = replace(
            change,
            incident=incident and incidents.ROWS.put(tx, incident),
            run=run and runs.ROWS.put(tx, run),
            escalation=escalation and escalations.ROWS.put(tx, escalation),
            attempts=tuple(attempts.ROWS.put(tx, attempt) for attempt in change.attempts),
            debts=tuple(debts.ROWS.put(tx, debt) for debt in change.debts),
            deliveries=tuple(deliveries.ROWS.put_once(tx, delivery) for delivery in change.deliveries),
        )
        for lock in change.locks:
            self.locks.save(lock)
        for target in change.unlocks:
            self.locks.remove(target)
        for mute in change.mutes:
            self.mutes.save(mute)
        self.timeline.append(change.events)
        return written


def _opens(change: Change) -> bool:
    """Whether it is a new incident with its escalation and what is told of it, and nothing else."""
    incident, escalation = change.incident, change.escalation
    if incident is None or escalation is None or incident.version or escalation.version:
        return False
    return change == Change(incident=incident, escalation=escalation, events=change.events, jobs=change.jobs)
