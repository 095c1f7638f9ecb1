"""A real store, the escalation stage and one worker, driven by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from config.people import PersonSpec
from config.schedules import ScheduleSpec
from config.scope import scope_of
from config.secrets import Environment
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.message import Receipt
from daemon.escalate.post import post
from daemon.escalate.schedules import directory_of
from daemon.escalate.setup import Setup
from daemon.escalate.stage import Escalate
from daemon.escalate.triggers import Ended, PageOwed, Trigger
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, IncidentState
from daemon.incidents.records import Delivery
from daemon.store.store import Store
from remediations.run import RunState
from tests.fakes import pagerduty, rows
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.paging import POLICY
from tests.fakes.ports import FakeClock, FakeHttp

OWED = PageOwed("Ladder exhausted")
PEOPLE = {
    "ana": PersonSpec.model_validate(
        {
            "name": "Ana",
            "timezone": "Europe/Paris",
            "channels": [{"pagerduty": {"routing_key": {"env": "K"}}}, {"console": {}}],
        }
    ),
    "ben": PersonSpec.model_validate({"name": "Ben", "channels": [{"console": {}}]}),
    "chloe": PersonSpec.model_validate({"name": "Chloe", "channels": [{"console": {}}]}),
}
SCHEDULES = {
    "primary": ScheduleSpec.model_validate(
        {"rotation": {"every": "1w", "starts": "2025-12-29 00:00", "people": ["ana"]}}
    )
}
DIRECTORY = directory_of(PEOPLE, {"architecture": ("chloe",)}, SCHEDULES, KINDS)


@dataclass
class House:
    """Store, stage and one worker, driven by hand. `crash` forgets everything that is not on disk."""

    store: Store
    provider: FakePagerDuty = field(default_factory=FakePagerDuty)
    clock: FakeClock = field(default_factory=FakeClock)
    setup: Setup = field(
        default_factory=lambda: Setup({"default": POLICY}, DIRECTORY, public_url="https://fm.example.org")
    )
    jobs: list[Job] = field(default_factory=list)
    tried_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage = Escalate(self.setup)
        self.http = FakeHttp(self.clock).on("POST", pagerduty.URL, self.provider)
        environment = Environment({"K": pagerduty.ROUTING_KEY})
        self.book, _ = address_book(PEOPLE, {}, environment.context)
        self.doors = Doors(self.http, self.clock, lambda text: text.replace(pagerduty.ROUTING_KEY, "***"))

    @property
    def now(self) -> float:
        return self.clock.now()

    def open(self, key: str = "sf-1", severity: str = "critical", **fields: Any) -> None:
        incident = rows.incident(
            key,
            severity=severity,
            failure_mode="storage_failure",
            scope=scope_of({"tier": "hot"}),
            findings=(FindingRecord("storage-writes", 0.042, "above 1%", self.now - 60, "firing"),),
            began_at=self.now - 60,
            detected_at=self.now,
            **fields,
        )
        run = rows.run(key, state=RunState.GAVE_UP, reason="nothing is left to try")
        with self.store.write() as uow:
            uow.apply(
                Change(
                    incident=incident,
                    run=run,
                    escalation=rows.escalation(key, severity=severity),
                    events=(Event(key, self.now, Kind.DETECTED, "detected"),),
                )
            )

    def tell(self, *triggers: Trigger, key: str = "sf-1") -> None:
        with self.store.write() as uow:
            uow.apply(self.stage.advance(uow, key, triggers, self.now).change)

    def end(self, key: str = "sf-1") -> None:
        with self.store.write() as uow:
            incident = uow.incidents.get(key)
            assert incident is not None
            uow.apply(
                Change(
                    incident=replace(
                        incident, state=IncidentState.RESOLVED, resolved_by="self", resolved_at=self.now
                    )
                )
            )
            uow.apply(self.stage.advance(uow, key, (Ended("It mended itself."),), self.now).change)

    def dispatch(self, slots: int = 8) -> None:
        with self.store.write() as uow:
            for detour in self.stage.detour(uow, self.now):
                uow.apply(detour)
            change = self.stage.dispatch(uow, self.now, slots)
            uow.apply(change)
        self.jobs += change.jobs

    def work(self) -> list[Receipt]:
        """The worker sends what it holds; receipts are booked."""
        receipts = []
        for job in self.take():
            receipt = self.send(job)
            self.book_receipt(job, receipt)
            receipts.append(receipt)
        return receipts

    def take(self) -> list[Job]:
        jobs, self.jobs = self.jobs, []
        return jobs

    def send(self, job: Job) -> Receipt:
        self.tried_at.append(self.now)
        return post(job.args, self.book, self.doors, self.clock.monotonic() + 10)

    def book_receipt(self, job: Job, receipt: Receipt) -> None:
        with self.store.write() as uow:
            for change in self.stage.receipt(uow, job.key, receipt, self.now):
                uow.apply(change)

    def pass_time(self, seconds: float) -> None:
        """The loop looks every second, as it does live."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            with self.store.read() as uow:
                due = [row.id for row in uow.escalations.due(self.now)]
            for key in due:
                with self.store.write() as uow:
                    uow.apply(self.stage.tick(uow, key, self.now))
            self.dispatch()
            self.work()

    def crash(self) -> None:
        self.jobs = []
        self.stage = Escalate(self.setup)
        with self.store.write() as uow:
            uow.apply(self.stage.restart(uow, self.now))

    def deliveries(self, key: str = "sf-1") -> tuple[Delivery, ...]:
        with self.store.read() as uow:
            return uow.deliveries.of(key)

    def texts(self, key: str = "sf-1") -> list[str]:
        with self.store.read() as uow:
            return [event.text for event in uow.timeline.of(key)]
