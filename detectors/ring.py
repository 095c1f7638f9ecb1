"""Raw samples kept for as long as a signal looks back, with counter growth worked out once, on arrival.

A counter's growth is exact: the difference of real samples. A drop below half of the last value is a restart (the
new value is all growth); a smaller dip is a glitch and adds nothing, and what follows it is measured from the value
before it, unless the counter stays down. A series that appears in a scrape whose
predecessor worked, and did not have it, started at 0; appearing after a gap, or first thing, its start is unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from detectors.buffer import Buffer
from detectors.samples import UP, Block, Floats, Labels, Series

RESET_BELOW = 0.5
"""A counter below this share of its last value has restarted; above it, it glitched."""
MAX_SKEW = 30.0
"""Seconds a sample may lie in the future."""
DEFAULT_INTERVAL = 15.0
_SPACINGS = 32
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

    `value[R, C]` as scraped, NaN where absent; `growth[R, C]` counter growth since the column began;
    `grew_at[R, C]` instant of the last growth; `known_from[C]` the instant from which growth is known, `first_seen[C]` of
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
        self._value, self._growth = Buffer(0), Buffer(0, 0.0)
        self._grew_at = Buffer(0, -math.inf)
        self._last, self._top = np.empty(0), np.empty(0)
        self.known_from: Floats = np.empty(0)
        self.first_seen: Floats = np.empty(0)
        self._seen_at = np.empty(0)
        self._cached: tuple[tuple[Series, ...], NDArray[np.intp], NDArray[np.intp], int] | None = None
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
        return self._growth.view

    @property
    def grew_at(self) -> Floats:
        return self._grew_at.view

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
        if len(attempts) < 3:
            return DEFAULT_INTERVAL
        if self._interval is None or self._interval[0] != attempts[-1]:
            self._interval = (float(attempts[-1]), float(np.median(np.diff(attempts[-_SPACINGS:]))))
        return self._interval[1]

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
            for buffer in (self._times, self._value, self._growth, self._grew_at):
                buffer.trim(gone)
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
        values = np.where(np.isfinite(block.values), block.values, np.nan)
        wanted = values[:, takes]
        ups = values[:, up] if up >= 0 else np.full(len(block.times), np.nan)
        good = np.where(np.isnan(ups), ~np.isnan(wanted).all(axis=1), ups > 0)
        tried = good | ~np.isnan(ups)
        health = np.where(good, float(Health.GOOD), float(Health.DOWN))
        before = np.concatenate([self.health[-1:] if len(self._health) else [Health.DOWN], health[tried]])[
            :-1
        ]
        self._attempt(block.times[tried], health[tried])
        if good.any():
            rows = np.full((int(good.sum()), len(self.series)), np.nan)
            rows[:, columns] = wanted[good]
            self._grow(block.times[good], rows, watched=before[good[tried]] == Health.GOOD)
        return int(tried.sum()), len(block.series) - len(takes) - (up >= 0)

    def _grow(self, times: Floats, rows: Floats, *, watched: NDArray[np.bool_]) -> None:
        """Append good rows and the growth they bring. `watched[T]`: the scrape before was good."""
        known = carried(self._last, rows)
        prior = known[:-1]
        first = np.isnan(prior) & ~np.isnan(rows)
        with np.errstate(invalid="ignore"):
            restarted = rows < RESET_BELOW * prior
            dipped = (rows < prior) & ~restarted
            top = carried(self._top, np.where(dipped, prior, rows))
            high = top[:-1]
            step = np.where(rows >= high, rows - high, np.maximum(rows - prior, 0.0))
            step = np.where(restarted, rows, step)
        step = np.where(first & watched[:, None], rows, step)
        step = np.where(np.isnan(step), 0.0, step)
        changed = np.where(step > 0, times[:, None], -math.inf)
        if first.any():
            began = self.times[0] if len(self._times) else times[0]
            changed = np.where(first & (step <= 0), np.where(watched, began, times)[:, None], changed)
            self._bear(times, first, watched)
        if len(self._times):
            totals, changes = self.growth[-1], self.grew_at[-1]
        else:
            totals, changes = np.zeros(rows.shape[1]), np.full(rows.shape[1], -math.inf)
        self._times.extend(times)
        self._value.extend(rows)
        self._growth.extend(totals + np.cumsum(step, axis=0))
        self._grew_at.extend(np.maximum.accumulate(np.maximum(changed, changes), axis=0))
        self._last, self._top = known[-1], top[-1]
        present = ~np.isnan(rows)
        seen = present.any(axis=0)
        self._seen_at[seen] = times[len(times) - 1 - present[::-1].argmax(axis=0)][seen]

    def _bear(self, times: Floats, first: NDArray[np.bool_], watched: NDArray[np.bool_]) -> None:
        """`first[T, C]`: a column that had no sample before has one."""
        born = first.any(axis=0)
        at = first.argmax(axis=0)
        self.first_seen[born] = np.minimum(self.first_seen, times[at])[born]
        self.known_from[born] = np.where(watched[at], -math.inf, times[at])[born]

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
        placed = (np.array(takes, dtype=np.intp), np.array(columns, dtype=np.intp), up)
        self._cached = (series, *placed)
        return placed

    def _widen(self, width: int) -> None:
        added = width - len(self._last)
        for buffer in (self._value, self._growth, self._grew_at):
            buffer.widen(width)
        self._last = np.concatenate([self._last, np.full(added, np.nan)])
        self._top = np.concatenate([self._top, np.full(added, np.nan)])
        self.known_from = np.concatenate([self.known_from, np.full(added, math.inf)])
        self.first_seen = np.concatenate([self.first_seen, np.full(added, math.inf)])
        self._seen_at = np.concatenate([self._seen_at, np.full(added, -math.inf)])
        self.layout += 1

    def _keep(self, columns: NDArray[np.intp]) -> None:
        for buffer in (self._value, self._growth, self._grew_at):
            buffer.keep_columns(columns)
        self.series = [self.series[column] for column in columns]
        self._columns = {item: column for column, item in enumerate(self.series)}
        self.named = {}
        for column, item in enumerate(self.series):
            self.named.setdefault(item.name, []).append(column)
        self._last, self._top = self._last[columns], self._top[columns]
        self.known_from = self.known_from[columns]
        self._seen_at, self.first_seen = self._seen_at[columns], self.first_seen[columns]
        self._cached = None
        self.layout += 1


def carried(before: Floats, rows: Floats) -> Floats:
    """`before[S]`, then `rows[T, S]` with each NaN replaced by the last number above it, where there is one."""
    if len(rows) > 1:
        return filled(np.vstack([before, rows]))
    found = np.empty((2, len(before)))
    found[0] = before
    found[1] = np.where(np.isnan(rows[0]), before, rows[0])
    return found


def filled(rows: Floats) -> Floats:
    """`rows[T, S]` with each NaN replaced by the last number above it, where there is one."""
    index = np.where(np.isnan(rows), 0, np.arange(len(rows))[:, None])
    np.maximum.accumulate(index, axis=0, out=index)
    return np.take_along_axis(rows, index, axis=0)
