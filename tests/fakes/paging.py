"""A story of one escalation on the pure policy: triggers in, rows and clock out, channels answered by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from config.escalation import WorkingHours
from config.schedules import ScheduleSpec
from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.outbox import begin, choose, settle, unwanted, waits
from daemon.escalate.owed import PAGES
from daemon.escalate.policy import Response, respond
from daemon.escalate.rules import Level, Policy
from daemon.escalate.schedules import Directory, Person, Way
from daemon.escalate.triggers import DeliveryFailed, Tick, Trigger
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Delivery, DeliveryState, Mute, PageEvent
from tests.fakes import rows

MONDAY = 1_767_600_000.0
"""2026-01-05 08:00 UTC, nine in Paris."""
MINUTE, HOUR = 60.0, 3600.0

PD, MAIL, HOOK = "pagerduty", "email", "webhook"
WAKES = {PD}


def person(name: str, *kinds: str, zone: str = "Europe/Paris") -> Person:
    ways = tuple(Way(n, kind, wakes=kind in WAKES, tracks=kind in WAKES) for n, kind in enumerate(kinds))
    return Person(name, name.capitalize(), zone, ways)


PEOPLE = {
    who.id: who
    for who in (
        person("ana", PD, MAIL),
        person("ben", PD, MAIL),
        person("chloe", MAIL),
        person("dan", PD, HOOK),
    )
}
ALWAYS_ANA = ScheduleSpec.model_validate(
    {"rotation": {"every": "1w", "starts": "2026-01-01 00:00", "people": ["ana"]}}
)
DIRECTORY = Directory(PEOPLE, {"architecture": ("chloe", "dan")}, {"primary": ALWAYS_ANA})
OFFICE = WorkingHours(timezone="Europe/Paris")
POLICY = Policy(
    levels=(
        Level(("schedule:primary",)),
        Level(("person:ben",), after={"critical": 900.0, "high": 1800.0, "medium": 86400.0}),
        Level(
            ("team:architecture",),
            after={"critical": 1800.0, "high": 14400.0},
            repeat={"critical": 1800.0, "high": 14400.0},
        ),
    ),
    remind={"critical": 300.0, "high": 600.0},
    heads_up=("schedule:primary",),
    digest=("team:architecture",),
    digest_minutes=510,
    hours=OFFICE,
)


class Story:
    """Keeps the rows as the store would, and time as a number. Deliveries stay owed until `deliver` or `answer`."""

    def __init__(
        self,
        severity: str = "critical",
        *,
        policy: Policy = POLICY,
        directory: Directory = DIRECTORY,
        now: float = MONDAY,
        failure_mode: str = "storage_failure",
    ) -> None:
        self.policy, self.directory, self.now, self.start = policy, directory, now, now
        self.incident: Incident = rows.incident("sf-1", severity=severity, failure_mode=failure_mode)
        self.escalation = Escalation("sf-1", severity=severity)
        self.rows: dict[str, Delivery] = {}
        self.events: list[Event] = []
        self.mutes: tuple[Mute, ...] = ()
        self.answers: list[str] = []

    def tell(self, *triggers: Trigger) -> Response:
        response = respond(
            self.escalation,
            self.incident,
            triggers,
            self.policy,
            self.directory.at(self.now),
            self.now,
            deliveries=tuple(self.rows.values()),
            mutes=self.mutes,
        )
        self.escalation = response.escalation
        self.rows |= {row.key: row for row in response.deliveries}
        self.events += response.events
        self.answers += response.answers
        return response

    def become(self, state: IncidentState, **fields: object) -> None:
        self.incident = replace(self.incident, state=state, **fields)  # type: ignore[arg-type]  # names are Incident's own

    def wait(self, seconds: float) -> None:
        """Time passes; the clock is looked at on each exact due time, and once at the end."""
        end = self.now + seconds
        while (due := self.escalation.next_at) is not None and due <= end:
            before = self.escalation
            self.now = max(self.now, due)
            self.tell(Tick())
            if self.escalation == before:
                break
        self.now = end

    def sleep(self, seconds: float) -> None:
        """Time passes and nobody looks: the daemon is down. Then it looks once."""
        self.now += seconds
        self.tell(Tick())

    def deliver(self, kind: ReceiptKind = ReceiptKind.OK, *, only: str = "") -> list[Delivery]:
        """Send whatever is due, in order, until nothing is; every answer is of `kind`. Returns what was sent."""
        sent: list[Delivery] = []
        while True:
            owed = [r for r in self.rows.values() if r.state is DeliveryState.OWED and r.due_at <= self.now]
            chosen = choose([row for row in owed if only in row.channel], (), 100)
            moved = False
            for row in chosen:
                moved |= self.send(row, kind, sent)
            if not moved or kind is not ReceiptKind.OK:
                return sent

    def send(self, row: Delivery, kind: ReceiptKind, sent: list[Delivery]) -> bool:
        why = unwanted(row, self.incident, self.escalation, tuple(self.rows.values()))
        if why:
            self.rows[row.key] = replace(row, state=DeliveryState.DROPPED, error=why)
            return True
        if waits(row, self.rows.values()):
            return False
        self.rows[row.key] = begin(row)
        sent.append(row)
        self.answer(row.key, Receipt(kind, str(kind)))
        return True

    def answer(self, key: str, receipt: Receipt) -> None:
        after = settle(self.rows[key], receipt, self.now)
        self.rows[key] = after.row
        if after.failing:
            self.tell(DeliveryFailed(key))

    def pages(self, *, live: bool = True) -> list[tuple[float, int, str, str, str]]:
        """(minutes since the start, level, event, person, channel) of all pages owed so far."""
        dead = {DeliveryState.DROPPED} if live else set()
        return [
            ((row.created_at - self.start) / MINUTE, row.level, str(row.event), row.person, row.channel)
            for row in self.rows.values()
            if row.event in PAGES and row.state not in dead
        ]

    def of(self, event: PageEvent) -> list[Delivery]:
        return [row for row in self.rows.values() if row.event is event]

    def texts(self) -> Sequence[str]:
        return [event.text for event in self.events]
