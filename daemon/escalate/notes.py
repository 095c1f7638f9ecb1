"""What informs without asking for hands: heads-ups, notes to those already paged, digest entries. Pure.

Notes avoid channels that are made to wake people; those that keep an incident's own state (`tracks`) are told of an
acknowledgement, so that they stop calling too.
"""

from __future__ import annotations

from daemon.escalate.owed import NOTE_FOR, Turn, quiet_way
from daemon.escalate.schedules import Person, Way
from daemon.escalate.triggers import HeadsUp
from daemon.incidents.events import Kind
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

_ACTING = "acting"


def heads_up(turn: Turn, trigger: HeadsUp) -> None:
    """The first action of a critical incident starts, a rung contained, or waits for a word: said once each, paging nobody."""
    what = (
        "demoted"
        if trigger.demoted
        else "asks"
        if trigger.asks
        else "contained"
        if trigger.contained
        else _ACTING
    )
    if what == _ACTING and turn.incident.severity != "critical":
        return
    suffix = _ACTING if what == _ACTING else f"{what}-{trigger.rung}"
    rows = [row for row in turn.rows.values() if row.event is PageEvent.HEADS_UP]
    if any(row.key.endswith(f"/{PageEvent.HEADS_UP}.{suffix}") for row in rows):
        return
    mute = turn.mute()
    if mute is not None:
        turn.record(Kind.NOTE, f"No heads-up: {mute.kind} by {mute.owner}")
        return
    if turn.storm is not None:
        turn.record(Kind.NOTE, f"No heads-up: {turn.storm.why}")
        return
    facts = {"what": what, "rung": trigger.rung, "text": trigger.demoted or trigger.asks}
    for person in turn.oncall.people(turn.policy.heads_up):
        way = quiet_way(person)
        if way is None:
            turn.record(Kind.NOTE, f"No heads-up to {person.name}: every channel would page")
            continue
        turn.owe(
            person, way, PageEvent.HEADS_UP, suffix=suffix, level=0, facts=facts, give_up_at=turn.now + NOTE_FOR
        )  # fmt: skip


def status(turn: Turn, what: str, text: str, *, below: int | None = None) -> None:
    """Tell those already paged. `below`: only those of lower levels, who got no page of their own by it."""
    fresh = {row.person for row in turn.rows.values() if below is not None and row.level >= below}
    for row in turn.told():
        way = _way(turn, row)
        person = turn.oncall.person(row.person)
        if person is not None and way is not None and not way.wakes and row.person not in fresh:
            _note(turn, person, way, what, text)


def acknowledged(turn: Turn, by: str) -> None:
    """Tell the others who were paged, every service that would go on calling, and whoever can change what was posted."""
    for row in turn.told():
        way = _way(turn, row)
        person = turn.oncall.person(row.person)
        if person is None or way is None:
            continue
        theirs = by in {person.id, person.name}
        if way.tracks or (not way.wakes and (not theirs or row.provider_id)):
            _note(turn, person, way, "acked", f"Acknowledged by {by}")


def digest(turn: Turn, reason: str) -> None:
    """One entry of the next daily digest."""
    due_at = turn.policy.digest_at(turn.now)
    for person in turn.oncall.people(turn.policy.digest):
        way = quiet_way(person)
        if way is None:
            turn.record(Kind.NOTE, f"No digest to {person.name}: every channel would page")
            continue
        turn.owe(
            person, way, PageEvent.DIGEST, suffix=str(int(due_at)), level=0, due_at=due_at, facts={"reason": reason}
        )  # fmt: skip


def informed(turn: Turn) -> list[Delivery]:
    """Heads-ups that may have been read."""
    sent = {DeliveryState.ACCEPTED, DeliveryState.SENDING}
    rows = [row for row in turn.rows.values() if row.event is PageEvent.HEADS_UP and row.state in sent]
    return list({row.address: row for row in rows}.values())


def over(turn: Turn, text: str, readers: list[Delivery], skip: set[str]) -> None:
    """Whoever read that something began and was not paged reads that it is over."""
    for row in readers:
        way = _way(turn, row)
        person = turn.oncall.person(row.person)
        if person is not None and way is not None and row.address not in skip:
            _note(turn, person, way, "over", text)


def fallback(turn: Turn, row: Delivery) -> None:
    """A heads-up or digest entry that failed goes by the person's next channel that wakes nobody."""
    person = turn.oncall.person(row.person)
    if person is None or row.event not in {PageEvent.HEADS_UP, PageEvent.DIGEST}:
        return
    suffix = row.key.rpartition("/")[2].partition(".")[2]
    for way in person.usable:
        if not way.wakes and way.position > int(row.address.rpartition("/")[2]):
            turn.owe(
                person, way, row.event, suffix=suffix, level=row.level, facts=dict(row.facts),
                give_up_at=turn.now + NOTE_FOR,
            )  # fmt: skip
            return


def _note(turn: Turn, person: Person, way: Way, what: str, text: str) -> None:
    address = f"{person.id}/{way.position}"
    earlier = [row for row in turn.rows.values() if row.event is PageEvent.STATUS and row.address == address]
    stale = [row for row in earlier if row.state is DeliveryState.OWED and row.facts.get("what") != "acked"]
    turn.drop(stale, "a newer note replaces it")
    turn.owe(
        person, way, PageEvent.STATUS, suffix=f"{what}-{len(earlier) + 1}", facts={"what": what, "text": text},
        give_up_at=turn.now + NOTE_FOR,
    )  # fmt: skip


def _way(turn: Turn, row: Delivery) -> Way | None:
    """The channel a row went by, as the person has it now; None when it is gone."""
    person = turn.oncall.person(row.person)
    position = int(row.address.rpartition("/")[2])
    ways = person.usable if person else ()
    return next((way for way in ways if way.position == position and way.kind == row.channel), None)
