"""Signals from raw samples: exact differences, no extrapolation, and a quality for every single value.

Arithmetic is vectorised over ticks and series; live measures a block of one tick, replay of thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.burn import burn_rate
from detectors.histogram import quantiles
from detectors.layout import Columns, Part, Places, Plan, plan_of
from detectors.peers import deviations
from detectors.rings import Rings
from detectors.rule import Signal
from detectors.samples import Floats
from detectors.slope import slopes
from detectors.values import Bools, Codes, Quality, Values, whole, wide
from detectors.windows import Now, any_of, cells, largest, moment_of, smallest, summed

_NEVER = -math.inf
# An enum's members are slow to compare with arrays, their numbers are not.
_OK, _UNBORN = np.int8(Quality.OK), np.int8(Quality.UNBORN)
_NO_TRAFFIC, _TOO_FEW = np.int8(Quality.NO_TRAFFIC), np.int8(Quality.TOO_FEW)
_WARMING, _ABSENT = np.int8(Quality.WARMING), np.int8(Quality.ABSENT)
_NO_EDGE = np.int8(Quality.NO_EDGE)
_ALL: Bools = np.ones((1, 1), dtype=bool)
_NONE: Bools = np.zeros((1, 1), dtype=bool)


def measure(
    signal: Signal, rings: Rings, ticks: Floats, *, since: float | None = None, expected: Sequence[Scope] = ()
) -> Values:
    """Measure a signal at `ticks[T]` (unix seconds, ascending).

    `since`: only samples at or after this instant count (verification after an action). `expected`: scopes that
    should be there; without series they are in the result, with quality ABSENT.
    """
    if signal.kind in _DERIVED:
        return _derived(signal, rings, ticks, since, expected)
    plan = plan_of(signal, rings, expected)
    view = _View(signal, rings, plan, ticks, since)
    if signal.kind in {"gauge", "age", "probe", "promql"}:
        value = _newest(view)
        return view.values(value, np.zeros((1, 1)))
    if signal.kind == "quantile":
        return _quantile(view)
    if signal.to or signal.kind == "share_over":
        return _ratio(view)
    growth, span, warm = _growth(view, signal.window)
    view.warm = view.warm | warm
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(span > 0, growth / span, np.nan) if signal.kind == "rate" else growth
    value = np.where(warm & ~view.judged, np.nan, value)
    return view.values(value, growth)


_DERIVED = frozenset({"burn_rate", "growth", "peers"})


def _derived(
    signal: Signal, rings: Rings, ticks: Floats, since: float | None, expected: Sequence[Scope]
) -> Values:
    """Signals that are worked out from others: they take over how far those can be trusted."""

    def plain(other: Signal) -> Values:
        return measure(other, rings, ticks, since=since, expected=expected)

    if signal.kind == "burn_rate":
        return burn_rate(signal, plain, fresh_only=since is not None)
    if signal.inner is not None and signal.peering is not None:
        return deviations(signal.peering, plain(signal.inner))
    gauge = replace(signal, kind="gauge", window=0.0, widen_to=0.0)
    found = plain(gauge)
    value, warm = slopes(signal, plan_of(gauge, rings, expected), moment_of(rings, ticks, since))
    return replace(
        found, value=value, quality=np.where(warm & (found.quality == _OK), _WARMING, found.quality)
    )


class _Piece:
    """What one ring contributes, one role of it. `present[T, C]`: columns with a sample; `any[T, K]`: slots with one;
    `here[T, K]`: those in a ring that can be used. One column stands for all where nothing is missing.
    """

    def __init__(self, part: Part, now: Now, columns: Columns) -> None:
        self.ring, self.now, self.columns = part.ring, now, columns
        self.value = cells(part.ring.value, now.row, columns)
        self.present: Bools = _ALL if whole(self.value) else ~np.isnan(self.value)
        self.any: Bools = any_of(self.present, columns)
        self.here: Bools = self.any & now.usable[:, None]

    @cached_property
    def grown(self) -> Floats:
        """`[T, C]`: growth since the columns began."""
        return cells(self.ring.growth, self.now.row, self.columns)


class _View:
    """One measurement in the making: state of each part now, and what of every scope is known.

    Arrays are `[T, S]`, or `[T, 1]` while they say the same of every scope.
    """

    def __init__(self, signal: Signal, rings: Rings, plan: Plan, ticks: Floats, since: float | None) -> None:
        self.signal = signal
        self.plan = plan
        self.ticks = ticks
        self.since = since
        self.shape = (len(ticks), len(plan.scopes))
        same = (len(ticks), 1)
        self.bad: Codes = np.zeros(same, dtype=np.int8)
        self.there: Bools = np.zeros(same, dtype=bool)
        self.judged = np.zeros(self.shape, dtype=bool) if self.counts_growth else _NONE
        """Some healthy target with a whole window spoke."""
        self.warm: Bools = np.zeros(same, dtype=bool)
        self.observed_at = np.full(same, np.inf)
        self.last_change = np.full(self.shape, _NEVER) if self.counts_growth else np.full(same, _NEVER)
        self.moving = np.zeros(self.shape if self.counts_growth else same, dtype=bool)
        self.fresh: Bools = np.ones(same, dtype=bool)
        self.few: Codes = np.zeros(same, dtype=np.int8)
        self.born = np.full(len(plan.scopes), np.inf)
        self.born[plan.wanted] = _NEVER
        self.moment = moment_of(rings, ticks, since)
        self.of: list[_Piece] = []
        self.to: list[_Piece] = []
        for part in plan.parts:
            if len(part.ring.times):
                self._look(part, self.moment.now[id(part.ring)])

    def combined(self, have: NDArray[Any], new: NDArray[Any], slots: Places, how: np.ufunc) -> NDArray[Any]:
        """`how(have, new)` at these slots; one column as long as every scope is told the same."""
        if isinstance(slots, slice) and slots.stop - slots.start == self.shape[1]:
            return how(have, new)  # type: ignore[no-any-return]  # a ufunc's result is untyped
        if have.shape != self.shape:
            have = np.array(wide(have, self.shape))
        have[:, slots] = how(have[:, slots], new)
        return have

    def _look(self, part: Part, now: Now) -> None:
        """Who is present in this part, and in what state it is."""
        if part.to:
            self.to.append(_Piece(part, now, part.to))
            self._look_at_role(self.to[-1], decides=True)
        if part.of:
            self.of.append(_Piece(part, now, part.of))
            if self.signal.kind != "quantile":
                self._look_at_role(self.of[-1], decides=not self.counts_attempts)
            if self.counts_growth:
                self._look_at_change(self.of[-1])
        if self.signal.kind == "share_over" and part.to:
            self._look_for_edges(self.of[-1] if part.of else None, self.to[-1])

    def _look_at_role(self, piece: _Piece, *, decides: bool) -> None:
        """`decides`: a scope is there when this role is; a missing numerator is no growth, its dead target is."""
        now, columns = piece.now, piece.columns
        slots = columns.slots
        present = piece.any & now.alive[:, None]
        if decides:
            self.there = self.combined(self.there, present, slots, np.logical_or)
            first = smallest(piece.ring.first_seen[columns.index], columns)
            self.born[slots] = np.minimum(self.born[slots], first)
        code = np.where(present, now.quality[:, None], _OK)
        self.bad = self.combined(self.bad, code, slots, np.maximum)
        seen = np.where(present, now.at[:, None], np.inf)
        self.observed_at = self.combined(self.observed_at, seen, slots, np.minimum)

    def _look_for_edges(self, good: _Piece | None, told: _Piece) -> None:
        """Events in a scrape that lacks their bucket at the bound: all of them would count as slow."""
        if good is not None and good.present is _ALL and good.columns.count == told.columns.count:
            return
        there = [np.zeros(self.shape), np.zeros(self.shape)]
        for piece, count in zip((good, told), there, strict=True):
            if piece is not None:
                present = wide(piece.present, (len(self.ticks), piece.columns.count)).astype(np.float64)
                count[:, piece.columns.slots] = summed(present, piece.columns)
        lacks = (there[0] < there[1]) & told.now.alive[:, None]
        self.bad = np.where(lacks, np.maximum(self.bad, _NO_EDGE), self.bad)

    def _look_at_change(self, piece: _Piece) -> None:
        now, columns, ring = piece.now, piece.columns, piece.ring
        before = np.maximum(now.row - 1, now.first)
        grew = largest(cells(ring.grew_at, now.row, columns), columns)
        step = summed(piece.grown - cells(ring.growth, before, columns), columns)
        floor = _NEVER
        if self.since is not None and now.first < len(ring.times):
            floor = float(ring.times[now.first])
        slots = columns.slots
        self.moving[:, slots] |= (step > 0) & now.usable[:, None]
        there = (now.alive | now.gone)[:, None]
        known = np.where(there & np.isfinite(grew), np.maximum(grew, floor), _NEVER)
        self.last_change[:, slots] = np.maximum(self.last_change[:, slots], known)

    @property
    def counts_attempts(self) -> bool:
        return self.signal.kind in {"ratio", "share_over", "quantile"}

    @property
    def counts_growth(self) -> bool:
        return self.signal.kind in {"rate", "increase"}

    def judge_events(self, events: Floats) -> None:
        """Whether there are enough to judge by."""
        few = np.where(events < self.signal.events, _TOO_FEW, _OK)
        self.few = np.where(events > 0, few, _NO_TRAFFIC)

    def values(self, value: Floats, events: Floats) -> Values:
        """Close the measurement: one quality per cell, the most telling first."""
        quality = np.where(self.bad > 0, self.bad, np.where(self.warm, _WARMING, self.few))
        if not self.there.all():
            worst = self.moment.worst[:, None]
            missing = np.where(worst > 0, worst, _ABSENT)
            missing = np.where(self.ticks[:, None] < self.born, _UNBORN, missing)
            quality = np.where(self.there, quality, missing)
            value = np.where(self.there, value, np.nan)
        last_change = np.full((1, 1), np.nan)
        if self.counts_growth:
            # A scope that nobody expected stands still since it was first seen, not since anybody looked.
            since = np.maximum(self.last_change, self.born)
            last_change = np.where(np.isfinite(self.last_change), since, np.nan)
        observed_at = np.where(np.isfinite(self.observed_at), self.observed_at, np.nan)
        return Values(
            scopes=self.plan.scopes,
            value=wide(value, self.shape),
            events=wide(events, self.shape),
            quality=wide(quality, self.shape),
            observed_at=wide(observed_at, self.shape),
            last_change=wide(last_change, self.shape),
            moving=wide(self.moving, self.shape),
            fresh=wide(self.fresh, self.shape),
            interval=self.moment.interval,
        )


def _grown(view: _View, pieces: Sequence[_Piece], window: float, slots: int) -> tuple[Floats, Bools]:
    """(growth, warm) `[T, slots]` of a role over one window."""
    total = np.zeros((len(view.ticks), slots))
    warm = np.zeros(total.shape, dtype=bool)
    for piece in pieces:
        ring, columns = piece.ring, piece.columns
        base = view.moment.base(ring, window)
        growth = summed(piece.grown - cells(ring.growth, base.row, columns), columns)
        unsure = piece.present & (ring.known_from[columns.index] > base.at[:, None])
        total[:, columns.slots] += np.where(base.ok[:, None], growth, 0.0)
        sure = base.ok & base.whole if view.signal.kind == "increase" else base.ok
        unknown = any_of(unsure, columns) & piece.now.usable[:, None]
        warm[:, columns.slots] |= (piece.here & ~sure[:, None]) | unknown
    return total, warm


def _growth(view: _View, window: float) -> tuple[Floats, Floats, Bools]:
    """(growth, covered span, warm) over one window."""
    total, warm = _grown(view, view.of, window, view.shape[1])
    span = np.zeros(view.shape)
    for piece in view.of:
        base, slots = view.moment.base(piece.ring, window), piece.columns.slots
        covered = np.where(base.ok, piece.ring.times[piece.now.row] - base.at, 0.0)
        span[:, slots] = np.maximum(span[:, slots], covered[:, None])
        view.judged[:, slots] |= piece.here & base.ok[:, None]
    return total, span, warm


def _parts_of_ratio(view: _View, window: float) -> tuple[Floats, Floats, Bools]:
    """(failures, attempts, warm) over one window."""
    of, warm_of = _grown(view, view.of, window, view.shape[1])
    to, warm_to = _grown(view, view.to, window, view.shape[1])
    failures = to - of if view.signal.kind == "share_over" else of
    warm: Bools = warm_of | warm_to
    return np.maximum(failures, 0.0), to, warm


def _ratio(view: _View) -> Values:
    """Failures per attempt. Too few attempts double the window, up to `widen_to`, one scope at a time."""
    signal = view.signal
    failures, attempts, warm = _parts_of_ratio(view, signal.window)
    decided = attempts > 0
    newest_failed = failures > 0
    window = signal.window
    while window < signal.widen_to and bool(((attempts < signal.events) & view.there & ~warm).any()):
        window = min(2 * window, signal.widen_to)
        more_failures, more_attempts, more_warm = _parts_of_ratio(view, window)
        wider = (attempts < signal.events) & ~warm & ~more_warm
        failures = np.where(wider, more_failures, failures)
        attempts = np.where(wider, more_attempts, attempts)
        newest_failed = np.where(wider & ~decided, more_failures > 0, newest_failed)
        decided |= wider & (more_attempts > 0)
        view.fresh = np.where(wider, newest_failed, view.fresh)
    view.warm = view.warm | warm
    view.judge_events(attempts)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where((attempts > 0) & ~warm, failures / attempts, np.nan)
    return view.values(value, attempts)


def _quantile(view: _View) -> Values:
    """As `histogram_quantile` reckons, over exact growth."""
    signal, plan = view.signal, view.plan
    width = plan.edges.shape[1]
    window = signal.window
    value, events, warm = _quantile_over(view, window, width)
    while window < signal.widen_to and bool(((events < signal.events) & view.there & ~warm).any()):
        window = min(2 * window, signal.widen_to)
        more, more_events, more_warm = _quantile_over(view, window, width)
        wider = (events < signal.events) & ~warm & ~more_warm
        value, events = np.where(wider, more, value), np.where(wider, more_events, events)
    view.warm = view.warm | warm
    view.judge_events(events)
    return view.values(np.where(warm, np.nan, value), events)


def _quantile_over(view: _View, window: float, width: int) -> tuple[Floats, Floats, Bools]:
    times, scopes = view.shape
    counts, warm = _grown(view, view.of, window, scopes * width)
    if width == 0:
        return np.full(view.shape, np.nan), np.zeros(view.shape), np.zeros(view.shape, dtype=bool)
    counts = counts.reshape(times, scopes, width)
    value, events = np.empty(view.shape), np.empty(view.shape)
    born = _edges_born(view).reshape(scopes, width)
    later = np.unique(born[(born > view.ticks[0]) & (born <= view.ticks[-1])])
    begins = [0, *view.ticks.searchsorted(later).tolist(), times]
    for begin, end in pairwise(begins):
        edges, part = view.plan.edges, counts[begin:end]
        known = born <= view.ticks[min(begin, times - 1)]
        if not (known | np.isinf(edges)).all():
            # An edge that nobody has seen yet divides no bucket.
            order = np.argsort(~known, axis=1, kind="stable")
            edges = np.take_along_axis(np.where(known, edges, math.inf), order, axis=1)
            part = np.take_along_axis(part, order[None], axis=2)
        stacked = np.maximum.accumulate(part, axis=2)
        value[begin:end] = quantiles(stacked, edges, view.signal.q)
        events[begin:end] = stacked[:, :, -1]
    unsure: Bools = np.logical_or.reduce(warm.reshape(times, scopes, width), axis=2)
    return value, events, unsure


def _edges_born(view: _View) -> Floats:
    """Unix seconds of the first sample of each bucket edge, inf for none: `[scopes * edges]`."""
    born = np.full(view.plan.edges.size, np.inf)
    for piece in view.of:
        columns = piece.columns
        first = smallest(piece.ring.first_seen[columns.index], columns)
        born[columns.slots] = np.minimum(born[columns.slots], first)
    return born


_EMPTY = {"max": _NEVER, "min": math.inf, "sum": 0.0, "avg": 0.0}


def _newest(view: _View) -> Floats:
    """The newest values combined by the signal's `agg`; for `age`, seconds since the newest instant."""
    signal = view.signal
    agg = "max" if signal.kind == "age" else signal.agg
    combine = {"max": np.maximum, "min": np.minimum}.get(agg, np.add)
    total, count = np.full((len(view.ticks), 1), _EMPTY[agg]), np.zeros((len(view.ticks), 1))
    for piece in view.of:
        columns, slots = piece.columns, piece.columns.slots
        present = piece.present & piece.now.alive[:, None]
        known = piece.value if present.all() else np.where(present, piece.value, _EMPTY[agg])
        best = known if columns.single else combine.reduceat(known, columns.starts, axis=1)
        total = view.combined(total, best, slots, combine)
        seen = any_of(present, columns).astype(np.float64)
        if agg == "avg" and not columns.single:
            seen = summed(wide(present, known.shape).astype(np.float64), columns)
        count = view.combined(count, seen, slots, np.add)
    if agg == "avg":
        with np.errstate(invalid="ignore", divide="ignore"):
            total = total / count
    if not count.all():
        total = np.where(count > 0, total, np.nan)
    return view.ticks[:, None] - total if signal.kind == "age" else total
