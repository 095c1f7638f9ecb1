"""What a daemon that was killed still owes, judged by what really happened: the effect log and the pager's own record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Delivery, DeliveryState, PageEvent
from daemon.store.unit import UnitOfWork

RERUN = "rerun"
"""`on_interrupt` of what may safely be done twice."""
PAGES = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE})
STANDING = frozenset({DeliveryState.OWED, DeliveryState.SENDING})


@dataclass(frozen=True)
class Received:
    """One message as the pager took it: its id, what it says, of which incident."""

    id: str
    event: str
    incident: str


@dataclass(frozen=True)
class Record:
    """What stands in the store at the end, and what happened outside of it. `effects`: keys of calls that were carried out."""

    incidents: Sequence[Incident]
    attempts: Sequence[Attempt]
    deliveries: Sequence[Delivery]
    effects: Sequence[str]
    received: Sequence[Received]
    deaths: int = 1


@dataclass
class Broken:
    """Promises that were not kept, in words."""

    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)

    def __iadd__(self, other: Broken) -> Self:
        self.duplicates += other.duplicates
        self.lost += other.lost
        self.unended += other.unended
        return self

    @property
    def kinds(self) -> tuple[list[str], list[str], list[str]]:
        return self.duplicates, self.lost, self.unended

    @property
    def all(self) -> list[str]:
        return [*self.duplicates, *self.lost, *self.unended]

    @property
    def counts(self) -> str:
        """The line that is printed."""
        return (
            f"{len(self.duplicates)} duplicates, {len(self.lost)} lost pages, "
            f"{len(self.unended)} incidents without an end"
        )


def kept(uow: UnitOfWork, effects: Sequence[str], received: Sequence[Received], deaths: int = 1) -> Record:
    """The record of a store as it stands."""
    incidents = uow.incidents.search(limit=100).incidents
    return Record(
        incidents,
        [row for one in incidents for row in uow.attempts.of(one.id)],
        [row for one in incidents for row in uow.deliveries.of(one.id)],
        effects,
        received,
        deaths,
    )


def broken(record: Record) -> Broken:
    """Everything that was done twice, told to nobody, or left without an end."""
    return Broken(_duplicates(record), _lost(record), _unended(record))


def _duplicates(record: Record) -> list[str]:
    """One decision (incident, climb, rung, phase) is carried out once, under whatever key; one message once a death."""
    rerun = {attempt.key for attempt in record.attempts if attempt.on_interrupt == RERUN}
    known = {attempt.key for attempt in record.attempts}
    decided = Counter(key if key in rerun else key.rpartition("/")[0] for key in record.effects if key)
    wrong = [
        f"{key}: carried out, and the journal does not know it" for key in set(record.effects) - known - {""}
    ]
    wrong += [
        f"{decision}: carried out {times} times"
        for decision, times in decided.items()
        if times > (1 + record.deaths if decision in rerun else 1)
    ]
    sent = Counter(message.id for message in record.received)
    wrong += [f"{name}: sent {times} times" for name, times in sent.items() if times > 1 + record.deaths]
    ids = {(message.incident, message.event): set[str]() for message in record.received}
    for message in record.received:
        ids[message.incident, message.event].add(message.id)
    rows = Counter((row.incident, str(row.event)) for row in record.deliveries)
    wrong += [
        f"{incident}: {len(found)} {event}s for {rows[incident, event]} rows"
        for (incident, event), found in ids.items()
        if len(found) > rows[incident, event]
    ]
    return wrong


def _lost(record: Record) -> list[str]:
    """What is marked as told and never arrived; what was given up and nobody paged; a page without its end."""
    told = Counter((message.incident, message.event) for message in record.received)
    wrong = [
        f"{row.key}: accepted, and never received"
        for row in record.deliveries
        if row.state is DeliveryState.ACCEPTED
        and row.channel == "webhook"
        and not told[row.incident, str(row.event)]
    ]
    wrong += [f"{row.key}: still {row.state}" for row in record.deliveries if row.state in STANDING]
    for incident in record.incidents:
        paged = told[incident.id, str(PageEvent.TRIGGER)]
        if incident.stepped_back and not paged:
            wrong.append(f"{incident.id}: stepped back, and nobody was paged")
        if paged and incident.ended and not told[incident.id, str(PageEvent.RESOLVE)]:
            wrong.append(f"{incident.id}: paged, and its end told to nobody")
    return wrong


def _unended(record: Record) -> list[str]:
    return [f"{one.id}: {one.state}" for one in record.incidents if not one.ended]
