"""Many incidents and one person: the stage on a real store, a worker that keeps the messages it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from config.people import PersonSpec
from daemon.escalate.channels.registry import KINDS
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.rules import Level, Policy
from daemon.escalate.schedules import directory_of
from daemon.escalate.setup import Setup
from daemon.incidents.change import Job
from daemon.incidents.records import Delivery, DeliveryState
from daemon.store.store import Store
from tests.unit.escalate.house import OWED, House

OK = Receipt(ReceiptKind.OK, "202")
QUIET = Policy((Level(("person:ana",)),))
"""One level, no reminders: what is counted comes from the number of incidents alone."""


@dataclass(frozen=True)
class Sent:
    """One message as a channel took it."""

    at: float
    kind: str
    person: str
    message: Message

    @property
    def ids(self) -> tuple[str, ...]:
        return self.message.several or (self.message.incident,)


@dataclass
class Crowd(House):
    """`answers`: what the channels say of the next tries, then OK."""

    sent: list[Sent] = field(default_factory=list)
    answers: list[Receipt] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    """Keys of all messages that were tried."""

    def send(self, job: Job) -> Receipt:
        message: Message = job.args["message"]
        self.tried.append(message.key)
        receipt = self.answers.pop(0) if self.answers else OK
        if receipt.kind is ReceiptKind.OK:
            self.sent.append(Sent(self.now, job.args["channel"], job.args["address"].split("/")[0], message))
        return receipt

    def page(self, *names: str, severity: str = "critical", **fields: Any) -> None:
        """Incidents of these ids, whose ladders are exhausted."""
        for name in names:
            self.open(name, severity, **fields)
            self.tell(OWED, key=name)

    def until_told(self, seconds: float = 1200.0) -> None:
        """Time passes until nothing is owed any more."""
        end = self.now + seconds
        while self.now < end and (owed := self.owed()):
            due = min(row.due_at for row in owed)
            self.clock.advance(max(0.0, due - self.now - 1))
            self.pass_time(1)

    def owed(self) -> Sequence[Delivery]:
        with self.store.read() as uow:
            return [row for row in uow.deliveries.unsent() if row.state is DeliveryState.OWED]

    def ids(self) -> list[str]:
        """Every incident once for each message that told of it."""
        return sorted(name for one in self.sent for name in one.ids)

    def most_within(self, span: float) -> int:
        times = [one.at for one in self.sent]
        return max(sum(start <= at < start + span for at in times) for start in times)


def crowd(store: Store, *ways: str, policy: Policy = QUIET) -> Crowd:
    """Ana, on call, with these channels."""
    people = {
        "ana": PersonSpec.model_validate({"name": "Ana", "channels": [{kind: {}} for kind in ways]}),
        "ben": PersonSpec.model_validate({"name": "Ben", "channels": [{"slack": {}}]}),
    }
    kinds = {**KINDS, "voice": (True, True, False)}
    setup = Setup(
        {"default": policy}, directory_of(people, {}, {}, kinds), public_url="https://fm.example.org"
    )
    return Crowd(store, setup=setup)
