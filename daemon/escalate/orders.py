"""What people ask of an escalation: acknowledge, extend, escalate now. Pure."""

from __future__ import annotations

from daemon.escalate import clock, notes
from daemon.escalate.owed import PAGES, Turn, reached
from daemon.escalate.receipts import Fate, Report, advanced
from daemon.escalate.rules import MAX_EXTENSION, MAX_EXTENSIONS
from daemon.escalate.triggers import Acked, Escalated, Extended, HandedOver
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState, worse
from daemon.incidents.records import PageEvent
from daemon.incidents.transitions import EscalationEvent


def asked(turn: Turn, order: Acked | Extended | Escalated | HandedOver) -> None:
    """Carry out what a person asks for."""
    match order:
        case Acked():
            acked(turn, order)
        case Extended():
            extended(turn, order)
        case Escalated():
            escalated(turn, order)
        case HandedOver():
            handed_over(turn, order)


def acked(turn: Turn, ack: Acked) -> None:
    escalation = turn.escalation
    if escalation.state is EscalationState.ENDED or turn.incident.ended:
        turn.record(
            Kind.NOTE, f"{ack.by} acknowledged after the end", actor=ack.by,
            by=ack.by, via=ack.via, text="late ack",
        )  # fmt: skip
        turn.answer("it is over already; noted")
        return
    if escalation.state is EscalationState.ACKED and escalation.acked_by == ack.by:
        turn.answer("acknowledged already")
        return
    turn.move(EscalationEvent.ACK)
    turn.record(Kind.ACKED, f"Acknowledged by {ack.by}", actor=ack.by, by=ack.by, via=ack.via)
    if turn.escalation.state is not EscalationState.ACKED:
        turn.answer("noted: nobody has been paged yet")
        return
    _quieten(turn, ack.by, ack.via)
    turn.answer("acknowledged: reminders stop, the next level is still due unless it is resolved")


def _quieten(turn: Turn, by: str, via: str = "") -> None:
    """Reminders stop, on every path at once; the others who were paged are told."""
    turn.set(acked_by=by, acked_at=turn.now, remind_at=None)
    _mark(turn, by, via)
    waiting = turn.unsent(frozenset({PageEvent.TRIGGER, PageEvent.REMIND}))
    turn.drop(waiting, f"acknowledged by {by}")
    notes.acknowledged(turn, by)


def _mark(turn: Turn, by: str, via: str) -> None:
    """The page that was answered: the last to this person, by the channel the answer came through if there is one."""
    people = {row.person: turn.oncall.person(row.person) for row in turn.rows.values()}
    mine = [
        row
        for row in turn.rows.values()
        if row.event in PAGES and reached(row) and by in {row.person, getattr(people[row.person], "name", "")}
    ]
    for row in sorted(mine, key=lambda row: (row.channel == via, row.sent_at or row.created_at))[-1:]:
        turn.put(advanced(row, Report(Fate.ACKED), turn.now))


def extended(turn: Turn, ask: Extended) -> None:
    escalation = turn.escalation
    refusal = _why_not_extend(escalation, ask)
    if refusal:
        turn.record(Kind.NOTE, f"Not extended: {refusal}", actor=ask.by, by=ask.by, text=refusal)
        turn.answer(f"not extended: {refusal}")
        return
    until = (escalation.next_level_at or turn.now) + ask.seconds
    turn.move(EscalationEvent.EXTEND, next_level_at=until, extensions=escalation.extensions + 1)
    turn.record(
        Kind.EXTENDED, f"Next level moved by {ask.by}: {ask.reason}", actor=ask.by,
        by=ask.by, reason=ask.reason, until=until,
    )  # fmt: skip
    _quieten(turn, ask.by)
    turn.answer("extended")


def _why_not_extend(escalation: Escalation, ask: Extended) -> str:
    if escalation.state not in {EscalationState.PAGING, EscalationState.ACKED}:
        return "no escalation is running"
    if escalation.next_level_at is None:
        return "no further level is due"
    if not ask.reason.strip():
        return "a reason is needed"
    if not 0 < ask.seconds <= MAX_EXTENSION:
        return f"at most {MAX_EXTENSION / 60:.0f} minutes at a time"
    if escalation.extensions >= MAX_EXTENSIONS:
        return f"extended {MAX_EXTENSIONS} times already"
    return ""


def escalated(turn: Turn, ask: Escalated) -> None:
    escalation = turn.escalation
    if escalation.state is EscalationState.ENDED or turn.incident.ended:
        turn.answer("it is over already")
        return
    why = f"asked for by {ask.by}" + (f": {ask.reason}" if ask.reason else "")
    turn.set(
        reason=escalation.reason or why,
        severity=worse(escalation.severity, turn.incident.severity)
        if escalation.level
        else turn.incident.severity,
        policy=escalation.policy or turn.policy.data(),
        held_until=None,
        paged_at=escalation.paged_at or turn.now,
    )
    level = min(escalation.level + 1, turn.policy.top)
    if level == escalation.level:
        turn.set(loop=escalation.loop + 1)
    # The level after that one keeps its time: asking for help early brings nobody else out of bed sooner.
    due = escalation.next_level_at if level < turn.policy.top else None
    clock.climb(turn, level, base=max(due or turn.now, turn.now), why=why, by=ask.by)
    turn.answer(f"L{turn.escalation.level} is paged")


def handed_over(turn: Turn, ask: HandedOver) -> None:
    """Page the one it is given to, who has to acknowledge in turn; the time of the next level stays where it was."""
    escalation = turn.escalation
    if escalation.state is EscalationState.ENDED or turn.incident.ended:
        turn.answer("it is over already")
        return
    if turn.incident.state is IncidentState.RECOVERED:
        turn.answer("it has recovered and is only watched: there is nothing to hand over")
        return
    person = turn.oncall.person(ask.to)
    if escalation.level == 0 or escalation.state is EscalationState.QUIET:
        turn.answer("nobody has been paged yet: there is nothing to hand over")
        return
    if person is None or not person.usable:
        turn.answer(f"{ask.to} cannot be told: nothing changed")
        return
    remind = turn.policy.remind.get(escalation.severity)
    turn.drop(turn.unsent(PAGES), f"handed over to {person.name}")
    turn.move(
        EscalationEvent.ESCALATE,
        loop=escalation.loop + 1,
        acked_by=None,
        acked_at=None,
        reminders=0,
        remind_at=turn.now + remind if remind is not None else None,
    )
    text = f"Handed over to {person.name} by {ask.by}" + (f": {ask.reason}" if ask.reason else "")
    turn.record(Kind.NOTE, text, actor=ask.by, by=ask.by, to=person.id, reason=ask.reason)
    notes.status(turn, "handoff", text)
    turn.set(reason=text)
    clock.owe_page(turn, person, person.usable[0], PageEvent.ESCALATE, level=escalation.level)
    turn.answer(f"{person.name} is paged, and has it from the acknowledgement on")
