"""The state machine over many ticks at once, where every one of them is known: by stretches, not by steps.

Says of the same ticks what `machine` says step by step. A breach that holds long enough can fire, a recovery that
holds long enough can clear; no tick is both, so the two take turns in time, and of a row of the same the first counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.block import Block
from detectors.moves import Found
from detectors.observe import BREACH, OK
from detectors.rule import Rule
from detectors.samples import Floats
from detectors.state import EPSILON, Phase, State, TransitionState, deducted
from detectors.values import Bools, slim, whole

_IDLE, _PENDING, _FIRING = np.int8(Phase.IDLE), np.int8(Phase.PENDING), np.int8(Phase.FIRING)

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Stretches:
    """Runs of ticks `begin[N]` up to, not including, `end[N]` of one scope each; ordered by scope, then by time.

    `goes_on[N]`: the state knew it already. `since[N]`: unix seconds from which its hold counts; `late[N]`: seconds
    of it that do not.
    """

    scope: Places
    begin: Places
    end: Places
    goes_on: Bools
    since: Floats
    late: Floats

    def first_held(self, ticks: Floats, hold: float) -> Places:
        """The tick at which each has held long enough; `end` or later when it never did."""
        last = len(ticks) - 1
        due = np.searchsorted(ticks, self.since + self.late + hold - EPSILON)
        at = np.minimum(np.maximum(due, self.begin), last)

        def over(place: Places) -> Bools:
            held: Bools = ticks[place] - self.since - self.late >= hold - EPSILON
            return held

        # As the machine reckons, to the last bit: a sum of instants rounds otherwise than a difference.
        before = np.maximum(at - 1, self.begin)
        return np.where(over(at), np.where(over(before), before, at), at + 1)

    def latest(self, size: int) -> Bools:
        """Those that last to the end."""
        lasting: Bools = self.end == size
        return lasting


@dataclass(frozen=True, slots=True)
class _Turns:
    """What fires and clears. `at`: scope * ticks + tick of everything that could, in order; `fires`: which of the two.

    `fired`, `cleared`: places of the stretches that did, in order of scope and time. `size`: ticks of the block.
    """

    at: Places
    fires: Bools
    fired: Places
    cleared: Places
    before: Bools
    after: Bools
    size: int

    def firing_at(self, scope: Places, row: Places) -> Bools:
        """Whether a scope fires when this tick begins."""
        where = scope * self.size + row
        last = np.searchsorted(self.at, where) - 1
        mine = (last >= 0) & (self.at[last] >= scope * self.size) if len(self.at) else last >= 0
        return np.where(mine, self.fires[last], self.before[scope]) if len(self.at) else self.before[scope]


def sweep(rule: Rule, state: State, block: Block) -> tuple[list[Found], Bools]:
    """Advance `state` (in place) over a block that is smooth and settled at all of its scopes, without a pause.

    Returns what was found, and which scopes (`[S]`) would begin to flap: when some would, nothing is done.
    """
    nobody = np.zeros(len(state.phase), dtype=bool)
    if calm(state, block):
        state.blind = np.zeros_like(state.blind)
        state.fire_part, state.fire_hits = np.zeros_like(state.fire_part), np.zeros_like(state.fire_hits)
        _note(rule, state, block)
        return [], nobody
    ticks, size = block.ticks, len(block.ticks)
    breaches, recoveries = _breaches(rule, state, block), _recoveries(rule, state, block)
    fires = breaches.first_held(ticks, rule.fire.hold)
    clears = recoveries.first_held(ticks, rule.clear.hold)
    turns = _turns(breaches, fires, recoveries, clears, state.phase == _FIRING, size)
    firings = _Firings(breaches.scope[turns.fired], ticks[fires[turns.fired]])
    if firings.too_many(rule, state).any():
        return [], firings.too_many(rule, state)
    fresh = ~turns.firing_at(breaches.scope, breaches.begin)
    held = fires < breaches.end
    pends = fresh & ~breaches.goes_on & ~(held & (fires == breaches.begin))
    withdrawn = fresh & ~held & ~breaches.latest(size)
    found = [
        Found.of(breaches.begin[pends], breaches.scope[pends], TransitionState.PENDING),
        Found.of(breaches.end[withdrawn], breaches.scope[withdrawn], TransitionState.WITHDRAWN),
        Found.of(
            0,
            np.flatnonzero((state.phase == _PENDING) & (block.fire[0] != BREACH)),
            TransitionState.WITHDRAWN,
        ),
        Found.of(fires[turns.fired], breaches.scope[turns.fired], TransitionState.FIRED),
        Found.of(clears[turns.cleared], recoveries.scope[turns.cleared], TransitionState.CLEARED),
    ]
    pending = np.flatnonzero(fresh & ~held & breaches.latest(size))
    _leave(state, breaches, turns, pending)
    _leave_recovering(state, recoveries, turns)
    state.fired_at = firings.remembered(state.fired_at)
    _note(rule, state, block)
    return [one for one in found if len(one.row)], nobody


def calm(state: State, block: Block) -> bool:
    """Nothing fires or is about to, and nothing starts to: most ticks of most detectors."""
    return not state.phase.any() and not (block.fire == BREACH).any()


def _runs(flags: Bools) -> tuple[Places, Places, Places]:
    """(scope, begin, end) of the runs in `flags[T, S]`, by scope, then by time."""
    size, width = flags.shape
    changed = np.empty((size + 1, width), dtype=bool)
    changed[0], changed[size] = flags[0], flags[size - 1]
    np.not_equal(flags[1:], flags[:-1], out=changed[1:size])
    row, scope = np.divmod(np.flatnonzero(changed), width)
    order = np.argsort(scope * (size + 1) + row)
    row, scope = row[order], scope[order]
    return scope[::2], row[::2], row[1::2]


def _breaches(rule: Rule, state: State, block: Block) -> _Stretches:
    scope, begin, end = _runs(block.fire == BREACH)
    since = block.ticks[begin]
    if not np.isnan(slim(block.anchor)).all():
        floor = state.floor[scope]
        if slim(block.excused).any():
            excused = np.where(block.excused, block.ticks[:, None], -np.inf)
            floor = np.maximum(floor, np.maximum.accumulate(excused, axis=0)[begin, scope])
        anchor = block.anchor[begin, scope]
        since = np.where(np.isnan(anchor), since, np.minimum(np.maximum(anchor, floor), since))
    goes_on = (begin == 0) & (state.phase == _PENDING)[scope]
    since = np.where(goes_on, state.since[scope], since)
    late = np.where(goes_on, deducted(state.blind, rule.fire.hold)[scope], 0.0)
    return _Stretches(scope, begin, end, goes_on, since, late)


def _recoveries(rule: Rule, state: State, block: Block) -> _Stretches:
    scope, begin, end = _runs(block.clear == OK)
    well = (state.phase == _FIRING) & ~np.isnan(state.clear_since)
    goes_on = (begin == 0) & well[scope]
    since = np.where(goes_on, state.clear_since[scope], block.ticks[begin])
    late = np.where(goes_on, deducted(state.clear_blind, rule.clear.hold)[scope], 0.0)
    return _Stretches(scope, begin, end, goes_on, since, late)


def _turns(
    breaches: _Stretches, fires: Places, recoveries: _Stretches, clears: Places, firing: Bools, size: int
) -> _Turns:
    can_fire, can_clear = np.flatnonzero(fires < breaches.end), np.flatnonzero(clears < recoveries.end)
    at = np.concatenate(
        [
            breaches.scope[can_fire] * size + fires[can_fire],
            recoveries.scope[can_clear] * size + clears[can_clear],
        ]
    )
    order = np.argsort(at)
    at, kind = at[order], order < len(can_fire)
    scope = at // size
    before = firing[scope]
    before[1:] = np.where(scope[1:] == scope[:-1], kind[:-1], before[1:])
    counts = kind != before
    which = np.concatenate([can_fire, can_clear])[order]
    after = firing.copy()
    after[scope] = kind  # of several of a scope the last counts
    return _Turns(at, kind, which[counts & kind], which[counts & ~kind], firing, after, size)


def _leave(state: State, breaches: _Stretches, turns: _Turns, pending: Places) -> None:
    """Phase, and how long the breach that it rests on has lasted. `pending`: stretches under way at the end."""
    firing = turns.after
    open_ = np.zeros(len(firing), dtype=bool)
    open_[breaches.scope[pending]] = True
    since, blind = state.since.copy(), state.blind.copy()
    for which in (turns.fired, pending):
        scope = breaches.scope[which]
        since[scope] = breaches.since[which]
        blind[scope] = np.where(breaches.goes_on[which], state.blind[scope], 0.0)
    state.since = np.where(firing | open_, since, np.nan)
    state.blind = np.where(firing | open_, blind, 0.0)
    state.phase = np.where(firing, _FIRING, np.where(open_, _PENDING, _IDLE))


def _leave_recovering(state: State, recoveries: _Stretches, turns: _Turns) -> None:
    """How long those that fire at the end have been well by then."""
    lasting = np.flatnonzero(recoveries.latest(turns.size))
    scope = recoveries.scope[lasting]
    since, blind = np.full(len(turns.after), np.nan), np.zeros(len(turns.after))
    since[scope] = recoveries.since[lasting]
    blind[scope] = np.where(recoveries.goes_on[lasting], state.clear_blind[scope], 0.0)
    state.clear_since = np.where(turns.after, since, np.nan)
    state.clear_blind = np.where(turns.after, blind, 0.0)


@dataclass(frozen=True, slots=True)
class _Firings:
    """`scope[N]` and instant `at[N]` of what fired, by scope, then by time."""

    scope: Places
    at: Floats

    def too_many(self, rule: Rule, state: State) -> Bools:
        """`[S]`: so often within the time that it flaps."""
        most = state.fired_at.shape[1]
        rank = self._rank()
        earlier = self.at[np.maximum(np.arange(len(self.at)) - most, 0)]
        known = state.fired_at[self.scope, np.minimum(rank, most - 1)]
        first = np.where(rank >= most, earlier, known)
        found = np.zeros(len(state.phase), dtype=bool)
        with np.errstate(invalid="ignore"):
            found[self.scope[first >= self.at - rule.flap.within]] = True
        return found

    def remembered(self, fired_at: Floats) -> Floats:
        """`fired_at[S, F]` with these pushed in from the end."""
        if not len(self.at):
            return fired_at
        scopes, most = fired_at.shape
        count = np.bincount(self.scope, minlength=scopes)
        column = np.arange(most) + count[:, None]
        kept = np.take_along_axis(fired_at, np.minimum(column, most - 1), axis=1)
        kept[column >= most] = np.nan
        place = most - count[self.scope] + self._rank()
        kept[self.scope[place >= 0], place[place >= 0]] = self.at[place >= 0]
        return kept

    def _rank(self) -> Places:
        """Which of its scope's each is, from 0."""
        first = np.searchsorted(self.scope, self.scope)
        rank: Places = np.arange(len(self.scope)) - first
        return rank


def _note(rule: Rule, state: State, block: Block) -> None:
    """What is remembered of the ticks themselves."""
    ticks, born = block.ticks, slim(block.born)
    joins = np.isnan(state.joined)
    if joins.any():
        first = np.where(born.any(axis=0), ticks[born.argmax(axis=0)], np.nan)
        state.joined = np.where(joins, first, state.joined)
    excused = slim(block.excused)
    if excused.any():
        last = np.where(excused, ticks[:, None], -np.inf).max(axis=0)
        state.floor = np.maximum(state.floor, last)
    state.last_known = np.where(born[-1], ticks[-1], state.last_known)
    state.value = _newest(block.value, state.value)
    state.observed_at = _newest(slim(block.observed_at), state.observed_at)
    state.quality = np.array(block.quality[-1])
    state.last_tick, state.resumed = float(ticks[-1]), False
    if not np.isnan(state.fired_at[:, -1]).all():
        old = state.fired_at < ticks[-1] - rule.flap.within
        state.fired_at = np.where(old, np.nan, state.fired_at)


def _newest(rows: Floats, before: Floats) -> Floats:
    """The last number of each scope; `before` where there is none."""
    if whole(rows[-1]):
        return np.array(np.broadcast_to(rows[-1], before.shape))
    there = ~np.isnan(rows)
    last = len(rows) - 1 - there[::-1].argmax(axis=0)
    newest = np.take_along_axis(rows, last[None], axis=0)[0]
    return np.where(there.any(axis=0), newest, before)
