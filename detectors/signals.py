"""Signals from raw samples: exact differences, no extrapolation, and a quality for every single value.

Arithmetic is vectorised over ticks and series; live measures a block of one tick, replay of thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.histogram import quantiles
from detectors.layout import Columns, Part, Plan, plan_of
from detectors.rings import Rings
from detectors.rule import Signal
from detectors.samples import Floats
from detectors.values import Bools, Quality, Values
from detectors.windows import Now, any_of, cells, largest, moment_of, summed

_NEVER = -math.inf
_OK = np.int8(Quality.OK)


def measure(
    signal: Signal, rings: Rings, ticks: Floats, *, since: float | None = None, expected: Sequence[Scope] = ()
) -> Values:
    """Measure a signal at `ticks[T]` (unix seconds, ascending).

    `since`: only samples at or after this instant count (verification after an action). `expected`: scopes that
    should be there; without series they are in the result, with quality ABSENT.
    """
    plan = plan_of(signal, rings, expected)
    view = _View(signal, rings, plan, ticks, since)
    if signal.kind in {"gauge", "age", "probe", "promql"}:
        value = _newest(view)
        return view.values(value, np.zeros(view.shape))
    if signal.kind == "quantile":
        return _quantile(view)
    if signal.to or signal.kind == "share_over":
        return _ratio(view)
    growth, span, warm = _growth(view, signal.window)
    view.warm |= warm
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(span > 0, growth / span, np.nan) if signal.kind == "rate" else growth
    value = np.where(warm & ~view.judged, np.nan, value)
    return view.values(value, growth)


class _View:
    """One measurement in the making: state of each part now, and what of every scope is known. Arrays `[T, S]`."""

    def __init__(self, signal: Signal, rings: Rings, plan: Plan, ticks: Floats, since: float | None) -> None:
        self.signal = signal
        self.plan = plan
        self.ticks = ticks
        self.since = since
        self.shape = (len(ticks), len(plan.scopes))
        self.bad = np.zeros(self.shape, dtype=np.int8)
        self.there = np.zeros(self.shape, dtype=bool)
        self.judged = np.zeros(self.shape, dtype=bool)
        """Some healthy target with a whole window spoke."""
        self.warm = np.zeros(self.shape, dtype=bool)
        self.observed_at = np.full(self.shape, np.inf)
        self.last_change = np.full(self.shape, _NEVER)
        self.moving = np.zeros(self.shape, dtype=bool)
        self.fresh = np.ones(self.shape, dtype=bool)
        self.few = np.zeros(self.shape, dtype=np.int8)
        self.born = np.full(len(plan.scopes), np.inf)
        self.born[plan.wanted] = _NEVER
        self.moment = moment_of(rings, ticks, since)
        self.parts = [(part, self.moment.now[id(part.ring)]) for part in plan.parts if len(part.ring.times)]
        self.usable: list[Bools] = []
        for part, now in self.parts:
            self._look(part, now)

    def _look(self, part: Part, now: Now) -> None:
        """Who is present in this part, and in what state it is."""
        usable = (now.quality == _OK) & (now.row >= 0)
        self.usable.append(usable)
        if part.to:
            self._look_at_role(part, now, part.to, decides=True)
        if part.of and self.signal.kind != "quantile":
            self._look_at_role(part, now, part.of, decides=not self.counts_attempts)
        if part.of and self.signal.kind in {"rate", "increase"}:
            self._look_at_change(part, now, usable)

    def _look_at_role(self, part: Part, now: Now, role: Columns, *, decides: bool) -> None:
        """`decides`: a scope is there when this role is; a missing numerator is no growth, its dead target is."""
        present = any_of(~np.isnan(cells(part.ring.value, now.row, role)), role)
        present &= ((now.row >= 0) & ~now.gone)[:, None]
        slots = role.slots
        if decides:
            self.there[:, slots] |= present
            first = np.minimum.reduceat(part.ring.first_seen[role.index], role.starts)
            self.born[slots] = np.minimum(self.born[slots], first)
        code = np.where(present, now.quality[:, None], np.int8(0))
        self.bad[:, slots] = np.maximum(self.bad[:, slots], code)
        seen = np.where(present, now.at[:, None], np.inf)
        self.observed_at[:, slots] = np.minimum(self.observed_at[:, slots], seen)

    def _look_at_change(self, part: Part, now: Now, usable: Bools) -> None:
        row = np.maximum(now.row, 0)
        before = np.maximum(row - 1, now.first)
        grew = largest(cells(part.ring.grew_at, row, part.of), part.of)
        step = summed(
            cells(part.ring.growth, row, part.of) - cells(part.ring.growth, before, part.of), part.of
        )
        floor = _NEVER
        if self.since is not None and now.first < len(part.ring.times):
            floor = float(part.ring.times[now.first])
        slots = part.of.slots
        self.moving[:, slots] |= (step > 0) & usable[:, None]
        known = np.where((now.row >= 0)[:, None] & np.isfinite(grew), np.maximum(grew, floor), _NEVER)
        self.last_change[:, slots] = np.maximum(self.last_change[:, slots], known)

    @property
    def counts_attempts(self) -> bool:
        return self.signal.kind in {"ratio", "share_over", "quantile"}

    def values(self, value: Floats, events: Floats) -> Values:
        """Close the measurement: one quality per cell, the most telling first."""
        quality = np.where(self.warm, np.int8(Quality.WARMING), self.few)
        missing = np.where(
            self.moment.worst[:, None] > 0, self.moment.worst[:, None], np.int8(Quality.ABSENT)
        )
        missing = np.where(self.ticks[:, None] < self.born, np.int8(Quality.UNBORN), missing)
        quality = np.where(self.there, quality, missing)
        quality = np.where(self.there & (self.bad > 0), self.bad, quality)
        quality = np.where(self.there & ~self.plan.has_edge, np.int8(Quality.NO_EDGE), quality)
        return Values(
            scopes=self.plan.scopes,
            value=np.where(self.there, value, np.nan),
            events=events,
            quality=quality.astype(np.int8),
            observed_at=np.where(np.isfinite(self.observed_at), self.observed_at, np.nan),
            # A scope that nobody expected stands still since it was first seen, not since anybody looked.
            last_change=np.where(
                np.isfinite(self.last_change), np.maximum(self.last_change, self.born), np.nan
            ),
            moving=self.moving,
            fresh=self.fresh,
            interval=self.moment.interval,
        )


def _grown(view: _View, role: str, window: float, slots: int) -> tuple[Floats, Floats, Bools, Bools]:
    """(growth, covered span, warm, judged) `[T, slots]` of a role over one window."""
    shape = (len(view.ticks), slots)
    total, span = np.zeros(shape), np.zeros(shape)
    warm, judged = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for (part, now), usable in zip(view.parts, view.usable, strict=True):
        columns: Columns = getattr(part, role)
        if not columns:
            continue
        ring = part.ring
        base = view.moment.base(ring, window)
        ok = base.ok & usable
        row = np.maximum(now.row, 0)
        growth = cells(ring.growth, row, columns) - cells(ring.growth, base.row, columns)
        present = ~np.isnan(cells(ring.value, row, columns))
        unsure = present & (ring.known_from[columns.index] > ring.times[base.row][:, None])
        total[:, columns.slots] += np.where(ok[:, None], summed(growth, columns), 0.0)
        covered = np.where(ok, ring.times[row] - ring.times[base.row], 0.0)
        span[:, columns.slots] = np.maximum(span[:, columns.slots], covered[:, None])
        here = any_of(present, columns) & usable[:, None]
        sure = ok & (base.whole | (view.signal.kind != "increase"))
        warm[:, columns.slots] |= (here & ~sure[:, None]) | (any_of(unsure, columns) & usable[:, None])
        judged[:, columns.slots] |= here & ok[:, None]
    return total, span, warm, judged


def _growth(view: _View, window: float) -> tuple[Floats, Floats, Bools]:
    total, span, warm, judged = _grown(view, "of", window, view.shape[1])
    view.judged |= judged
    return total, span, warm


def _parts_of_ratio(view: _View, window: float) -> tuple[Floats, Floats, Bools]:
    """(failures, attempts, warm) over one window."""
    of, _, warm_of, _ = _grown(view, "of", window, view.shape[1])
    to, _, warm_to, _ = _grown(view, "to", window, view.shape[1])
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
    view.warm |= warm
    view.few[(attempts < signal.events) | (attempts <= 0)] = Quality.TOO_FEW
    view.few[attempts <= 0] = Quality.NO_TRAFFIC
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
    view.warm |= warm
    view.few[events < signal.events] = Quality.TOO_FEW
    view.few[events <= 0] = Quality.NO_TRAFFIC
    return view.values(np.where(warm, np.nan, value), events)


def _quantile_over(view: _View, window: float, width: int) -> tuple[Floats, Floats, Bools]:
    times, scopes = view.shape
    counts, _, warm, _ = _grown(view, "of", window, scopes * width)
    if width == 0:
        return np.full(view.shape, np.nan), np.zeros(view.shape), np.zeros(view.shape, dtype=bool)
    stacked = np.maximum.accumulate(counts.reshape(times, scopes, width), axis=2)
    value = quantiles(stacked, view.plan.edges, view.signal.q)
    unsure: Bools = np.logical_or.reduce(warm.reshape(times, scopes, width), axis=2)
    return value, stacked[:, :, -1], unsure


_EMPTY = {"max": _NEVER, "min": math.inf, "sum": 0.0, "avg": 0.0}


def _newest(view: _View) -> Floats:
    """The newest values combined by the signal's `agg`; for `age`, seconds since the newest instant."""
    signal = view.signal
    agg = "max" if signal.kind == "age" else signal.agg
    combine = {"max": np.maximum, "min": np.minimum}.get(agg, np.add)
    total = np.full(view.shape, _EMPTY[agg])
    count = np.zeros(view.shape)
    for part, now in view.parts:
        columns = part.of
        alive = (now.row >= 0) & ~now.gone
        rows = cells(part.ring.value, np.maximum(now.row, 0), columns)
        present = ~np.isnan(rows) & alive[:, None]
        filled = np.where(present, rows, _EMPTY[agg])
        slots: NDArray[np.intp] = columns.slots
        total[:, slots] = combine(total[:, slots], combine.reduceat(filled, columns.starts, axis=1))
        count[:, slots] += summed(present.astype(np.float64), columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(count > 0, total / count if agg == "avg" else total, np.nan)
    return view.ticks[:, None] - total if signal.kind == "age" else total
