"""Hand-off: at a change of shift who comes and who goes are told what is open. Pure: instants are arguments.

Nothing is remembered but the rows: a change is looked for in the last hours of the schedules, and a row's key names
the change, so a restart tells nobody twice and a daemon that was down at the change tells late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.document.dossier import Dossier
from daemon.document.sentence import sentence
from daemon.escalate.booked import NOTHING
from daemon.escalate.graphemes import clean
from daemon.escalate.message import Message
from daemon.escalate.owed import NOTE_FOR, dedup_key, quiet_way
from daemon.escalate.rota import shifts
from daemon.escalate.schedules import Directory
from daemon.escalate.text import Reader
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import SEVERITIES, Incident
from daemon.incidents.records import Debt, DebtState, Delivery, PageEvent

LOOK_BACK = 8 * 3600.0
"""Seconds for which a change of shift that nobody was told of is still news."""
MOST = 50
"""Incidents told of at one change; of more the worst, and how many there are."""
HANDOFF = "handoff"
"""In the facts of such a row: which change it tells of. Rows of one change go out as one message."""
COMES, GOES = "to", "from"


@dataclass(frozen=True, slots=True)
class Handover:
    """A schedule went from one person to another at an instant; None: nobody had it, or has it now."""

    schedule: str
    at: float
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """What one person is told at one change: that they have these schedules now, or no longer."""

    person: str
    at: float
    what: str
    schedules: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{HANDOFF}-{self.what}-{int(self.at)}"


def handovers(directory: Directory, now: float) -> tuple[Handover, ...]:
    """The last change of each schedule, if it is news and its people are to be told."""
    found = []
    for name, spec in directory.schedules.items():
        if not spec.handoff:
            continue
        booked = directory.booked.get(name, NOTHING)
        pieces = shifts(spec, now - LOOK_BACK, now + 1.0, booked)
        for one, two in zip(reversed(pieces[:-1]), reversed(pieces), strict=False):
            if one.person != two.person and two.start <= now:
                found.append(Handover(name, two.start, one.person, two.person))
                break
    return tuple(found)


def sides(changes: Iterable[Handover]) -> tuple[Side, ...]:
    """Who is told what: one message to a person for all that changes at once."""
    told: dict[tuple[str, float, str], tuple[dict[str, None], dict[str, None]]] = {}
    for change in changes:
        for person, other, what in (
            (change.after, change.before, COMES),
            (change.before, change.after, GOES),
        ):
            if person is not None:
                schedules, others = told.setdefault((person, change.at, what), ({}, {}))
                schedules[change.schedule] = None
                others[other or ""] = None
    return tuple(
        Side(person, at, what, tuple(schedules), tuple(others))
        for (person, at, what), (schedules, others) in told.items()
    )


def concerned(
    incidents: Iterable[Incident], unpaid: Iterable[Debt], by_id: Mapping[str, Incident]
) -> tuple[Incident, ...]:
    """What is handed over, worst first: what is open, and what is over and still owes something."""
    found = {one.id: one for one in incidents}
    for debt in unpaid:
        if debt.incident in by_id:
            found.setdefault(debt.incident, by_id[debt.incident])
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    return tuple(
        sorted(
            found.values(),
            key=lambda one: (one.ended, rank.get(one.severity, len(rank)), one.detected_at, one.id),
        )
    )


def owed(
    side: Side, incidents: Sequence[Incident], directory: Directory, now: float
) -> tuple[tuple[Delivery, ...], tuple[Event, ...]]:
    """One row for each incident that stood when the shift changed; none where none did, or no channel is quiet."""
    known = [one for one in incidents if one.detected_at < side.at]
    person = directory.people.get(side.person)
    way = quiet_way(person) if person is not None else None
    if person is None or way is None or not known:
        return (), ()
    others = [directory.people[name].name if name in directory.people else name for name in side.others]
    facts = {
        HANDOFF: side.name, "what": side.what, "schedules": list(side.schedules), "others": others,
        "more": max(0, len(known) - MOST), "loop": 0,
    }  # fmt: skip
    rows = tuple(
        Delivery(
            key=f"{one.id}/0/0/{person.id}/{way.kind}.{way.position}/{PageEvent.DIGEST}.{side.name}",
            incident=one.id, event=PageEvent.DIGEST, level=0, person=person.id, channel=way.kind,
            address=f"{person.id}/{way.position}", dedup_key=dedup_key(one.id), created_at=now, due_at=now,
            give_up_at=now + NOTE_FOR, facts=facts,
        )
        for one in known[:MOST]
    )  # fmt: skip
    said = f"Hand-off of {', '.join(side.schedules)} owed to {person.name} by {way.kind}"
    events = tuple(
        Event(
            row.incident, now, Kind.OWED, said,
            {"level": 0, "person": person.id, "channel": way.kind, "event": str(row.event), "key": row.key},
        )
        for row in rows
    )  # fmt: skip
    return rows, events


def compose(rows: Sequence[Delivery], dossiers: Sequence[Dossier], reader: Reader, now: float) -> Message:
    """One message: what changed hands, then a line for each incident, the worst first as they were owed."""
    first, facts = rows[0], rows[0].facts
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    told = sorted(dossiers, key=lambda one: (one.incident.ended, rank.get(one.incident.severity, len(rank))))
    count = len(told) + int(facts.get("more", 0))
    base = reader.public_url.rstrip("/")
    parts = [_line(dossier, now, reader.zone) for dossier in told]
    if facts.get("more"):
        parts.append(f"{facts['more']} more: {base + '/incidents' if base else 'fleetmend incidents'}")
    return Message(
        key=first.key,
        dedup_key=f"fleetmend/{facts[HANDOFF]}/{first.person}",
        incident=first.incident,
        event=PageEvent.DIGEST,
        severity="low",
        level=0,
        headline=f"[HAND-OFF] {_change(facts)}: {count} to know of",
        at=now,
        parts=tuple(clean(part) for part in parts),
        group=reader.environment,
        links=(("All incidents", f"{base}/incidents"),) if base else (),
    )


def _change(facts: Mapping[str, object]) -> str:
    schedules, others = facts.get("schedules"), facts.get("others")
    what = ", ".join(map(str, schedules)) if isinstance(schedules, list) else ""
    who = ", ".join(str(one) for one in others if one) if isinstance(others, list) else ""
    if facts.get("what") == COMES:
        return f"You are on call for {what}" + (f", after {who}" if who else "")
    return f"{who or 'Nobody'} is on call for {what} after you"


def _line(dossier: Dossier, now: float, zone: str) -> str:
    incident, escalation = dossier.incident, dossier.escalation
    parts = [f"{incident.id} ({incident.severity}, {incident.state}): {sentence(dossier, now, zone)}"]
    if not incident.ended and escalation is not None and escalation.level:
        by = escalation.acked_by
        parts.append(
            f"L{escalation.level} was paged; {f'{by} acknowledged it' if by else 'nobody acknowledged it'}."
        )
    owing = [debt.rung for debt in dossier.debts if debt.state not in {DebtState.PAID, DebtState.WAIVED}]
    if owing and not incident.ended:  # of what is over its sentence says so
        parts.append(f"Still to be given back: {', '.join(owing)}.")
    return " ".join(parts)
