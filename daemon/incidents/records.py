"""The other rows: deliveries, attempts (the journal), debts, mutes, locks, orders, alerts, pipeline changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from config.scope import Scope


class PageEvent(StrEnum):
    """What a delivery says. Only TRIGGER, REMIND and ESCALATE ask for hands; HEADS_UP and STATUS never page."""

    TRIGGER = "trigger"
    REMIND = "remind"
    ESCALATE = "escalate"
    STATUS = "status"
    HEADS_UP = "heads_up"
    RESOLVE = "resolve"
    DIGEST = "digest"
    TEST = "test"


class DeliveryState(StrEnum):
    """One owed row per person, channel and event; every row ends in a terminal state."""

    OWED = "owed"
    SENDING = "sending"
    """A worker has it; after a restart it goes back to OWED with the same key."""
    ACCEPTED = "accepted"
    FAILED = "failed"
    """Permanent refusal or retry budget spent; the next channel has been owed instead."""
    DROPPED = "dropped"
    """Not needed any more (resolved before anyone was told); the reason is on the timeline."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message owed to a person. `key` is unique and the same on every try; `dedup_key` joins all messages of one
    incident at one destination. `address` names the person's channel by position (`ana/0`), never its secret.
    Text is rendered at send from `facts` and the timeline, so a broken template rolls nothing back.

    `tried_at`: when the last try ended, however it did. `sent_at`: since when it counts as accepted, whatever was heard later. `provider_id`: what the provider calls it.
    `heard`: what was said of it since (`delivered undelivered seen acked`), and when; `sequence`: the provider's
    number of the last. `look_at`: when an accepted one is looked at again, as no word of its delivery came by then,
    or as it has to be sent anew to go on standing.
    """

    key: str
    incident: str
    event: PageEvent
    level: int
    person: str
    channel: str
    address: str
    dedup_key: str
    created_at: float
    due_at: float
    state: DeliveryState = DeliveryState.OWED
    tries: int = 0
    give_up_at: float | None = None
    error: str = ""
    receipt: str = ""
    sent_at: float | None = None
    tried_at: float | None = None
    provider_id: str = ""
    heard: Mapping[str, float] = field(default_factory=dict)
    sequence: int = 0
    look_at: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0


ASIDE = "aside"
"""Kind of an attempt that mends nothing: it tells people, or waits."""


class Phase(StrEnum):
    """Which part of a rung an attempt carries out."""

    DO = "do"
    UNDO = "undo"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of the journal: written as intended, then started, before the world is touched.

    `key` names the decision (incident, climb, rung, phase) and travels as the idempotency key. `kind`: of the rung,
    `return`, or `ASIDE`. `outcome` is `done | failed | not_done | unknown`, None while in flight; `verdict` as in
    `remediations.verification`, None for what mends nothing.
    """

    key: str
    incident: str
    playbook: str
    scope: Scope
    rung: str
    kind: str
    phase: Phase
    action: str
    args: Mapping[str, Any]
    targets: tuple[str, ...]
    disruptive: bool
    idempotent: bool
    on_interrupt: str
    epoch: int
    intended_at: float
    deadline_at: float
    locks: tuple[str, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    outcome: str | None = None
    effect: str = ""
    output: str = ""
    verdict: str | None = None
    verdict_at: float | None = None
    version: int = 0

    @property
    def mends(self) -> bool:
        """Whether it could mend anything; what told people or waited counts against no cap and is not judged."""
        return self.kind != ASIDE


class DebtState(StrEnum):
    """A debt is open until its return has been carried out, or a person waives it."""

    OPEN = "open"
    DUE = "due"
    PROPOSED = "proposed"
    PAYING = "paying"
    PAID = "paid"
    FAILED = "failed"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Debt:
    """Something to be given back: `kind` says what the rung did; `plan` is the rung's rendered `return`, if any."""

    id: str
    incident: str
    kind: str
    playbook: str
    rung: str
    scope: Scope
    opened_at: float
    due_at: float | None
    state: DebtState = DebtState.OPEN
    plan: Mapping[str, Any] = field(default_factory=dict)
    autonomy: str = "propose"
    moved_at: float | None = None
    note: str = ""
    version: int = 0


class MuteKind(StrEnum):
    PAUSE = "pause"
    """Actions stop, pages go."""
    MAINTENANCE = "maintenance"
    """Actions stop, pages are quiet but for blindness and self-health."""
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Mute:
    """One reason on the list: each has an owner and an end (None: until lifted; never for a silence).

    `matchers`: label -> value, plus the pseudo labels `failure_mode` and `playbook`; empty means everything.
    """

    id: str
    kind: MuteKind
    owner: str
    reason: str
    starts_at: float
    ends_at: float | None
    matchers: Mapping[str, str] = field(default_factory=dict)
    lifted_at: float | None = None
    lifted_by: str | None = None

    def active(self, now: float) -> bool:
        """Whether it holds at `now`: absolute times, checked at use."""
        return (
            self.lifted_at is None and self.starts_at <= now and (self.ends_at is None or now < self.ends_at)
        )


@dataclass(frozen=True, slots=True)
class FailoverLock:
    """A target that must not be switched again before `until`, unless a person unlocks it."""

    target: str
    until: float
    incident: str
    reason: str


class OrderState(StrEnum):
    NEW = "new"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asked for, in the append-only inbox table; the loop alone carries it out.

    `kind`: ack extend escalate resolve resume approve reject note verdict unlock pause unpause silence maintenance
    change drill reload. `via`: cli, api, console, link. `id` is 0 until the store gave one.
    """

    id: int
    at: float
    kind: str
    who: str
    via: str
    incident: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    state: OrderState = OrderState.NEW
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert from the inbox, as persisted before the 200. Identity: `fingerprint` and `starts_at`."""

    id: int
    at: float
    fingerprint: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    ends_at: float | None
    source: str


@dataclass(frozen=True, slots=True)
class PipelineChange:
    """A deployment or config change of the operated system: the source of "recent changes"."""

    at: float
    what: str
    who: str
    ref: str
    scope: Scope
