"""Who has a schedule at an instant, and how the turns follow each other. Pure: instants are arguments.

Shifts start by the wall clock of their layer's zone and are half-open, so neighbouring shifts always meet, without gap
or overlap, on both sides of a change of daylight-saving time. `booked`: what the schedule's calendar says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from config.schedules import DAYS, Hours, Override, Rotation, ScheduleSpec, Swap
from daemon.escalate.booked import NOTHING, Booked
from daemon.escalate.wallclock import instant

DAY = 86400.0
WEEK = 7 * DAY
BOOKED_TURN = 30 * DAY
"""How long a shift of a calendar may be for its whole length to be looked up."""
MAX_EDGES = 50_000
"""Changes looked at in one question: five years of three layers with hours."""


@dataclass(frozen=True, slots=True)
class Shift:
    """`person` has the schedule from `start` up to `end` (unix seconds); None: nobody."""

    start: float
    end: float
    person: str | None


@dataclass(frozen=True, slots=True)
class _Duty:
    """Whose it is, and by what: (layer, calendar or override, turn, swap). Two moments of one duty belong to one shift."""

    person: str | None = None
    by: tuple[object, ...] = ()


def on_call(spec: ScheduleSpec, now: float, booked: Booked = NOTHING) -> str | None:
    """Who has the schedule at `now`; None where no layer covers it, or before the rotation starts."""
    return _duty(spec, now, booked).person


def shifts(spec: ScheduleSpec, start: float, end: float, booked: Booked = NOTHING) -> tuple[Shift, ...]:
    """Who has the schedule between two instants, cut at every change of turn, override or swap."""
    edges = {start, end}
    for place, at in enumerate(_edges(spec, start, end, booked)):
        if start < at < end:
            edges.add(at)
        if place >= MAX_EDGES:
            break
    found: list[Shift] = []
    last: _Duty | None = None
    for first, second in pairwise(sorted(edges)):
        duty = _duty(spec, first, booked)
        if duty == last:
            found[-1] = Shift(found[-1].start, second, duty.person)
        else:
            found.append(Shift(first, second, duty.person))
        last = duty
    return tuple(found)


def next_shifts(
    spec: ScheduleSpec, now: float, count: int = 3, booked: Booked = NOTHING
) -> tuple[Shift, ...]:
    """The present shift and those that follow, whole (the first begins before `now`)."""
    turn = max((layer.rotation.every for layer in spec.turns), default=BOOKED_TURN)
    reach = max(turn, WEEK) + DAY
    begins = min((instant(spec.zone(layer), layer.rotation.starts) for layer in spec.turns), default=now)
    seen = shifts(spec, now - reach, max(now, begins) + (count + 1) * reach, booked)
    following = [shift for shift in seen if shift.end > now]
    if following and following[0].person is None:
        following[0] = Shift(max(following[0].start, now), following[0].end, None)
    return tuple(following[:count])


def gaps(spec: ScheduleSpec, start: float, end: float, booked: Booked = NOTHING) -> tuple[Shift, ...]:
    """When nobody has the schedule."""
    return tuple(shift for shift in shifts(spec, start, end, booked) if shift.person is None)


def _duty(spec: ScheduleSpec, now: float, booked: Booked) -> _Duty:
    for place in range(len(spec.overrides) - 1, -1, -1):
        start, end = _span(spec, spec.overrides[place])
        if start <= now < end:
            return _Duty(spec.overrides[place].person, ("override", place))
    booking = booked.at(now)
    if booking is not None:
        taker, swap = _swapped(spec, booking.person, now)
        return _Duty(taker, ("calendar", booking.start, booking.person, swap))
    for place, layer in enumerate(spec.turns):
        zone = spec.zone(layer)
        if layer.hours is not None and not _open(layer.hours, zone, now):
            continue
        turn = _turn(layer.rotation, zone, now)
        if turn is not None:
            person = layer.rotation.people[turn % len(layer.rotation.people)]
            taker, swap = _swapped(spec, person, now)
            return _Duty(taker, (place, turn, swap))
    return _Duty()


def _swapped(spec: ScheduleSpec, person: str, now: float) -> tuple[str, int | None]:
    for place, swap in enumerate(spec.swaps):
        start, end = _span(spec, swap)
        if person in swap.between and start <= now < end:
            return swap.between[swap.between[0] == person], place
    return person, None


def _edges(spec: ScheduleSpec, start: float, end: float, booked: Booked) -> Iterator[float]:
    yield from booked.edges(start, end)
    given: tuple[Override | Swap, ...] = (*spec.overrides, *spec.swaps)
    for one in given:
        yield from _span(spec, one)
    for layer in spec.turns:
        yield from _turns(layer.rotation, spec.zone(layer), start, end)
        if layer.hours is not None:
            for opens, closes in _openings(layer.hours, spec.zone(layer), start, end):
                yield from (opens, closes)


def _turn(rotation: Rotation, zone: str, now: float) -> int | None:
    """Number of the rotation's turn at `now`; None before the first."""
    local = datetime.fromtimestamp(now, ZoneInfo(zone)).replace(tzinfo=None)
    guess = int((local - rotation.starts).total_seconds() // rotation.every)
    reach = 1 + int(DAY // rotation.every)  # a clock change moves the wall clock by at most a day
    for turn in range(guess + reach, guess - reach - 1, -1):
        if turn >= 0 and _start(rotation, zone, turn) <= now:
            return turn
    return None


def _turns(rotation: Rotation, zone: str, start: float, end: float) -> Iterator[float]:
    turn = _turn(rotation, zone, start)
    number = 0 if turn is None else turn + 1
    while (at := _start(rotation, zone, number)) < end:
        yield at
        number += 1


def _start(rotation: Rotation, zone: str, turn: int) -> float:
    return instant(zone, rotation.starts + timedelta(seconds=rotation.every * turn))


def _span(spec: ScheduleSpec, given: Override | Swap) -> tuple[float, float]:
    return instant(spec.timezone, given.start), instant(spec.timezone, given.end)


def _open(hours: Hours, zone: str, now: float) -> bool:
    return any(opens <= now < closes for opens, closes in _openings(hours, zone, now, now))


def _openings(hours: Hours, zone: str, start: float, end: float) -> Iterator[tuple[float, float]]:
    """(opens, closes) of every day from the one before `start` to that of `end`."""
    overnight = timedelta(days=1 if hours.to <= hours.from_ else 0)
    for day in _days(_local_day(zone, start) - timedelta(days=1), _local_day(zone, end)):
        if DAYS[day.weekday()] in hours.days:
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall-clock time, resolved in its zone
            opens = midnight + timedelta(minutes=hours.from_.minutes)
            closes = midnight + timedelta(minutes=hours.to.minutes) + overnight
            yield instant(zone, opens), instant(zone, closes)


def _local_day(zone: str, at: float) -> date:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).date()


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
