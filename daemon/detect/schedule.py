"""When to ask what: fixed slots without drift, never two questions of a kind at once, overdue ones given up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from config.scope import Scope
from daemon.detect.fetching import Asked, Fetch

_HURRIED = 1.0

Place = tuple[Asked, str, Scope, str]
"""What is asked whom about what: of each there is at most one in flight."""


def place_of(fetch: Fetch) -> Place:
    return (fetch.asked, fetch.name, fetch.scope, fetch.unit)


@dataclass(slots=True)
class Slots:
    """The due times of one question. `next_at` moves by whole intervals, so lateness does not add up."""

    every: float
    next_at: float

    def due(self, now: float) -> int:
        """How many slots have passed since the last call, this one included; 0: not due yet."""
        if self.next_at - now > self.every:
            self.next_at = now  # the wall clock stepped back
        if now < self.next_at:
            return 0
        passed = math.floor((now - self.next_at) / self.every) + 1
        self.next_at += passed * self.every
        return passed


@dataclass(slots=True)
class Schedule:
    """All questions of the stage. `skipped` and `late` count by source, probe or manager name."""

    slots: dict[Place, Slots] = field(default_factory=dict)
    in_flight: dict[str, Fetch] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    urgent: set[Place] = field(default_factory=set)
    asked_at: dict[Place, float] = field(default_factory=dict)

    def hurry(self, place: Place, now: float) -> None:
        """Ask soon, without waiting for the slot; at most once a second, or as often as the slots come."""
        slots = self.slots.get(place)
        apart = min(slots.every, _HURRIED) if slots else 0.0
        if now - self.asked_at.get(place, -math.inf) >= apart:
            self.urgent.add(place)

    def sent(self, fetch: Fetch) -> None:
        """Note that the question is on its way."""
        self.in_flight[fetch.key] = fetch
        self.asked_at[place_of(fetch)] = fetch.at

    def turn(self, place: Place, every: float, now: float) -> bool:
        """Whether the question should be asked now; slots that passed unused are counted as skipped."""
        if place in self.urgent and not self.busy(place):
            self.urgent.discard(place)
            return True
        slots = self.slots.setdefault(place, Slots(every, now))
        if slots.every != every:
            slots.every, slots.next_at = every, min(slots.next_at, now + every)
        passed = slots.due(now)
        if not passed:
            return False
        busy = self.busy(place)
        missed = passed if busy else passed - 1
        if missed:
            self.skipped[place[1]] = self.skipped.get(place[1], 0) + missed
        return not busy

    def waits_since(self, place: Place, every: float, now: float) -> tuple[float, float]:
        """When the question's next slot is, and when it was last asked; an urgent one waits since ever."""
        slots = self.slots.setdefault(place, Slots(every, now))
        last = self.asked_at.get(place, -math.inf)
        return (-math.inf if place in self.urgent else slots.next_at), last

    def busy(self, place: Place) -> bool:
        return any(place_of(fetch) == place for fetch in self.in_flight.values())

    def overdue(self, now: float) -> Iterator[Fetch]:
        """Fetches past their deadline, each given up and counted once; an answer that comes later is not known."""
        for fetch in [fetch for fetch in self.in_flight.values() if now > fetch.deadline_at]:
            del self.in_flight[fetch.key]
            self.count_late(fetch)
            yield fetch

    def count_late(self, fetch: Fetch) -> None:
        self.late[fetch.name] = self.late.get(fetch.name, 0) + 1

    def next_at(self) -> float:
        """When something is due at the earliest; infinity when nothing is."""
        if any(not self.busy(place) for place in self.urgent):
            return -math.inf
        dues = [slots.next_at for slots in self.slots.values()]
        return min([*dues, *(fetch.deadline_at for fetch in self.in_flight.values())], default=math.inf)

    def forget(self, places: set[Place]) -> None:
        """Keep only these places' slots."""
        self.slots = {place: slots for place, slots in self.slots.items() if place in places}
        self.asked_at = {place: at for place, at in self.asked_at.items() if place in places}
        self.urgent &= places
