"""Dossier: everything that is recorded about one incident, read in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Debt, Delivery
from remediations.run import Run

Row_co = TypeVar("Row_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Dossier:
    """The rows of one incident. `events` in the order they were appended, `attempts` and `deliveries` oldest first."""

    incident: Incident
    run: Run | None = None
    escalation: Escalation | None = None
    attempts: tuple[Attempt, ...] = ()
    debts: tuple[Debt, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    events: tuple[Event, ...] = ()


class Gets(Protocol[Row_co]):
    """A repository that finds one row by an incident's id."""

    def get(self, key: str, /) -> Row_co | None: ...


class Lists(Protocol[Row_co]):
    """A repository that lists the rows of one incident."""

    def of(self, incident: str, /) -> Sequence[Row_co]: ...


class Reads(Protocol):
    """What of a unit of work a dossier is read from."""

    @property
    def incidents(self) -> Gets[Incident]: ...
    @property
    def runs(self) -> Gets[Run]: ...
    @property
    def escalations(self) -> Gets[Escalation]: ...
    @property
    def attempts(self) -> Lists[Attempt]: ...
    @property
    def debts(self) -> Lists[Debt]: ...
    @property
    def deliveries(self) -> Lists[Delivery]: ...
    @property
    def timeline(self) -> Lists[Event]: ...


def load(uow: Reads, incident_id: str) -> Dossier | None:
    """Read one incident's dossier; None when there is no such incident."""
    incident = uow.incidents.get(incident_id)
    if incident is None:
        return None
    return Dossier(
        incident=incident,
        run=uow.runs.get(incident_id),
        escalation=uow.escalations.get(incident_id),
        attempts=tuple(sorted(uow.attempts.of(incident_id), key=lambda row: (row.intended_at, row.key))),
        debts=tuple(uow.debts.of(incident_id)),
        deliveries=tuple(sorted(uow.deliveries.of(incident_id), key=lambda row: (row.created_at, row.key))),
        events=tuple(uow.timeline.of(incident_id)),
    )
