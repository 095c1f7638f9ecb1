"""The escalation clock: design section 6 as one pure function.

An acknowledgement stops reminders, never the clock. Every time is absolute and stands on the row, so restarts and
late ticks change nothing but how late a page is. What follows a level counts from when that level was due, so a
moved deadline moves everything after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.escalate import clock, notes, orders
from daemon.escalate.owed import LIVE, PAGES, UNSENT_FOR, Held, Turn
from daemon.escalate.rules import UNREACHABLE_RETRY, Policy
from daemon.escalate.schedules import OnCall, Person, Way
from daemon.escalate.triggers import (
    Acked,
    Blind,
    DeliveryFailed,
    Ended,
    Escalated,
    Extended,
    HandedOver,
    HeadsUp,
    PageOwed,
    Recovered,
    SeverityRaised,
    Tick,
    Trigger,
)
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident, IncidentState, worse
from daemon.incidents.records import Delivery, DeliveryState, Mute, PageEvent
from daemon.incidents.transitions import EscalationEvent

BLIND_REASON = "Blind: "
"""How the reason of a page about blindness begins. Such a page takes no wheel: `paged_at` stays None."""


@dataclass(frozen=True, slots=True)
class Response:
    """`deliveries`: new rows and changed ones. `answers`: what those who gave an order are told, in order."""

    escalation: Escalation
    deliveries: tuple[Delivery, ...] = ()
    events: tuple[Event, ...] = ()
    answers: tuple[str, ...] = ()


def respond(
    escalation: Escalation,
    incident: Incident,
    triggers: Sequence[Trigger],
    policy: Policy,
    oncall: OnCall,
    now: float,
    *,
    deliveries: Sequence[Delivery] = (),
    mutes: Sequence[Mute] = (),
    storm: Held | None = None,
) -> Response:
    """What follows from `triggers` at `now`. `deliveries`: all rows of this incident.

    `policy` counts only until a snapshot of it stands on the row. Of triggers that cross, the end wins.
    """
    running = Policy.from_data(escalation.policy) if escalation.policy else policy
    rows = {delivery.key: delivery for delivery in deliveries}
    turn = Turn(escalation, incident, running, oncall, now, mutes, storm, rows)
    for trigger in sorted(triggers, key=_precedence):
        _take(turn, trigger)
    return Response(
        turn.escalation,
        tuple(turn.rows[key] for key in turn.touched),
        tuple(turn.events),
        tuple(turn.answers),
    )


def _precedence(trigger: Trigger) -> int:
    order = {Ended: 0, Recovered: 1, SeverityRaised: 2}
    return order.get(type(trigger), 3)


def _take(turn: Turn, trigger: Trigger) -> None:
    match trigger:
        case PageOwed():
            _page(turn, trigger.reason, again=trigger.again)
        case Blind():
            _blind(turn, trigger.reason)
        case HeadsUp():
            notes.heads_up(turn, trigger)
        case Recovered():
            _recovered(turn, trigger.by)
        case Ended():
            _ended(turn, trigger.text)
        case Acked() | Extended() | Escalated() | HandedOver():
            orders.asked(turn, trigger)
        case SeverityRaised():
            _raised(turn, trigger.now)
        case DeliveryFailed():
            _delivery_failed(turn, trigger.key)
        case Tick():
            _tick(turn)


def _page(turn: Turn, reason: str, *, again: bool) -> None:
    escalation = turn.escalation
    if turn.incident.ended or (escalation.state is EscalationState.ENDED and not again):
        turn.record(Kind.NOTE, f"No page: it is over ({reason})")
        return
    if escalation.state is EscalationState.ENDED:  # open again, also while its page is held
        turn.move(EscalationEvent.PAGE, extensions=0, acked_by=None, acked_at=None)
    told_before = escalation.level > 0 and escalation.state is not EscalationState.ENDED
    if told_before and not again and escalation.paged_at is not None:
        turn.record(Kind.NOTE, f"Already paged; further: {reason}", reason=reason)
        notes.status(turn, "reason", reason)
        return
    turn.set(
        severity=worse(escalation.severity, turn.incident.severity)
        if told_before
        else turn.incident.severity,
        reason=reason,
        policy=escalation.policy or turn.policy.data(),
    )
    if turn.escalation.severity == "low":
        notes.digest(turn, reason)
    elif not _held(turn):
        _open(turn)


def _open(turn: Turn) -> None:
    """Page the level reached so far, L1 at first, and start the clock."""
    escalation = turn.escalation
    if escalation.level > 0:
        turn.set(loop=escalation.loop + 1)
    clock.enter(turn, max(1, escalation.level), PageEvent.TRIGGER, EscalationEvent.PAGE, base=turn.now)
    turn.set(paged_at=turn.now, held_until=None)


def _held(turn: Turn) -> bool:
    """Whether the page has to wait: for the end of a silence or maintenance, of a storm, or for working hours."""
    mute, storm = turn.mute(), turn.storm
    opens = turn.policy.opens_at(turn.now) if turn.escalation.severity == "medium" else None
    if mute is None and opens is None and storm is None:
        return False
    ends = (mute.ends_at if mute else None, storm.until if storm else None, opens)
    times = [at for at in ends if at is not None]
    until = max(times, default=turn.now + UNSENT_FOR)
    if turn.escalation.held_until != until:
        by_storm = storm.why if storm else "working hours"
        why = f"{mute.kind} by {mute.owner}" if mute else by_storm
        turn.set(held_until=until)
        turn.record(Kind.NOTE, f"Page held: {why} ({turn.escalation.reason})", held_until=until, why=why)
    return True


def _blind(turn: Turn, reason: str) -> None:
    """Blindness has its own page, quieted by nothing. It leaves the wheel where it is.

    Of what is told once a day anyway nobody is woken because it cannot be seen any more.
    """
    escalation = turn.escalation
    if turn.incident.ended or escalation.state is EscalationState.ENDED:
        return
    if escalation.level == 0 and turn.incident.severity == "low":
        notes.digest(turn, reason)
        return
    if escalation.level > 0:
        notes.status(turn, "blind", reason)
        return
    turn.set(
        severity=turn.incident.severity,
        reason=f"{BLIND_REASON}{reason}",
        policy=escalation.policy or turn.policy.data(),
    )
    clock.enter(turn, 1, PageEvent.TRIGGER, EscalationEvent.PAGE, base=turn.now)
    if escalation.held_until is not None:
        turn.set(reason=escalation.reason)  # the page that is held still goes out at its time


def _tick(turn: Turn) -> None:
    escalation = turn.escalation
    if escalation.state is EscalationState.ENDED or turn.incident.ended:
        return
    if escalation.held_until is not None and not _held(turn):
        _open(turn)
    elif escalation.next_level_at is not None and turn.now >= escalation.next_level_at:
        if not clock.hushed(turn):
            clock.overdue(turn, escalation.next_level_at)
    elif (
        escalation.remind_at is not None
        and turn.now >= escalation.remind_at
        and escalation.state is EscalationState.PAGING
        and not clock.hushed(turn)
    ):
        clock.remind(turn)


def _raised(turn: Turn, severity: str) -> None:
    """The worse clock counts from the same L1 page; a held page goes out if it no longer has to wait."""
    escalation = turn.escalation
    worst = worse(escalation.severity, severity)
    if worst == escalation.severity or escalation.state is EscalationState.ENDED:
        return
    before = turn.policy.gap(escalation.severity, escalation.level)
    after = turn.policy.gap(worst, escalation.level)
    turn.set(severity=worst)
    if escalation.level == 0:
        if escalation.reason and not _held(turn):
            _open(turn)
        return
    if after is not None and turn.incident.state is not IncidentState.RECOVERED:
        since = (
            escalation.next_level_at - before if escalation.next_level_at is not None and before else turn.now
        )
        turn.set(next_level_at=since + after)
        remind = turn.policy.remind.get(worst)
        if remind is not None and escalation.state is EscalationState.PAGING:
            turn.set(remind_at=min(escalation.remind_at or math.inf, turn.now + remind))
    notes.status(turn, worst, f"Now {worst}")


def _recovered(turn: Turn, by: str) -> None:
    """Verified: the clock stops and what is unsent is not needed; the end is still to come."""
    held = turn.escalation.held_until is not None
    reason = turn.escalation.reason if turn.escalation.level else ""
    turn.set(next_level_at=None, remind_at=None, held_until=None, reason=reason)
    turn.drop(turn.unsent(PAGES | {PageEvent.HEADS_UP}), "recovered before it was sent")
    if held:
        turn.record(Kind.NOTE, "The page that was held is not needed: recovered")
    if turn.escalation.state in {EscalationState.PAGING, EscalationState.ACKED}:
        notes.status(turn, "recovered", f"Recovered by {by}; it stays watched until it is clear")


def _ended(turn: Turn, text: str) -> None:
    """Exactly one resolve to every destination that may have got a page; what nobody was told needs none."""
    if turn.escalation.state is EscalationState.ENDED:
        return
    informed = notes.informed(turn)
    unsent = turn.unsent(frozenset(PageEvent) - {PageEvent.DIGEST, PageEvent.RESOLVE, PageEvent.TEST})
    told = turn.told()
    turn.drop(unsent, "over before it was sent")
    if unsent and not told:
        turn.record(Kind.NOTE, "Over before anyone was told: no resolve is owed")
    for row in told:
        person = turn.oncall.person(row.person) or Person(row.person, row.person)
        way = Way(int(row.address.rpartition("/")[2]), row.channel)
        turn.owe(person, way, PageEvent.RESOLVE, facts={"text": text})
    notes.over(turn, text, informed, {row.address for row in told})
    turn.move(EscalationEvent.END, next_level_at=None, remind_at=None, held_until=None, reminders=0)


def _delivery_failed(turn: Turn, key: str) -> None:
    """The person's next channel; with none left and nobody else reached at this level, the next level at once."""
    row = turn.rows.get(key)
    if row is None or turn.escalation.state is EscalationState.ENDED or turn.incident.ended:
        return
    if row.event in PAGES and turn.incident.state is IncidentState.RECOVERED:
        return
    if row.event not in PAGES:
        notes.fallback(turn, row)
        return
    if turn.escalation.state is EscalationState.ACKED and row.event is not PageEvent.ESCALATE:
        return  # somebody has it: what would be owed is not wanted
    person = turn.oncall.person(row.person)
    tried = {
        (other.address, other.channel)
        for other in turn.rows.values()
        if other.person == row.person and _same_round(other, row) and _what(other) == _what(row)
    }
    for way in person.usable if person else ():
        if person and (f"{person.id}/{way.position}", way.kind) not in tried:
            suffix = _what(row).partition(".")[2]
            clock.owe_page(turn, person, way, row.event, level=row.level, suffix=suffix)
            return
    if (
        row.state is DeliveryState.FAILED
        and row.level == turn.escalation.level
        and not _anyone_reached(turn, row)
    ):
        _level_unreachable(turn)


def _anyone_reached(turn: Turn, row: Delivery) -> bool:
    """Whether another page of this level and round arrived, or still may."""
    return any(
        other.state in LIVE and other.event in PAGES and _same_round(other, row)
        for other in turn.rows.values()
    )


def _what(row: Delivery) -> str:
    """Which message it is, whatever the channel: `trigger`, `remind.3`."""
    return row.key.rpartition("/")[2]


def _same_round(one: Delivery, other: Delivery) -> bool:
    return one.level == other.level and one.facts.get("loop") == other.facts.get("loop")


def _level_unreachable(turn: Turn) -> None:
    level = turn.escalation.level
    turn.record(
        Kind.LEVEL_SKIPPED,
        f"L{level} skipped: unreachable by every channel",
        level=level,
        reason="unreachable",
    )
    if level < turn.policy.top:
        clock.climb(turn, level + 1, base=turn.now, why=f"L{level} is unreachable by every channel")
        return
    due = turn.escalation.next_level_at
    turn.set(next_level_at=min(due or math.inf, turn.now + UNREACHABLE_RETRY))
