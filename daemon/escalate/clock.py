"""The running clock of an escalation: entering a level, rising to the next, reminding. Pure.

What follows a level counts from when that level was due (`base`), so a moved deadline moves everything after it, and
a late tick moves nothing.
"""

from __future__ import annotations

import math

from daemon.escalate import notes
from daemon.escalate.owed import PAGES, PENDING, UNSENT_FOR, Turn
from daemon.escalate.rules import UNREACHABLE_RETRY
from daemon.escalate.schedules import Person, Way
from daemon.incidents.events import Kind
from daemon.incidents.records import PageEvent
from daemon.incidents.transitions import EscalationEvent


def enter(
    turn: Turn, level: int, event: PageEvent, move: EscalationEvent, *, base: float, late: bool = False
) -> None:
    """Page the first level from `level` up at which somebody can be reached, else any below it.

    `base`: when this level was due; what follows counts from there.
    """
    reached, people = _reachable(turn, level)
    turn.move(
        move,
        level=max(turn.escalation.level, reached),
        acked_by=None if move is EscalationEvent.PAGE else turn.escalation.acked_by,
        acked_at=None if move is EscalationEvent.PAGE else turn.escalation.acked_at,
        reminders=0,
    )
    _set_clock(turn, base if reached == level else turn.now, reachable=bool(people))
    for person, way in _told(turn, people):
        owe_page(turn, person, way, event, level=reached, late=base if late else None)


def _told(turn: Turn, people: list[Person]) -> list[tuple[Person, Way]]:
    """Everyone by their first channel; of an external policy the first paging service, where somebody has one."""
    services = ((person, way) for person in people for way in person.usable if way.tracks)
    service = next(services, None) if turn.policy.external else None
    return [service] if service is not None else [(person, person.usable[0]) for person in people]


def _reachable(turn: Turn, level: int) -> tuple[int, list[Person]]:
    upwards = [*range(level, turn.policy.top + 1), *range(level - 1, 0, -1)]
    for number in upwards:
        spec = turn.policy.level(number)
        people = [person for person in turn.oncall.people(spec.notify if spec else ()) if person.usable]
        if people:
            return number, people
        turn.record(
            Kind.LEVEL_SKIPPED,
            f"L{number} skipped: nobody on call can be reached",
            level=number,
            reason="nobody",
        )
    return level, []


def _set_clock(turn: Turn, base: float, *, reachable: bool) -> None:
    """Set when the next level and the next reminder are due."""
    escalation = turn.escalation
    gap = turn.policy.gap(escalation.severity, escalation.level)
    remind = turn.policy.remind.get(escalation.severity)
    if not reachable:
        turn.set(next_level_at=turn.now + UNREACHABLE_RETRY, remind_at=None)
        return
    turn.set(
        next_level_at=_after_now(base, gap, turn.now) if gap is not None else None,
        remind_at=turn.now + remind if remind is not None else None,
    )


def _after_now(base: float, gap: float, now: float) -> float:
    """The first of base + gap, base + 2 gap, … that is still to come."""
    rounds = max(1, math.floor((now - base) / gap) + 1) if gap > 0 else 1
    return base + rounds * gap


def owe_page(
    turn: Turn,
    person: Person,
    way: Way,
    event: PageEvent,
    *,
    level: int,
    suffix: str = "",
    late: float | None = None,
) -> None:
    escalation = turn.escalation
    turn.owe(
        person, way, event, suffix=suffix, level=level,
        give_up_at=escalation.next_level_at or turn.now + UNSENT_FOR,
        facts={"reason": escalation.reason} | ({"due_since": late} if late is not None else {}),
    )  # fmt: skip


def hushed(turn: Turn) -> bool:
    """A silence or maintenance moves what is due to its end."""
    mute = turn.mute()
    if mute is None:
        return False
    escalation = turn.escalation
    until = mute.ends_at if mute.ends_at is not None else turn.now + UNSENT_FOR
    level_at, remind_at = escalation.next_level_at, escalation.remind_at
    turn.set(
        next_level_at=max(level_at, until) if level_at is not None else None,
        remind_at=max(remind_at, until) if remind_at is not None else None,
    )
    turn.record(Kind.NOTE, f"Escalation held: {mute.kind} by {mute.owner}", held_until=until)
    return True


def overdue(turn: Turn, due: float) -> None:
    """Rise to the level that should be active now; levels passed over while nobody looked are told as well."""
    severity, level = turn.escalation.severity, turn.escalation.level
    passed: list[tuple[int, float]] = []
    while True:
        if not turn.policy.rises(severity, level):
            break
        level += 1
        passed.append((level, due))
        gap = turn.policy.gap(severity, level)
        if gap is None or due + gap > turn.now:
            break
        due += gap
    if not passed:  # the top level, again
        turn.set(loop=turn.escalation.loop + 1)
        climb(turn, level, base=due, why="still not resolved")
        return
    for number, since in passed[:-1]:
        _tell_passed_level(turn, number, since)
    level, base = passed[-1]
    climb(turn, level, base=base, why="not resolved in time", late=len(passed) > 1)


def _tell_passed_level(turn: Turn, level: int, since: float) -> None:
    spec = turn.policy.level(level)
    for person in turn.oncall.people(spec.notify if spec else ()):
        if person.usable:
            owe_page(turn, person, person.usable[0], PageEvent.ESCALATE, level=level, late=since)


def climb(turn: Turn, level: int, *, base: float, why: str, late: bool = False, by: str = "") -> None:
    """Go up to `level` and tell those below."""
    below = turn.escalation.level
    enter(turn, level, PageEvent.ESCALATE, EscalationEvent.ESCALATE, base=base, late=late)
    reached = turn.escalation.level
    turn.record(
        Kind.ESCALATED, f"Escalated to L{reached}: {why}", actor=by or "fleetmend",
        level=reached, **({"by": by} if by else {"reason": why}),
    )  # fmt: skip
    if reached > below:
        notes.status(turn, f"L{reached}", f"Escalated to L{reached}: {why}", below=reached)


def remind(turn: Turn) -> None:
    """No acknowledgement: everyone paged at this level again, by their next channel."""
    escalation = turn.escalation
    count = escalation.reminders + 1
    every = turn.policy.remind.get(escalation.severity)
    turn.move(
        EscalationEvent.REMIND, reminders=count, remind_at=turn.now + every if every is not None else None
    )
    for name in _paged_people(turn):
        person = turn.oncall.person(name)
        if person is None or not person.usable:
            continue
        way = person.usable[count % len(person.usable)]
        address = f"{name}/{way.position}"
        # A page still on its way there says all that a reminder would.
        if not any(
            row.address == address and row.event in PAGES
            for row in turn.rows.values()
            if row.state in PENDING
        ):
            owe_page(turn, person, way, PageEvent.REMIND, level=escalation.level, suffix=str(count))


def _paged_people(turn: Turn) -> list[str]:
    escalation = turn.escalation
    people = {
        row.person: None
        for row in turn.rows.values()
        if row.event in PAGES and row.level == escalation.level and row.facts.get("loop") == escalation.loop
    }
    return list(people)
