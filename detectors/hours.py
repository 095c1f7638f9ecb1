"""Finished hours of one detector: what each scope came to in them, found again by the hour of the week."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope, scope_from_key, scope_key
from detectors.samples import Floats
from detectors.wall import HOUR, WEEK, wall_hours

MOST_SCOPES = 1_000
"""Of one detector; nothing is learnt of those beyond."""
VALUE, EVENTS, SHARE = range(3)
"""Of a row: the mean value seen, the events counted in the hour, the share of it that was seen."""
_SLACK = 2 * HOUR
"""By which a week of wall time may be longer than one of seconds."""


@dataclass(frozen=True, slots=True)
class Hour:
    """A finished hour, as kept. `start`: unix seconds; `signal`: what the detector measured then.

    `scopes`: scope's key -> (value, events, share), the value None where too little of it was known.
    """

    detector: str
    start: float
    signal: str
    scopes: Mapping[str, tuple[float | None, float, float]]


@dataclass(slots=True)
class Hours:
    """`weeks`: how many weeks back are looked at; one more is kept, so that one hour may be missing.

    `scopes`: scope -> column. `rows`: start -> `[3, S]`, NaN where nothing was learnt, of fewer columns where scopes came
    later. `unwritten`: hours that are new or changed since they were kept. `full`: some scope found no room. `first`: scope
    -> number of the first wall hour that is known to have taught something.
    """

    zone: str
    weeks: int
    scopes: dict[Scope, int] = field(default_factory=dict)
    rows: dict[float, Floats] = field(default_factory=dict)
    unwritten: set[float] = field(default_factory=set)
    full: bool = False
    first: dict[Scope, int] = field(default_factory=dict)
    _settled: Sequence[Scope] = ()
    """Scopes that found their room, or none."""
    _places: tuple[Sequence[Scope], NDArray[np.intp]] | None = None
    _firsts: tuple[Sequence[Scope], Floats] | None = None
    _starts: dict[int, list[float]] = field(default_factory=dict)
    _same: dict[int, Floats] = field(default_factory=dict)

    def keep(self, start: float, row: Floats) -> None:
        """A finished hour; what is older than can be looked at goes."""
        number = self._number(start)
        if start not in self.rows:
            self._starts.setdefault(number, []).append(start)
        self._note_first(number, row)
        self.rows[start] = row
        self.unwritten.add(start)
        oldest = start - (self.weeks + 1) * WEEK * HOUR - _SLACK
        for old in [other for other in self.rows if other < oldest]:
            del self.rows[old]
            self.unwritten.discard(old)
            self._starts[self._number(old)].remove(old)
        self._same.clear()

    def take_back(self, scope: Scope, since: float) -> None:
        """What a scope taught from this instant on."""
        place = self.scopes[scope]
        for start, row in self.rows.items():
            if start >= since and place < row.shape[1] and not np.isnan(row[SHARE, place]):
                row[:, place] = np.nan
                self.unwritten.add(start)
                self._same.clear()

    def same(self, number: int, scopes: Sequence[Scope]) -> Floats:
        """Rows `[N, 3, S]` of the same hour of the week in the weeks before wall hour `number`; NaN: not learnt."""
        if number not in self._same:
            self._same[number] = self._gathered(number)
        rows, place = self._same[number], self._place_of(scopes)
        found = np.full((len(rows), 3, len(scopes)), np.nan)
        found[:, :, place >= 0] = rows[:, :, place[place >= 0]]
        return found

    def placed(self, scopes: Sequence[Scope]) -> NDArray[np.intp]:
        """Columns of these scopes, -1 for those that find no room."""
        if self._settled != scopes:
            new = [scope for scope in scopes if scope not in self.scopes]
            if new:
                self._make_room(new, set(scopes))
            self._settled = scopes
        return self._place_of(scopes)

    def first_of(self, scopes: Sequence[Scope]) -> Floats:
        """`[S]`: number of the first wall hour that is known to have taught something, inf for none."""
        if self._firsts is None or self._firsts[0] != scopes:
            self._firsts = scopes, np.array([self.first.get(scope, math.inf) for scope in scopes])
        return self._firsts[1]

    def in_zone(self, zone: str, weeks: int) -> Hours:
        """The same hours, as clocks of another zone call them."""
        other = Hours(zone, weeks, self.scopes, self.rows, self.unwritten, self.full, self.first)
        other._index()
        return other

    def news(self, detector: str, signal: str) -> tuple[Hour, ...]:
        """Hours that are new or changed since they were last kept, oldest first."""
        starts = sorted(self.unwritten)
        return tuple(Hour(detector, start, signal, self._told(self.rows[start])) for start in starts)

    def remember(self, hours: Iterable[Hour]) -> None:
        """Hours as kept, but for those known already; none of them is news."""
        for hour in hours:
            if hour.start in self.rows:
                continue
            scopes = {scope_from_key(key): row for key, row in hour.scopes.items()}
            place = self.placed(tuple(scopes))
            rows = np.full((3, len(self.scopes)), np.nan)
            for column, (value, events, share) in zip(place.tolist(), scopes.values(), strict=True):
                if column >= 0:
                    rows[:, column] = (math.nan if value is None else value, events, share)
            self.rows[hour.start] = rows
        self._index()

    def _place_of(self, scopes: Sequence[Scope]) -> NDArray[np.intp]:
        if self._places is None or self._places[0] != scopes:
            place = np.array([self.scopes.get(scope, -1) for scope in scopes], dtype=np.intp)
            self._places = scopes, place
        return self._places[1]

    def _told(self, row: Floats) -> dict[str, tuple[float | None, float, float]]:
        return {
            scope_key(scope): (None if math.isnan(value) else value, events, share)
            for scope, (value, events, share) in zip(self.scopes, row.T.tolist(), strict=False)
            if not math.isnan(share)
        }

    def _gathered(self, number: int) -> Floats:
        weeks = range(1, self.weeks + 2)
        starts = [start for back in weeks for start in self._starts.get(number - back * WEEK, ())]
        if not starts:
            return np.empty((0, 3, len(self.scopes)))
        return np.stack([_widened(self.rows[start], len(self.scopes)) for start in starts])

    def _number(self, start: float) -> int:
        numbers, _ = wall_hours(np.array([start]), self.zone)
        return int(numbers[0])

    def _index(self) -> None:
        starts = sorted(self.rows)
        numbers, _ = wall_hours(np.array(starts), self.zone)
        self._starts = {}
        for number, start in zip(numbers.tolist(), starts, strict=True):
            self._starts.setdefault(number, []).append(start)
            self._note_first(number, self.rows[start])
        self._same.clear()

    def _note_first(self, number: int, row: Floats) -> None:
        new = [scope for scope in self.scopes if scope not in self.first]
        for scope in new:
            place = self.scopes[scope]
            if place < row.shape[1] and not math.isnan(row[SHARE, place]):
                self.first[scope] = number
                self._firsts = None

    def _make_room(self, new: Sequence[Scope], present: set[Scope]) -> None:
        if len(self.scopes) + len(new) > MOST_SCOPES:
            self._drop_gone(present)
        room = max(MOST_SCOPES - len(self.scopes), 0)
        self.full = len(new) > room
        if room:
            places = enumerate(new[:room], start=len(self.scopes))
            self.scopes = {**self.scopes, **{scope: place for place, scope in places}}
        self._same.clear()
        self._places = None

    def _drop_gone(self, present: set[Scope]) -> None:
        """Scopes that are not there, and of whom no hour is left."""
        size = len(self.scopes)
        taught = np.zeros(size, dtype=bool)
        for row in self.rows.values():
            taught[: row.shape[1]] |= ~np.isnan(row[SHARE])
        stays = [scope for scope, place in self.scopes.items() if scope in present or taught[place]]
        columns = [self.scopes[scope] for scope in stays]
        self.rows = {start: _widened(row, size)[:, columns] for start, row in self.rows.items()}
        self.scopes = {scope: place for place, scope in enumerate(stays)}
        self.first = {scope: number for scope, number in self.first.items() if scope in self.scopes}


def _widened(rows: Floats, columns: int, fill: float = math.nan) -> Floats:
    """The same with more columns."""
    more = columns - rows.shape[1]
    return rows if more <= 0 else np.hstack([rows, np.full((len(rows), more), fill)])
