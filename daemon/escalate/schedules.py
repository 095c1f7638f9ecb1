"""The people of a configuration, and whom a policy's targets mean at an instant. Pure: instants are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from config.people import PersonSpec
from config.schedules import ScheduleSpec
from daemon.escalate.booked import NOTHING, Booked
from daemon.escalate.rota import on_call


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
    """Someone who can be told, and how. `timezone`: an IANA name, the reader's clock. `mail`: addresses, casefolded."""

    id: str
    name: str
    timezone: str = "UTC"
    ways: tuple[Way, ...] = ()
    mail: tuple[str, ...] = ()

    @property
    def usable(self) -> tuple[Way, ...]:
        """The channels that can be used, in order."""
        return tuple(way for way in self.ways if way.available)


@dataclass(frozen=True, slots=True)
class Directory:
    """All people, teams and schedules of a configuration. `booked`: what the schedules' calendars say, as last read."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleSpec] = field(default_factory=dict)
    booked: Mapping[str, Booked] = field(default_factory=dict)

    def without(self, address: str) -> Directory:
        """The same, where the channel at this address (`ana/0`) cannot be used."""
        name, _, place = address.rpartition("/")
        person = self.people.get(name)
        if person is None:
            return self
        ways = tuple(replace(w, available=False) if f"{w.position}" == place else w for w in person.ways)
        return replace(self, people={**self.people, name: replace(person, ways=ways)})

    def at(self, now: float) -> OnCall:
        """Who can be told at `now`."""
        return OnCall(self, now)

    def names(self, more: Mapping[str, str]) -> dict[str, str]:
        """What may stand for a person in a calendar, casefolded -> the person's id. What two share stands for neither."""
        found: dict[str, set[str]] = {}
        for person in self.people.values():
            for name in (person.id, person.name, *person.mail):
                found.setdefault(name.casefold(), set()).add(person.id)
        plain = {name: ids.pop() for name, ids in found.items() if len(ids) == 1}
        return {**plain, **{name.casefold(): person for name, person in more.items()}}


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
            booked = self.directory.booked.get(name, NOTHING)
            on_duty = on_call(spec, self.now, booked) if spec else None
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
                tuple(_mail(spec)),
            )
            for name, spec in people.items()
        },
        teams={name: tuple(members) for name, members in teams.items()},
        schedules=dict(schedules),
    )


def _mail(spec: PersonSpec) -> Iterator[str]:
    for kind, settings in spec.ways:
        address = settings.get("to") if isinstance(settings, Mapping) else settings
        if kind == "email" and isinstance(address, str):
            yield address.casefold()
