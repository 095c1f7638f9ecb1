"""The state machine: observations in, transitions out, one tick after the other, all scopes at once.

Only what is observed moves it. UNKNOWN neither starts nor ends anything; up to 20 % of a hold may pass unobserved,
more than that is deducted whole. Any cutting of the ticks into blocks gives the same transitions.
"""

from __future__ import annotations

import numpy as np

from config.units import OfLast
from detectors.block import Block, settled
from detectors.moves import Found, Moves, gathered
from detectors.observe import BREACH, OK, UNKNOWN, Observations
from detectors.rule import FORGIVEN, Rule
from detectors.samples import Floats
from detectors.state import (
    EPSILON,
    Phase,
    State,
    TransitionState,
    aligned,
    deducted,
    part_of,
    put_back,
)
from detectors.sweep import calm, sweep
from detectors.values import Bools, Codes, Values
from detectors.windows import STALE_AFTER

_IDLE, _PENDING, _FIRING = np.int8(Phase.IDLE), np.int8(Phase.PENDING), np.int8(Phase.FIRING)
_PAUSE = 2.5
"""Steps between two ticks from which the time between them counts as unobserved."""
_WORTH_A_SWEEP = 12
"""Ticks from which on a sweep costs less than as many steps."""


def advance(
    rule: Rule, state: State, observations: Observations, values: Values, ticks: Floats
) -> tuple[State, Moves]:
    """Take in a block of ticks (`ticks[T]`, ascending, all newer than the state's). Returns a new state."""
    work = aligned(rule, state, observations.scopes)
    if not len(ticks):
        return work, gathered(rule.name, work.scopes, (), ticks, values.value)
    block = Block.of(observations, values, ticks, work.scopes)
    found = _block(rule, work, block)
    return work, gathered(rule.name, work.scopes, found, ticks, values.value)


def _block(rule: Rule, state: State, block: Block) -> list[Found]:
    """Scopes that are well known throughout are swept, the others looked at row by row."""
    smooth, steady = block.smooth(rule, state), _steady(rule, state, block.ticks)
    easy = smooth.all(axis=0) & settled(rule, state) & steady.all()
    if len(steady) == 1 and not (easy.all() and calm(state, block)):
        easy[:] = False
    found: list[Found] = []
    while easy.any():
        places = np.flatnonzero(easy)
        all_ = len(places) == len(easy)
        part, cut = (state, block) if all_ else (part_of(state, places), block.columns(places))
        news, flaps = sweep(rule, part, cut)
        if not flaps.any():
            found = [one.moved(0, places) for one in news]
            break
        easy[places[flaps]] = False
    if easy.all():
        return found
    others = np.flatnonzero(~easy)
    rest, rows = part_of(state, others), smooth[:, others].all(axis=1) & steady
    found += [one.moved(0, others) for one in _rows(rule, rest, block.columns(others), rows)]
    if easy.any():
        put_back(state, places, part)
    put_back(state, others, rest)
    return found


def _rows(rule: Rule, state: State, block: Block, smooth: Bools) -> list[Found]:
    """Step by step, but for long stretches of smooth rows."""
    found: list[Found] = []
    all_ = np.arange(len(state.scopes))
    rough = np.append(np.flatnonzero(~smooth), len(block.ticks))
    row = swept_until = 0
    while row < len(block.ticks):
        end = int(rough[np.searchsorted(rough, row)])
        if row >= swept_until and end - row >= _WORTH_A_SWEEP and settled(rule, state).all():
            swept_until = end
            news, flaps = sweep(rule, state, block.rows(row, end))
            if not flaps.any():
                found += [one.moved(row, all_) for one in news]
                row = end
                continue
        found += _Step(rule, state, block, row).run()
        row += 1
    return found


def _steady(rule: Rule, state: State, ticks: Floats) -> Bools:
    """`[T]`: no time passed unobserved before the tick."""
    before = ticks[0] if np.isnan(state.last_tick) else state.last_tick
    steady: Bools = np.diff(ticks, prepend=before) <= _PAUSE * rule.step
    steady[0] &= not state.resumed
    return steady


class _Step:
    """One tick for all scopes. The order of its parts is the order of the rules."""

    def __init__(self, rule: Rule, state: State, block: Block, row: int) -> None:
        self.rule, self.state, self.row, self.tick = rule, state, row, block.row(row)
        self.at = float(block.ticks[row])
        self.out: list[Found] = []
        last = state.last_tick
        self.passed = 0.0 if np.isnan(last) else self.at - last
        self.paused = self.passed > 0 and (state.resumed or self.passed > _PAUSE * rule.step)

    def run(self) -> list[Found]:
        state, tick, at = self.state, self.tick, self.at
        state.joined = np.where(np.isnan(state.joined) & tick.born, at, state.joined)
        here = ~np.isnan(state.joined)
        known = here & (tick.fire != UNKNOWN)
        unknown = here & ~known
        due = np.where(np.isnan(tick.observed_at), at, tick.observed_at + tick.interval)
        # One target may be missing for long while the others tell enough: it is unseen since they no longer do.
        long_known = state.last_known - STALE_AFTER * tick.interval > due
        due = np.minimum(np.maximum(np.where(long_known, state.last_known, due), state.joined), at)
        self._mind_darkness(unknown, due)
        firing = state.phase == _FIRING
        self._count_blind(known, unknown, due)
        self._pend(known)
        self._clear(firing, due)
        state.value = np.where(known & ~np.isnan(tick.value), tick.value, state.value)
        state.observed_at = np.where(np.isnan(tick.observed_at), state.observed_at, tick.observed_at)
        state.last_known = np.where(known, at, state.last_known)
        state.quality = tick.quality.copy()
        state.last_tick, state.resumed = at, False
        return self.out

    def _mind_darkness(self, unknown: Bools, due: Floats) -> None:
        """Episodes without telemetry (for a firing scope: without any knowledge), ended by lasting data."""
        state, at, hold = self.state, self.at, self.rule.no_data_for
        dark = unknown & (self.tick.dark | (state.phase == _FIRING))
        state.dark_since = np.where(dark & np.isnan(state.dark_since), due, state.dark_since)
        episode = ~np.isnan(state.dark_since)
        back = np.where(np.isnan(state.back_since), at, state.back_since)
        state.back_since = np.where(episode & ~dark, back, np.nan)
        starts = dark & ~state.no_data & (at - state.dark_since >= hold - EPSILON)
        ends = episode & ~dark & (at - back >= FORGIVEN * hold - EPSILON)
        self._emit(TransitionState.NO_DATA, starts)
        self._emit(TransitionState.DATA_BACK, ends & state.no_data)
        state.no_data = (state.no_data | starts) & ~ends
        state.dark_since = np.where(ends, np.nan, state.dark_since)
        state.back_since = np.where(ends, np.nan, state.back_since)

    def _count_blind(self, known: Bools, unknown: Bools, due: Floats) -> None:
        """Unobserved seconds: from when the first missing sample was due to the tick that knows again."""
        state = self.state
        begins = np.minimum(due, self.at - self.passed) if self.paused else due
        state.blind_from = np.where(unknown & np.isnan(state.blind_from), begins, state.blind_from)
        gap = np.where(
            np.isnan(state.blind_from), self.passed if self.paused else 0.0, self.at - state.blind_from
        )
        state.blind = np.where(known, state.blind + gap, state.blind)
        state.blind_from = np.where(known, np.nan, state.blind_from)

    def _pend(self, known: Bools) -> None:
        rule, state, tick, at = self.rule, self.state, self.tick, self.at
        idle, pending = state.phase == _IDLE, state.phase == _PENDING
        breach, fine = known & (tick.fire == BREACH), known & (tick.fire == OK)
        state.floor = np.where(tick.excused, at, state.floor)
        starts = idle & breach
        anchored = starts & ~np.isnan(tick.anchor)
        since = np.where(anchored, np.minimum(np.maximum(tick.anchor, state.floor), at), at)
        state.since = np.where(starts, since, state.since)
        state.blind = np.where(
            starts, np.where(anchored, np.minimum(state.blind, at - since), 0.0), state.blind
        )
        state.phase = np.where(starts, _PENDING, state.phase)
        pending |= starts
        ready = breach
        if rule.fire.of_last is None:
            held = _held(at - state.since, state.blind, rule.fire.hold)
            withdrawn = pending & fine
        else:
            slots = (state.fire_hits, state.fire_part)
            missing = ~known & ~np.isnan(state.joined)
            state.fire_hits, state.fire_part = self._filled(
                slots, breach, missing, rule.fire.hold, rule.fire.of_last
            )
            held = state.fire_hits.sum(axis=1) >= rule.fire.of_last.hits
            withdrawn = pending & fine & ~held & ~state.fire_hits.any(axis=1) & (state.fire_part <= 0)
            ready = known & ~tick.excused
        state.blind = np.where(fine & (withdrawn | idle), 0.0, state.blind)
        fires = pending & ready & held & ~state.no_data & ~self._coming_and_going()
        self._emit(TransitionState.PENDING, starts & ~fires)
        self._emit(TransitionState.WITHDRAWN, withdrawn)
        self._emit(TransitionState.FIRED, fires)
        self._remember(fires)
        state.phase = np.where(fires, _FIRING, state.phase)
        self._settle(withdrawn)
        self._reset_slots(fires)

    def _remember(self, fires: Bools) -> None:
        """When it fired; one firing too many within the time makes it flapping. Firings long ago are forgotten."""
        state, flap = self.state, self.rule.flap
        old = state.fired_at < self.at - flap.within
        if not fires.any() and not old.any():
            return
        recent = np.where(old, np.nan, state.fired_at)
        state.flapping = state.flapping | (fires & ~np.isnan(recent).any(axis=1))
        shifted = np.column_stack([recent[:, 1:], np.full(len(recent), self.at)])
        state.fired_at = np.where(fires[:, None], shifted, recent)

    def _coming_and_going(self) -> Bools:
        """Telemetry that comes and goes for as long as the hold: no outage starts before it stays.

        M of N slots weigh what nobody saw themselves, and over their own time alone.
        """
        state, hold = self.state, self.rule.fire.hold
        if self.rule.fire.of_last is not None:
            return np.zeros_like(state.no_data)
        with np.errstate(invalid="ignore"):
            lasted = self.at - state.dark_since >= hold - EPSILON
        unsteady: Bools = lasted & (state.blind > FORGIVEN * hold + EPSILON)
        return unsteady

    def _clear(self, firing: Bools, due: Floats) -> None:
        """The clear condition observed for its own hold; what is not observed does not count."""
        rule, state, tick, at = self.rule, self.state, self.tick, self.at
        known = firing & (tick.clear != UNKNOWN)
        unknown = firing & ~known
        begins = np.minimum(due, at - self.passed) if self.paused else due
        state.clear_from = np.where(unknown & np.isnan(state.clear_from), begins, state.clear_from)
        gap = np.where(np.isnan(state.clear_from), self.passed if self.paused else 0.0, at - state.clear_from)
        fine, bad = known & (tick.clear == OK), known & (tick.clear == BREACH)
        starts = fine & np.isnan(state.clear_since)
        state.clear_since = np.where(starts, at, np.where(bad, np.nan, state.clear_since))
        state.clear_blind = np.where(
            starts | bad, 0.0, np.where(fine, state.clear_blind + gap, state.clear_blind)
        )
        state.clear_from = np.where(unknown, state.clear_from, np.nan)
        if rule.clear.of_last is None:
            hold = np.where(state.flapping, max(rule.flap.calm, rule.clear.hold), rule.clear.hold)
            held = _held(at - state.clear_since, state.clear_blind, hold)
        else:
            slots = (state.clear_hits, state.clear_part)
            state.clear_hits, state.clear_part = self._filled(
                slots, fine, unknown, rule.clear.hold, rule.clear.of_last
            )
            held = state.clear_hits.sum(axis=1) >= rule.clear.of_last.hits
            held &= ~state.flapping | _held(at - state.clear_since, state.clear_blind, rule.flap.calm)
        clears = fine & held
        self._emit(TransitionState.CLEARED, clears)
        state.flapping = state.flapping & ~clears
        self._settle(clears)

    def _settle(self, done: Bools) -> None:
        """Back to idle."""
        if not done.any():
            return
        state = self.state
        state.phase = np.where(done, _IDLE, state.phase)
        state.since = np.where(done, np.nan, state.since)
        state.blind = np.where(done, 0.0, state.blind)
        state.clear_since = np.where(done, np.nan, state.clear_since)
        state.clear_from = np.where(done, np.nan, state.clear_from)
        state.clear_blind = np.where(done, 0.0, state.clear_blind)
        self._reset_slots(done)

    def _reset_slots(self, done: Bools) -> None:
        state = self.state
        if not done.any() or (self.rule.fire.of_last is None and self.rule.clear.of_last is None):
            return
        state.fire_hits = np.where(done[:, None], np.int8(0), state.fire_hits)
        state.fire_part = np.where(done, 0.0, state.fire_part)
        state.clear_hits = np.where(done[:, None], np.int8(0), state.clear_hits)
        state.clear_part = np.where(done, 0.0, state.clear_part)

    def _filled(
        self, slots: tuple[Codes, Floats], met: Bools, unknown: Bools, hold: float, of_last: OfLast
    ) -> tuple[Codes, Floats]:
        """Give the time since the last tick to the slots it fell into.

        A slot counts when the condition was met for half of it more than nothing was known.
        """
        hits, part = slots[0].copy(), slots[1].copy()
        length = hold / of_last.slots
        begin = self.at - self.passed
        if self.passed > hold + length:
            hits[:], part[:] = 0, 0.0
            begin = self.at
        sign = np.where(met, 1.0, np.where(unknown, -1.0, 0.0))
        if self.paused:
            sign[:] = -1.0
        while begin < self.at - EPSILON:
            slot = int((begin + EPSILON) // length)
            end = (slot + 1) * length
            part += sign * (min(end, self.at) - begin)
            if end <= self.at + EPSILON:
                hits[:, slot % of_last.slots] = part >= 0.5 * length - EPSILON
                part[:] = 0.0
            begin = end
        return hits, part

    def _emit(self, what: TransitionState, which: Bools) -> None:
        places = np.flatnonzero(which)
        if len(places):
            self.out.append(Found.of(self.row, places, what))


def _held(elapsed: Floats, blind: Floats, hold: Floats | float) -> Bools:
    """Whether a hold is over."""
    with np.errstate(invalid="ignore"):
        over: Bools = elapsed - deducted(blind, hold) >= hold - EPSILON
    return over
