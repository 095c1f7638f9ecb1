"""Who is on call at an instant, and whom a policy's targets mean. Pure: instants are arguments.

Shifts start by the wall clock of the schedule's zone and are half-open. A start that a change of daylight-saving
time skips is the first instant that exists after it; one that happens twice is the first of the two. So neighbouring
shifts always meet, without gap or overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from config.escalation import WorkingHours
from config.people import PersonSpec
from config.schedules import Override, ScheduleSpec

DAY = 86400.0
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MAX_SHIFTS = 10_000


@dataclass(frozen=True, slots=True)
class Way:
    """One channel of a person: `position` among the person's channels, from 0.

    `wakes`: made to wake somebody, so notes that must not page avoid it. `available`: a message can be sent by it.
    `tracks`: it keeps the incident's state, so it has to hear of an acknowledgement.
    """

    position: int
    kind: str
    wakes: bool = False
    available: bool = True
    tracks: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who can be told, and how. `timezone`: an IANA name, the reader's clock."""

    id: str
    name: str
    timezone: str = "UTC"
    ways: tuple[Way, ...] = ()

    @property
    def usable(self) -> tuple[Way, ...]:
        """The channels that can be used, in order."""
        return tuple(way for way in self.ways if way.available)


@dataclass(frozen=True, slots=True)
class Shift:
    """`person` has the schedule from `start` up to `end` (unix seconds); None: nobody."""

    start: float
    end: float
    person: str | None


@dataclass(frozen=True, slots=True)
class Directory:
    """All people, teams and schedules of a configuration."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleSpec] = field(default_factory=dict)

    def at(self, now: float) -> OnCall:
        """Who can be told at `now`."""
        return OnCall(self, now)


@dataclass(frozen=True, slots=True)
class OnCall:
    """The directory at one instant."""

    directory: Directory
    now: float

    def people(self, targets: Iterable[str]) -> tuple[Person, ...]:
        """Everyone behind `schedule:X`, `team:X`, `person:X`, each once, in order; unknown names mean nobody."""
        found: dict[str, Person] = {}
        for target in targets:
            for name in self._names(target):
                person = self.directory.people.get(name)
                if person is not None:
                    found.setdefault(name, person)
        return tuple(found.values())

    def person(self, name: str) -> Person | None:
        return self.directory.people.get(name)

    def _names(self, target: str) -> tuple[str, ...]:
        kind, _, name = target.partition(":")
        if kind == "schedule":
            spec = self.directory.schedules.get(name)
            on_duty = on_call(spec, self.now) if spec else None
            return (on_duty,) if on_duty else ()
        if kind == "team":
            return self.directory.teams.get(name, ())
        return (name,) if kind == "person" else ()


def directory_of(
    people: Mapping[str, PersonSpec],
    teams: Mapping[str, Sequence[str]],
    schedules: Mapping[str, ScheduleSpec],
    kinds: Mapping[str, tuple[bool, bool, bool]],
) -> Directory:
    """Build the directory. `kinds`: channel kind to (wakes, available, tracks); one not listed is unavailable."""
    return Directory(
        people={
            name: Person(
                name,
                spec.name,
                spec.timezone,
                tuple(
                    Way(position, kind, *kinds.get(kind, (False, False, False)))
                    for position, (kind, _) in enumerate(spec.ways)
                ),
            )
            for name, spec in people.items()
        },
        teams={name: tuple(members) for name, members in teams.items()},
        schedules=dict(schedules),
    )


def on_call(spec: ScheduleSpec, now: float) -> str | None:
    """Who has the schedule at `now`; None before the rotation starts. Of several overrides the last written wins."""
    for override in reversed(spec.overrides):
        start, end = _span(spec, override)
        if start <= now < end:
            return override.person
    index = _index(spec, now)
    people = spec.rotation.people
    return people[index % len(people)] if index is not None else None


def shifts(spec: ScheduleSpec, start: float, end: float) -> tuple[Shift, ...]:
    """Who has the schedule between two instants, cut at every change; at most ten thousand pieces."""
    edges = {start, end}
    edges.update(at for override in spec.overrides for at in _span(spec, override) if start < at < end)
    edges.update(_rotation_edges(spec, start, end))
    ordered = sorted(edges)[: _MAX_SHIFTS + 1]
    return tuple(Shift(first, second, on_call(spec, first)) for first, second in pairwise(ordered))


def next_shifts(spec: ScheduleSpec, now: float, count: int = 3) -> tuple[Shift, ...]:
    """The present shift and those that follow, whole (the first begins before `now`)."""
    index = _index(spec, now)
    starts = _start(spec, 0)
    since = _start(spec, index) if index is not None else now
    until = max(since, starts)
    for step in range(1, count + 2):
        until = _start(spec, (index if index is not None else -1) + step)
    return tuple(shift for shift in shifts(spec, since, until) if shift.end > now)[:count]


def opens_at(hours: WorkingHours, now: float) -> float | None:
    """None while working hours are open at `now`, else the instant they open next."""
    zone = hours.timezone
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    for ahead in range(-1, 9):
        day = today + timedelta(days=ahead)
        if _WEEKDAYS[day.weekday()] not in hours.days:
            continue
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall-clock time, resolved in its zone
        opens = instant(zone, midnight + timedelta(minutes=hours.from_.minutes))
        closes = instant(zone, midnight + timedelta(minutes=hours.to.minutes))
        if opens <= now < closes:
            return None
        if opens > now:
            return opens
    raise AssertionError("working hours have at least one day a week")


def next_time_of_day(zone: str, minutes: int, now: float) -> float:
    """The next instant after `now` at which the wall clock of `zone` shows `minutes` past midnight."""
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    midnight = datetime(today.year, today.month, today.day)  # noqa: DTZ001 - a wall-clock time, resolved in its zone
    for ahead in range(3):
        at = instant(zone, midnight + timedelta(days=ahead, minutes=minutes))
        if at > now:
            return at
    raise AssertionError("a time of day comes at least every second day")


@lru_cache(maxsize=4096)
def instant(zone: str, local: datetime) -> float:
    """Unix seconds of a wall-clock time (naive) in an IANA zone; skipped and doubled times as the module says."""
    info = ZoneInfo(zone)
    first = local.replace(tzinfo=info, fold=0)
    late = first.timestamp()
    if datetime.fromtimestamp(late, info).replace(tzinfo=None) == local:
        return late
    early = local.replace(tzinfo=info, fold=1).timestamp()
    low, high = sorted((early, late))
    # The clock jumps over `local` somewhere between the two: the jump is the first second that shows a later time.
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, info).replace(tzinfo=None) > local:
            high = middle
        else:
            low = middle
    return high


def _index(spec: ScheduleSpec, now: float) -> int | None:
    """Number of the rotation's shift at `now`; None before the first."""
    local = datetime.fromtimestamp(now, ZoneInfo(spec.timezone)).replace(tzinfo=None)
    guess = int((local - spec.rotation.starts).total_seconds() // spec.rotation.every)
    reach = 1 + int(DAY // spec.rotation.every)  # a clock change moves the wall clock by at most a day
    for index in range(guess + reach, guess - reach - 1, -1):
        if index >= 0 and _start(spec, index) <= now:
            return index
    return None


def _start(spec: ScheduleSpec, index: int) -> float:
    local = spec.rotation.starts + timedelta(seconds=spec.rotation.every * index)
    return instant(spec.timezone, local)


def _span(spec: ScheduleSpec, override: Override) -> tuple[float, float]:
    return instant(spec.timezone, override.start), instant(spec.timezone, override.end)


def _rotation_edges(spec: ScheduleSpec, start: float, end: float) -> Iterator[float]:
    index = _index(spec, start)
    for number in range(0 if index is None else index + 1, _MAX_SHIFTS + (index or 0)):
        at = _start(spec, number)
        if at >= end:
            return
        if at > start:
            yield at
