"""Proving channels: test pages, asked for or owed by themselves once a day, and which of them did not arrive. Pure.

A page that was never tried may fail on the night it is needed. The key of a test that comes by itself holds its date,
so a restart sends no second one; what did not arrive is known from the rows alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from config.drills import Weekly
from config.escalation import PageTestSpec
from daemon.escalate.schedules import Directory, Person, Way
from daemon.escalate.wallclock import last_weekly
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

NOBODY = "-"
"""Incident of deliveries that concern none."""
PART = "channel "
"""How the part begins of which an incident about a channel tells; the channel's address and kind follow."""
ASKED_WITHIN = 600.0
"""Seconds a test that a person asked for may take."""
CATCH_UP = 3600.0
"""Seconds after its time at which a test is still made up for; later it waits for the next day."""
OVER = ".over"
"""Ends the key of a test's end."""
FIRST, ALL = "first", "all"
"""What may stand for the kind of a channel."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`notify`: targets as written; everybody when empty. `skip`: kinds that are left out. `within`: seconds."""

    at: Weekly
    zone: str
    notify: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()
    within: float = 300.0

    def due(self, now: float) -> float | None:
        """When the test that may be owed now was due; None when none is."""
        at = last_weekly(self.zone, self.at, now)
        return at if now - at < CATCH_UP else None


def plan_of(spec: PageTestSpec | None, zone: str) -> Plan | None:
    """`zone`: that of working hours."""
    if spec is None:
        return None
    return Plan(spec.at, zone, tuple(map(str, spec.notify)), frozenset(spec.skip), spec.within)


def owed(plan: Plan, directory: Directory, local: Collection[str], at: float, now: float) -> Change:
    """The test pages of the day of `at`, one a channel that leaves this machine."""
    day = datetime.fromtimestamp(at, ZoneInfo(plan.zone)).date().isoformat()
    people = directory.at(now).people(plan.notify) if plan.notify else directory.people.values()
    left_out = {*plan.skip, *local}
    rows = [
        _row(person, way, f"daily.{day}", f"Sent every time at {plan.at}; nothing to do.", now, plan.within)
        for person in people
        for way in person.usable
        if way.kind not in left_out
    ]
    return _change(rows, directory, now)


def asked(directory: Directory, person: str, channel: str, now: float) -> Change:
    """What somebody wants to see arrive. `person`: everybody when empty; `channel`: a kind, `first` or `all`."""
    people = [one for one in directory.people.values() if person in {"", one.id}]
    rows = [
        _row(one, way, f"{int(now * 1000)}", f"Asked for at {int(now)}.", now, ASKED_WITHIN)
        for one in people
        for place, way in enumerate(one.usable)
        if channel in {ALL, way.kind} or (channel == FIRST and not place)
    ]
    return _change(rows, directory, now)


def ends(rows: Iterable[Delivery], tracking: Collection[str], now: float) -> tuple[Delivery, ...]:
    """The end of tests that opened something: a kind that keeps an incident's state would keep it open for good."""
    found = []
    for row in rows:
        if row.state is DeliveryState.ACCEPTED and row.channel in tracking:
            key, facts = f"{row.key}{OVER}", {"text": "The test is over."}
            found.append(
                Delivery(
                    key, row.incident, PageEvent.RESOLVE, 0, row.person, row.channel, row.address, row.dedup_key,
                    now, now, give_up_at=now + ASKED_WITHIN, facts=facts,
                )
            )  # fmt: skip
    return tuple(found)


def unproved(rows: Iterable[Delivery], directory: Directory, within: float, now: float) -> Mapping[str, str]:
    """Channels whose newest test did not arrive: part of the daemon -> what is the matter, for people.

    `rows`: tests, newest first. `within`: seconds a test may take. A channel that is no longer configured is forgotten.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for row in rows:
        part = f"{PART}{row.address} {row.channel}"
        why = _missing(row, within, now)
        if part in seen or why is None:
            continue
        seen.add(part)
        person = directory.people.get(row.person)
        place = row.address.rpartition("/")[2]
        if (
            why
            and person
            and any(f"{way.position}" == place and way.kind == row.channel for way in person.usable)
        ):
            found[part] = (
                f"The test page to {person.name} by {row.channel} did not arrive ({why}): no page may reach them by it. "
                f"Mend it, then: fleetmend page test {row.person} --channel {row.channel}"
            )
    return found


def _missing(row: Delivery, within: float, now: float) -> str | None:
    """Why a test has not arrived; empty when it has, None when that cannot be told yet."""
    if row.state is DeliveryState.FAILED:
        return row.error or "failed"
    late = now - row.created_at >= within
    if row.state is not DeliveryState.ACCEPTED:
        return (row.error or "not accepted in time") if late else None
    return None if row.look_at is not None and not row.heard else ""  # its provider tells of the delivery


def lapsed(row: Delivery) -> Delivery:
    """An accepted message of whose delivery no word came in time. Of a test that is all there was to know."""
    known = replace(row, look_at=None)
    if row.event is not PageEvent.TEST:
        return known
    return replace(known, state=DeliveryState.FAILED, error="accepted, and no word of its delivery")


def about(part: str) -> str:
    """The address of the channel that an incident about a part of the daemon is about; empty when it is about none."""
    return part.removeprefix(PART).partition(" ")[0] if part.startswith(PART) else ""


def _row(person: Person, way: Way, what: str, reason: str, now: float, within: float) -> Delivery:
    address = f"{person.id}/{way.position}"
    return Delivery(
        key=f"{NOBODY}/0/0/{person.id}/{way.kind}.{way.position}/test.{what}", incident=NOBODY, event=PageEvent.TEST,
        level=0, person=person.id, channel=way.kind, address=address, dedup_key=f"fleetmend/test/{address}/{what}",
        created_at=now, due_at=now, give_up_at=now + within, facts={"reason": reason},
    )  # fmt: skip


def _change(rows: Iterable[Delivery], directory: Directory, now: float) -> Change:
    known = tuple(rows)
    events = [
        Event(
            NOBODY, now, Kind.OWED, f"Test page owed to {directory.people[row.person].name} by {row.channel}",
            {"level": 0, "person": row.person, "channel": row.channel, "event": "test", "key": row.key},
        )
        for row in known
    ]  # fmt: skip
    return Change(deliveries=known, events=tuple(events))
