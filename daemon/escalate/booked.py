"""What a calendar says: who is booked when, without overlap, as it is kept between two readings. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Booking:
    """`person` is booked from `start` up to `end` (unix seconds)."""

    start: float
    end: float
    person: str


@dataclass(frozen=True, slots=True)
class Booked:
    """`bookings`: ascending, none over another. `until`: how far the calendar was read; behind it nothing is known."""

    bookings: tuple[Booking, ...] = ()
    read_at: float = 0.0
    until: float = 0.0

    def at(self, now: float) -> Booking | None:
        """Who is booked at `now`."""
        place = bisect_right(self.bookings, now, key=lambda one: one.start) - 1
        if place >= 0 and now < self.bookings[place].end:
            return self.bookings[place]
        return None

    def edges(self, start: float, end: float) -> Iterator[float]:
        """When a booking begins or ends between two instants."""
        place = max(0, bisect_right(self.bookings, start, key=lambda one: one.start) - 1)
        for one in self.bookings[place:]:
            if one.start > end:
                return
            yield from (one.start, one.end)

    def data(self) -> dict[str, Any]:
        """Plain data for its row."""
        return {
            "read_at": self.read_at,
            "until": self.until,
            "bookings": [[one.start, one.end, one.person] for one in self.bookings],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Booked:
        """Invert `data`."""
        rows = data["bookings"]
        return cls(tuple(Booking(*row) for row in rows), float(data["read_at"]), float(data["until"]))


NOTHING = Booked()


def flat(bookings: Iterable[Booking]) -> tuple[Booking, ...]:
    """One person at a time: of several the one whose booking began last (an exception is entered over the usual)."""
    events = sorted(set(bookings), key=lambda one: (one.start, one.end, one.person))
    edges = sorted({edge for one in events for edge in (one.start, one.end)})
    live: list[tuple[float, float, str, Booking]] = []
    found: list[Booking] = []
    last: Booking | None = None
    coming = iter(events)
    following = next(coming, None)
    for edge, later in pairwise(edges):
        while following is not None and following.start <= edge:
            heapq.heappush(live, (-following.start, following.end, following.person, following))
            following = next(coming, None)
        while live and live[0][3].end <= edge:
            heapq.heappop(live)
        top = live[0][3] if live else None
        if top is not None and top is last and found[-1].end == edge:
            found[-1] = Booking(found[-1].start, later, top.person)
        elif top is not None:
            found.append(Booking(edge, later, top.person))
        last = top
    return tuple(found)


def overlaps(bookings: Sequence[Booking]) -> tuple[tuple[Booking, Booking], ...]:
    """Bookings of different people at one time: each with the one before it that reaches into it."""
    found = []
    longest: Booking | None = None
    for one in sorted(set(bookings), key=lambda each: (each.start, each.end, each.person)):
        if longest is not None and one.start < longest.end and one.person != longest.person:
            found.append((longest, one))
        if longest is None or one.end > longest.end:
            longest = one
    return tuple(found)
