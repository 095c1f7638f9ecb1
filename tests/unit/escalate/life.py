"""The paging half of a daemon, from the store to the providers' doors, that can die between any two commits.

Store and stage are the real ones; the loop is played by hand, in the order in which it does things, and the providers
only remember what they took. What is asserted is what they took, and what stands on the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.receipts import Fate, Report, reported
from daemon.escalate.setup import Setup
from daemon.escalate.stage import Escalate
from daemon.escalate.triggers import Trigger
from daemon.incidents.change import Change, Job
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Delivery, Mute, PageEvent
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from tests.fakes import rows
from tests.fakes.paging import DIRECTORY, MONDAY, POLICY

PROOF = 120.0
"""Seconds within which a provider says that a message arrived, where a receipt promises it."""


class Taken(NamedTuple):
    """One message as its provider took it."""

    incident: str
    place: tuple[str, str]
    key: str
    event: PageEvent


@dataclass
class Letter:
    """A job in a worker's hands; `answer` once its provider gave one and nobody booked it yet."""

    job: Job
    answer: Receipt | None = None

    @property
    def key(self) -> str:
        return self.job.key.rpartition("#")[0]


@dataclass
class Life:
    """`letters` die with the daemon; `taken` and the store do not. `excused`: repeats that a death or silence explains."""

    store: Store
    now: float = MONDAY
    setup: Setup = field(default_factory=lambda: Setup({"default": POLICY}, DIRECTORY))
    letters: list[Letter] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.stage = Escalate(self.setup)

    # ------------------------------------------------------------ what is decided

    def commit(self, work: Callable[[UnitOfWork], Change | None], *, dies: bool = False) -> None:
        """One item of the loop. `dies`: killed at the commit; the item is done by the next life, as its cause stands."""
        if dies:
            with suppress(_Killed), self.store.write() as uow:
                uow.apply(work(uow) or Change())
                raise _Killed
            self.restart()
        with self.store.write() as uow:
            change = uow.apply(work(uow) or Change())
        self.letters += [Letter(job) for job in change.jobs]

    def begin(self, incident: Incident) -> None:
        first = Event(incident.id, self.now, Kind.DETECTED, "detected")
        escalation = Escalation(incident.id, severity=incident.severity)
        self.commit(lambda _: Change(incident=incident, escalation=escalation, events=(first,)))

    def tell(self, key: str, *triggers: Trigger, dies: bool = False, **fields: object) -> None:
        """`fields`: what the incident becomes in the same commit."""

        def work(uow: UnitOfWork) -> Change:
            incident = uow.incidents.get(key)
            assert incident is not None
            after = replace(incident, **fields)  # type: ignore[arg-type]  # names are Incident's own
            change = self.stage.advance(uow, key, triggers, self.now, incident=after).change
            return replace(change, incident=after) if fields else change

        self.commit(work, dies=dies)

    def tick(self) -> None:
        """The loop looks at its clocks, then at what it waits for word of."""
        for key in self.due():
            self.commit(lambda uow, key=key: self.stage.tick(uow, key, self.now))  # type: ignore[misc]  # bound per round
        with self.store.write() as uow:
            for change in self.stage.look(uow, self.now):
                uow.apply(change)

    def due(self) -> list[str]:
        with self.store.read() as uow:
            return [row.id for row in uow.escalations.due(self.now)]

    def wait(self, seconds: float) -> None:
        """Time passes; the clock is looked at on each exact due time, and once at the end."""
        end = self.now + seconds
        for _ in range(1000):
            with self.store.read() as uow:
                at = min((row.next_at or end for row in uow.escalations.due(end)), default=end)
            self.now = max(self.now, min(at, end))
            self.tick()
            if self.now >= end:
                return
            if self.due():  # what is due and does not move is left for the end
                break
        self.now = end
        self.tick()

    def restart(self) -> None:
        """Killed and started again: what workers had is lost, with whatever they knew."""
        arrived = [letter for letter in self.letters if letter.answer is not None]
        self.excused.update(row.key for letter in arrived for row in self._carried(letter))
        self.letters = []
        self.stage = Escalate(self.setup)
        self.commit(lambda uow: self.stage.restart(uow, self.now))

    # ------------------------------------------------------------ what is sent

    def dispatch(self, slots: int = 8) -> list[Job]:
        def work(uow: UnitOfWork) -> Change:
            for change in self.stage.detour(uow, self.now):
                uow.apply(change)
            return self.stage.dispatch(uow, self.now, slots)

        before = len(self.letters)
        self.commit(work)
        return [letter.job for letter in self.letters[before:]]

    def send(self, letter: Letter, kind: ReceiptKind, *, arrives: bool = True, proof: bool = False) -> None:
        """The provider answers, or falls silent; the answer waits to be booked."""
        takes = kind is ReceiptKind.OK or (kind is ReceiptKind.AMBIGUOUS and arrives)
        message: Message = letter.job.args["message"]
        if takes:
            self.taken += [
                Taken(row.incident, (row.address, row.channel), row.key, message.event)
                for row in self._carried(letter)
            ]
        if kind is ReceiptKind.AMBIGUOUS and takes:
            self.excused.update(row.key for row in self._carried(letter))
        name = f"P{len(self.taken)}" if takes else ""
        within = PROOF if proof and kind is ReceiptKind.OK else None
        letter.answer = Receipt(kind, str(kind), provider_id=name, proof_within=within)

    def book(self, letter: Letter) -> None:
        assert letter.answer is not None
        answer = letter.answer
        self.letters.remove(letter)
        with self.store.write() as uow:
            for change in self.stage.receipt(uow, letter.job.key, answer, self.now):
                uow.apply(change)

    def say(self, key: str, fate: Fate) -> None:
        """The provider of a message says what became of it."""
        with self.store.read() as uow:
            row = uow.deliveries.get(key)
        assert row is not None
        order = reported(Report(fate), row.channel, self.now, key=key)
        self.commit(lambda uow: self.stage.heard(uow, order, self.now))

    def serve(self) -> bool:
        """All that is due goes out and is taken; whether anything moved."""
        jobs = self.dispatch(100)
        for letter in list(self.letters):
            if letter.answer is None:
                self.send(letter, ReceiptKind.OK)
            self.book(letter)
        return bool(jobs)

    def _carried(self, letter: Letter) -> list[Delivery]:
        """The rows that one job carries."""
        with self.store.read() as uow:
            mine = uow.deliveries.get(letter.key)
            return [
                row
                for row in uow.deliveries.sending()
                if row.key == letter.key or letter.job.key in {str(fact) for fact in row.facts.values()}
            ] or ([mine] if mine else [])

    # ------------------------------------------------------------ what stands on the record

    def incident(self, key: str) -> Incident:
        with self.store.read() as uow:
            found = uow.incidents.get(key)
        assert found is not None
        return found

    def escalation(self, key: str) -> Escalation:
        with self.store.read() as uow:
            found = uow.escalations.get(key)
        assert found is not None
        return found

    def rows(self, key: str) -> tuple[Delivery, ...]:
        with self.store.read() as uow:
            return uow.deliveries.of(key)

    def mute(self, mute: Mute) -> None:
        self.commit(lambda _: Change(mutes=(mute,)))

    def unsettled(self) -> list[Delivery]:
        with self.store.read() as uow:
            return list(uow.deliveries.unsent())


class _Killed(Exception):
    """The daemon died here."""


def fresh(key: str, severity: str, now: float) -> Incident:
    return rows.incident(
        key,
        severity=severity,
        failure_mode="storage_failure",
        state=IncidentState.OPEN,
        began_at=now - 60,
        detected_at=now,
    )
