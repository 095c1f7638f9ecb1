"""Raw samples of one target, kept for as long as a signal looks back; what counters grew is worked out once, on arrival."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from detectors.buffer import Buffer
from detectors.growth import Growth
from detectors.samples import UP, Block, Floats, Labels, Series
from detectors.values import Bools, whole

MAX_SKEW = 30.0
"""Seconds a sample may lie in the future."""
DEFAULT_INTERVAL = 15.0
_SPACINGS = 32
_FEWEST_SPACINGS = 2
_ALIKE = 0.01
"""Share by which spacings may differ and count as the same: scrapes begin a few milliseconds early or late."""
_HOUSEKEEPING = 64


class Health(IntEnum):
    """How an attempt to read a target or a source ended; the worse, the higher."""

    GOOD = 0
    PARTIAL = 1
    DOWN = 2
    SKEWED = 3


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a batch. `late`: samples older than what is known already; `dropped`: series over the cap;
    `skewed`: samples too far in the future. None of the three was taken in.
    """

    rows: int = 0
    late: int = 0
    dropped: int = 0
    skewed: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(
            self.rows + other.rows,
            self.late + other.late,
            self.dropped + other.dropped,
            self.skewed + other.skewed,
        )


class Ring:
    """Samples of one target. Arrays share rows (`times[R]`) and columns (`series[C]`).

    `value[R, C]` as scraped, NaN where absent; `growth[R, C]`, `grew_at[R, C]`: see `Growth`; `known_from[C]` the instant from which growth is known, `first_seen[C]` of
    the first sample.
    `named`: columns by metric name. `attempts`/`health`: every scrape, failed ones included. `layout` changes when columns do.
    """

    def __init__(self, target: Labels) -> None:
        self.target = target
        self.series: list[Series] = []
        self.layout = 0
        self.truncated = False
        self.named: dict[str, list[int]] = {}
        self._columns: dict[Series, int] = {}
        self._times, self._attempts, self._health = Buffer(), Buffer(), Buffer()
        self._value, self._watched = Buffer(0), Buffer(fill=0.0)
        self._growth: Growth | None = None
        self._last = np.empty(0)
        self.known_from: Floats = np.empty(0)
        self.first_seen: Floats = np.empty(0)
        self._seen_at = np.empty(0)
        self._cached: tuple[tuple[Series, ...], NDArray[np.intp], NDArray[np.intp], int] | None = None
        self._in_order = False
        """Whether the newest block's columns are the ring's, all of them."""
        self._adds = 0
        self._interval: tuple[float, float] | None = None

    @property
    def times(self) -> Floats:
        return self._times.view

    @property
    def value(self) -> Floats:
        return self._value.view

    @property
    def growth(self) -> Floats:
        return self._counted().total

    @property
    def grew_at(self) -> Floats:
        return self._counted().grew_at

    @property
    def attempts(self) -> Floats:
        return self._attempts.view

    @property
    def health(self) -> Floats:
        return self._health.view

    @property
    def interval(self) -> float:
        """Median spacing of the newest scrapes in seconds."""
        attempts = self.attempts
        if len(attempts) <= _FEWEST_SPACINGS:
            return DEFAULT_INTERVAL
        if self._interval is None or self._interval[0] != attempts[-1]:
            self._interval = (float(attempts[-1]), float(np.median(np.diff(attempts[-_SPACINGS:]))))
        return self._interval[1]

    def intervals(self, tried: NDArray[np.intp]) -> Floats:
        """Median spacing of the newest scrapes, as it was when `tried[T]` was the newest; `[T]` seconds, 0 before the
        first. A replay has the scrapes that followed at hand, and must not know them.
        """
        if len(tried) == 1 and tried[0] == len(self._attempts) - 1:
            return np.array([self.interval])
        spacings = np.diff(self.attempts)
        wanted = np.unique(tried[tried >= _FEWEST_SPACINGS])
        found = np.full(len(self._attempts) + 1, DEFAULT_INTERVAL)
        found[-1] = 0.0
        if len(wanted):
            found[wanted] = _medians(spacings, wanted)
        return found[tried]

    def add(self, block: Block, *, now: float, room: int) -> Added:
        """Take in a block; at most `room` new series are accepted."""
        future = block.times > now + MAX_SKEW
        newest = self.attempts[-1] if len(self._attempts) else -math.inf
        fresh = ~future & (block.times > newest)
        late = 0
        if not fresh.all():
            late = int(np.count_nonzero(~future & ~fresh & ~np.isin(block.times, self.attempts)))
            block = Block(block.target, block.times[fresh], block.series, block.values[fresh])
        rows, dropped = self._extend(block, room) if len(block.times) else (0, 0)
        skewed = int(np.count_nonzero(future))
        if skewed:
            self._attempt(np.array([max(now, newest)]), np.array([float(Health.SKEWED)]))
        return Added(rows, late, dropped, skewed)

    def forget(self, before: float) -> int:
        """Forget rows older than `before`; returns how many columns went with them."""
        times, attempts = self.times, self.attempts
        if len(times) and times[0] < before:
            gone = int(times.searchsorted(before))
            for rows in (self._times, self._value, self._watched, self._growth):
                if rows is not None:
                    rows.trim(gone)
        if len(attempts) and attempts[0] < before:
            old = int(attempts.searchsorted(before))
            self._attempts.trim(old)
            self._health.trim(old)
        self._adds += 1
        if self._adds % _HOUSEKEEPING:
            return 0
        kept = np.flatnonzero(self._seen_at >= before)
        unseen = len(self.series) - len(kept)
        if unseen:
            self._keep(kept)
        return unseen

    def _attempt(self, times: Floats, health: Floats) -> None:
        self._attempts.extend(times)
        self._health.extend(health)

    def _extend(self, block: Block, room: int) -> tuple[int, int]:
        takes, columns, up = self._placed(block.series, room)
        values = block.values
        if not np.isfinite(values.sum()):
            values = np.where(np.isfinite(values), values, np.nan)
        wanted = values if len(takes) == values.shape[1] else values[:, takes]
        ups = values[:, up] if up >= 0 else np.full(len(block.times), np.nan)
        answered = np.ones(len(wanted), dtype=bool) if whole(wanted) else ~np.isnan(wanted).all(axis=1)
        good = np.where(np.isnan(ups), answered & bool(wanted.shape[1]), ups > 0)
        tried = good | ~np.isnan(ups)
        health = np.where(good, float(Health.GOOD), float(Health.DOWN))
        before = np.concatenate([self.health[-1:] if len(self._health) else [Health.DOWN], health[tried]])[
            :-1
        ]
        self._attempt(block.times[tried], health[tried])
        if good.any():
            rows = wanted if good.all() else wanted[good]
            if not self._in_order:
                placed = np.full((len(rows), len(self.series)), np.nan)
                placed[:, columns] = rows
                rows = placed
            self._append(block.times[good], rows, before[good[tried]] == Health.GOOD)
        return int(tried.sum()), len(block.series) - len(takes) - (up >= 0)

    def _append(self, times: Floats, rows: Floats, watched: Bools) -> None:
        """Rows of scrapes that worked. `watched[T]`: the scrape before worked too."""
        prior = self._last
        if np.isnan(prior).any():
            self._bear(times, rows, watched)
        self._times.extend(times)
        self._value.extend(rows)
        self._watched.extend(watched.astype(np.float64))
        if self._growth is not None:
            self._growth.add(times, rows, watched, float(self.times[0]))
        if whole(rows[-1]):
            self._last, self._seen_at = rows[-1].copy(), np.full(len(prior), times[-1])
            return
        present = ~np.isnan(rows)
        seen = present.any(axis=0)
        last = len(times) - 1 - present[::-1].argmax(axis=0)
        self._last = np.where(seen, np.take_along_axis(rows, last[None], axis=0)[0], prior)
        self._seen_at = np.where(seen, times[last], self._seen_at)

    def _bear(self, times: Floats, rows: Floats, watched: Bools) -> None:
        """Columns that had no sample before have one."""
        new = np.flatnonzero(np.isnan(self._last))
        there = ~np.isnan(rows[:, new])
        at = there.argmax(axis=0)
        born, at = new[there.any(axis=0)], at[there.any(axis=0)]
        self.first_seen[born] = np.minimum(self.first_seen[born], times[at])
        self.known_from[born] = np.where(watched[at], -math.inf, times[at])

    def _counted(self) -> Growth:
        """What counters grew: worked out from the first time that somebody asks for it, as nobody does of gauges."""
        if self._growth is None:
            rows, times = self.value, self.times
            before = np.full(len(self.series), np.nan)
            if len(rows):
                # What they had before the oldest row is forgotten: these did not begin in it.
                older = np.flatnonzero(self.first_seen < times[0])
                there = ~np.isnan(rows[:, older])
                before[older] = rows[there.argmax(axis=0), older]
            self._growth = Growth(before)
            if len(rows):
                self._growth.add(times, rows, self._watched.view > 0, float(times[0]))
        return self._growth

    def _placed(
        self, series: tuple[Series, ...], room: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
        """Which of the block's columns are taken, where they go, and which one is `up` (-1: none)."""
        kept = self._cached
        if (
            kept is not None
            and (not self.truncated or room <= 0)
            and (kept[0] is series or kept[0] == series)
        ):
            return kept[1:]
        up = next((index for index, item in enumerate(series) if item.name == UP), -1)
        takes: list[int] = []
        columns: list[int] = []
        for index, item in enumerate(series):
            if index == up:
                continue
            column = self._columns.get(item)
            if column is None:
                if room <= 0:
                    continue
                room -= 1
                column = self._columns[item] = len(self.series)
                self.series.append(item)
                self.named.setdefault(item.name, []).append(column)
            takes.append(index)
            columns.append(column)
        self.truncated = len(takes) + (up >= 0) < len(series)
        if len(self.series) != len(self._last):
            self._widen(len(self.series))
        self._in_order = columns == list(range(len(self.series)))
        placed = (np.array(takes, dtype=np.intp), np.array(columns, dtype=np.intp), up)
        self._cached = (series, *placed)
        return placed

    def _widen(self, width: int) -> None:
        added = width - len(self._last)
        self._value.widen(width)
        if self._growth is not None:
            self._growth.widen(width)
        self._last = np.concatenate([self._last, np.full(added, np.nan)])
        self.known_from = np.concatenate([self.known_from, np.full(added, math.inf)])
        self.first_seen = np.concatenate([self.first_seen, np.full(added, math.inf)])
        self._seen_at = np.concatenate([self._seen_at, np.full(added, -math.inf)])
        self.layout += 1

    def _keep(self, columns: NDArray[np.intp]) -> None:
        self._value.keep_columns(columns)
        if self._growth is not None:
            self._growth.keep_columns(columns)
        self.series = [self.series[column] for column in columns]
        self._columns = {item: column for column, item in enumerate(self.series)}
        self.named = {}
        for column, item in enumerate(self.series):
            self.named.setdefault(item.name, []).append(column)
        self._last = self._last[columns]
        self.known_from = self.known_from[columns]
        self._seen_at, self.first_seen = self._seen_at[columns], self.first_seen[columns]
        self._cached = None
        self.layout += 1


def _medians(spacings: Floats, ends: NDArray[np.intp]) -> Floats:
    """Medians of the spacings before each of `ends`. Where most are alike, what they are is the median too."""
    first, last = max(int(ends[0]) - _SPACINGS + 1, 0), int(ends[-1])
    usual = float(np.median(spacings[first:last]))
    alike = np.concatenate([[0], np.cumsum(np.abs(spacings[:last] - usual) <= _ALIKE * usual)])
    begins = np.maximum(ends - _SPACINGS + 1, 0)
    found = np.full(len(ends), usual)
    unlike = np.flatnonzero(2 * (alike[ends] - alike[begins]) <= ends - begins)
    full = unlike[ends[unlike] - begins[unlike] == _SPACINGS - 1]
    if len(full):
        found[full] = np.median(sliding_window_view(spacings, _SPACINGS - 1)[begins[full]], axis=1)
    for place in np.setdiff1d(unlike, full, assume_unique=True).tolist():
        found[place] = np.median(spacings[begins[place] : ends[place]])
    return found
