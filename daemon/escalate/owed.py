"""Turn: one answer of the escalation clock while it is being made. Rows, events and answers gather here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.escalate.rules import Policy
from daemon.escalate.schedules import OnCall, Person, Way
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import BLIND, DAEMON, Incident
from daemon.incidents.records import Delivery, DeliveryState, Mute, MuteKind, PageEvent
from daemon.incidents.transitions import EscalationEvent, escalation_after

PAGES = frozenset({PageEvent.TRIGGER, PageEvent.REMIND, PageEvent.ESCALATE})
"""What asks for hands; everything else informs."""
LIVE = frozenset({DeliveryState.OWED, DeliveryState.SENDING, DeliveryState.ACCEPTED})
PENDING = frozenset({DeliveryState.OWED, DeliveryState.SENDING})
MAYBE = "maybe"
"""Begins the receipt of a row that may have arrived without anybody saying so."""
UNSENT_FOR = 86400.0
"""How long a message that no level's deadline bounds is tried."""
NOTE_FOR = 3600.0
"""How long a note is worth sending."""
BATCH = "batch"
"""In the facts of a row that is sent together with others: key of the job that carries them."""
CHANGES = "changes"
"""In the facts of a row that changes the page that stands at its destination, rather than adding a message of its own."""
CHANGEABLE = frozenset({"slack"})
"""Kinds of channels whose messages can be changed, where the provider calls them something."""
NEVER_QUIET = frozenset({BLIND, DAEMON})
"""Failure modes whose pages no silence and no maintenance hides."""


def dedup_key(incident: str) -> str:
    """The key under which a paging service holds everything about an incident together."""
    return f"fleetmend/{incident}"


@dataclass(frozen=True, slots=True)
class Held:
    """Why first pages and heads-ups wait: a storm stands, whose own page has gone out; a day at most."""

    why: str
    until: float


@dataclass(slots=True)
class Turn:
    """Mutable on purpose and never seen outside: `respond` starts one, its cases write to it, its result is frozen."""

    escalation: Escalation
    incident: Incident
    policy: Policy
    oncall: OnCall
    now: float
    mutes: Sequence[Mute] = ()
    storm: Held | None = None
    rows: dict[str, Delivery] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def set(self, **fields: Any) -> None:
        """Change the escalation."""
        self.escalation = replace(self.escalation, **fields)

    def move(self, event: EscalationEvent, **fields: Any) -> None:
        """Change the escalation by its transition table. Raises `IllegalTransition`."""
        self.set(state=escalation_after(self.escalation.state, event), **fields)

    def record(self, kind: Kind, text: str, /, *, actor: str = "fleetmend", **data: Any) -> None:
        self.events.append(Event(self.incident.id, self.now, kind, text, data, actor))

    def answer(self, text: str) -> None:
        """What the person who gave an order is told."""
        self.answers.append(text)

    def owe(self, person: Person, way: Way, event: PageEvent, *, suffix: str = "", **options: Any) -> None:
        """Owe one message; a row of the same key is never owed twice.

        Options: `level` (the escalation's), `due_at` (now), `give_up_at`, `facts`.
        """
        level = options.get("level", self.escalation.level)
        what = f"{event}.{suffix}" if suffix else str(event)
        key = (
            f"{self.incident.id}/{level}/{self.escalation.loop}/{person.id}/{way.kind}.{way.position}/{what}"
        )
        if key in self.rows:
            return
        due_at = options.get("due_at", self.now)
        self.put(
            Delivery(
                key=key,
                incident=self.incident.id,
                event=event,
                level=level,
                person=person.id,
                channel=way.kind,
                address=f"{person.id}/{way.position}",
                dedup_key=dedup_key(self.incident.id),
                created_at=self._after_all(),
                due_at=due_at,
                give_up_at=options.get("give_up_at", due_at + UNSENT_FOR),
                facts={
                    "loop": self.escalation.loop,
                    **self._changes(person, way, event, options),
                    **options.get("facts", {}),
                },
            )
        )
        who = f"{person.name} by {way.kind}"
        self.record(
            Kind.OWED,
            f"{_WORDS[event]} owed to {who}" + (f" (L{level})" if event in PAGES else ""),
            level=level, person=person.id, channel=way.kind, event=str(event), key=key,
        )  # fmt: skip

    def _changes(
        self, person: Person, way: Way, event: PageEvent, options: Mapping[str, Any]
    ) -> dict[str, bool]:
        """Whether the message is told by changing the incident's own page there."""
        ends = event is PageEvent.RESOLVE or options.get("facts", {}).get("what") in {"acked", "recovered"}
        if way.kind not in CHANGEABLE or not ends:
            return {}
        pages = [
            row
            for row in self.rows.values()
            if row.address == f"{person.id}/{way.position}" and row.event in PAGES and row.provider_id
        ]
        own = any(row.state is DeliveryState.ACCEPTED and BATCH not in row.facts for row in pages)
        return {CHANGES: True} if own else {}

    def _after_all(self) -> float:
        """Now, and not before what was owed earlier: a clock that was set back changes the order of nothing."""
        return max([self.now, *(row.created_at for row in self.rows.values())])

    def put(self, row: Delivery) -> None:
        self.rows[row.key] = row
        self.touched[row.key] = None

    def drop(self, rows: Iterable[Delivery], why: str) -> None:
        """End unsent rows, and say why."""
        for row in rows:
            self.put(replace(row, state=DeliveryState.DROPPED, error=why))
            self.record(
                Kind.NOT_SENT, f"Not sent to {row.person} by {row.channel}: {why}", key=row.key, error=why
            )

    def unsent(self, events: frozenset[PageEvent]) -> list[Delivery]:
        return [row for row in self.rows.values() if row.state is DeliveryState.OWED and row.event in events]

    def told(self) -> list[Delivery]:
        """One paging row for each destination that may have got a page and is not owed a resolve for it yet."""
        resolved = {
            row.address: row.created_at for row in self.rows.values() if row.event is PageEvent.RESOLVE
        }  # rows come oldest first, so the last resolve of an address stays
        found: dict[str, Delivery] = {}
        for row in self.rows.values():
            may = row.state is DeliveryState.SENDING or reached(row)
            if row.event in PAGES and may and row.created_at > resolved.get(row.address, float("-inf")):
                found.setdefault(row.address, row)
        return list(found.values())

    def mute(self) -> Mute | None:
        """The silence or maintenance that quiets this incident's pages, the one that ends last."""
        if self.incident.failure_mode in NEVER_QUIET:
            return None
        labels = {
            **dict(self.incident.scope),
            "failure_mode": self.incident.failure_mode,
            "playbook": self.incident.playbook or "",
        }
        held = [
            mute
            for mute in self.mutes
            if mute.kind is not MuteKind.PAUSE
            and mute.active(self.now)
            and all(labels.get(label) == value for label, value in mute.matchers.items())
        ]
        return max(held, key=lambda mute: mute.ends_at or float("inf"), default=None)


_WORDS = {
    PageEvent.TRIGGER: "Page",
    PageEvent.REMIND: "Reminder",
    PageEvent.ESCALATE: "Escalated page",
    PageEvent.STATUS: "Note",
    PageEvent.HEADS_UP: "Heads-up",
    PageEvent.RESOLVE: "Resolve",
    PageEvent.DIGEST: "Digest entry",
    PageEvent.TEST: "Test page",
}


def reached(row: Delivery) -> bool:
    """Whether it was accepted, or may have been. What was accepted and then not delivered counts: it may still come."""
    return row.state is DeliveryState.ACCEPTED or row.sent_at is not None or row.receipt.startswith(MAYBE)


def quiet_way(person: Person) -> Way | None:
    """The channel for what must wake nobody: the first that does not wake; None when the person has none."""
    return next((way for way in person.usable if not way.wakes), None)
