"""Excerpts: of the blocks that a backtest evaluates, the scopes in which something happens, to be looked at tick by tick.

A block is swept in one go, so where a detector stood in between is not there to be read. It is worked out again from
the same observations, for those few scopes and only up to the ticks that somebody asks for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from daemon.detect.watch import Taken, moved_on
from detectors.moves import CODE, Moves
from detectors.observe import UNKNOWN, Observations
from detectors.rule import Rule
from detectors.samples import Floats
from detectors.state import Phase, State, TransitionState, fresh_state, part_of
from detectors.values import Quality, Values, slim, wide

Seen = tuple[Values, Observations]
"""One tick of a detector, as a watch keeps the newest one."""

_IDLE = np.int8(Phase.IDLE)
_TOLD = np.array(
    [
        CODE[state]
        for state in (
            TransitionState.FIRED,
            TransitionState.CLEARED,
            TransitionState.NO_DATA,
            TransitionState.DATA_BACK,
        )
    ]
)
_NO_DATA = CODE[TransitionState.NO_DATA]
_UNBORN = np.int8(Quality.UNBORN)
_EPSILON = 1e-6


@dataclass(slots=True)
class Excerpt:
    """Part of a block. `state` stands after `row` of its ticks; `everybody`: also the scopes that are not in here.

    `newcomers`: (tick at which it was first there, scope), unix seconds.
    """

    ticks: Floats
    state: State
    values: Values
    seen: Observations
    everybody: frozenset[Scope]
    newcomers: tuple[tuple[float, Scope], ...] = ()
    row: int = 0

    def there(self, tick: float) -> frozenset[Scope]:
        """Everybody who had come by then."""
        if not self.newcomers or self.newcomers[-1][0] <= tick:
            return self.everybody
        return self.everybody - {scope for came, scope in self.newcomers if came > tick}


@dataclass(slots=True)
class Excerpts:
    """Fits `Recorder`, for one detector. Ticks are asked for in their order. `last`: where it stood when last asked."""

    rule: Rule
    last: tuple[State, Seen | None] = field(init=False)
    _ahead: deque[Excerpt] = field(default_factory=deque)
    _turns: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last = (fresh_state(self.rule), None)

    def keep(self, taken: Taken) -> None:
        """Take the scopes that are not well throughout this block."""
        before, moves = taken.before, taken.moves
        busy = (before.phase != _IDLE) | before.no_data
        chosen = {before.scopes[place] for place in np.flatnonzero(busy).tolist()}
        chosen |= {moves.scopes[place] for place in np.unique(moves.scope).tolist()}
        everybody = frozenset(taken.seen.scopes) | chosen
        if not chosen:
            empty, nothing = fresh_state(self.rule), _columns(taken, [])
            self._ahead.append(Excerpt(taken.ticks, empty, *nothing, everybody, _newcomers(taken)))
            return
        stood = _places(before.scopes, chosen)
        columns = _places(taken.seen.scopes, chosen).tolist()
        cut, came = _columns(taken, columns), _newcomers(taken)
        self._ahead.append(Excerpt(taken.ticks, part_of(before, stood), *cut, everybody, came))
        self._turns += _turns(taken.ticks, before, moves, cut[1])

    def turns(self) -> list[float]:
        """Ticks since this was last asked at which something is told, or telemetry comes or goes while some is missed."""
        found, self._turns = self._turns, []
        return [tick for ticks in found for tick in ticks.tolist()]

    def at(self, tick: float) -> tuple[State, Seen | None]:
        """Where it stood after `tick`, and what it saw there."""
        while self._ahead and self._ahead[0].ticks[-1] < tick - _EPSILON:
            self._ahead.popleft()
        if self._ahead and self._ahead[0].ticks[0] <= tick + _EPSILON:
            self.last = self._looked_at(self._ahead[0], tick)
        return self.last

    def settle(self, tick: float) -> None:
        """Nothing before `tick` is asked for any more: keep where it stood there, and let the blocks go."""
        self.at(tick)
        self._ahead.clear()

    def _looked_at(self, excerpt: Excerpt, tick: float) -> tuple[State, Seen | None]:
        row = int(np.searchsorted(excerpt.ticks, tick + _EPSILON, side="right"))
        if row > excerpt.row and excerpt.state.scopes:
            part = slice(excerpt.row, row)
            seen, values = excerpt.seen.rows(part), excerpt.values.rows(part)
            excerpt.state, _ = moved_on(self.rule, excerpt.state, seen, values, excerpt.ticks[part])
        excerpt.row = max(row, excerpt.row)
        newest = slice(row - 1, row)
        at = float(excerpt.ticks[row - 1])
        state = replace(excerpt.state, population=excerpt.there(at), last_tick=at)
        if not excerpt.seen.scopes:
            return state, None
        return state, (excerpt.values.rows(newest), excerpt.seen.rows(newest))


def _places(scopes: Sequence[Scope], chosen: set[Scope]) -> NDArray[np.intp]:
    return np.array([place for place, scope in enumerate(scopes) if scope in chosen], dtype=np.intp)


def _columns(taken: Taken, which: list[int]) -> tuple[Values, Observations]:
    """These columns alone; the very arrays where they are all of them."""
    values, seen = taken.values, taken.seen
    if len(which) == len(seen.scopes):
        return values, seen
    scopes = tuple(seen.scopes[place] for place in which)
    return (
        Values(
            scopes,
            values.value[:, which],
            values.events[:, which],
            values.quality[:, which],
            values.observed_at[:, which],
            values.last_change[:, which],
            values.moving[:, which],
            values.fresh[:, which],
            values.interval,
        ),
        Observations(
            scopes,
            seen.fire[:, which],
            seen.clear[:, which],
            seen.dark[:, which],
            seen.excused[:, which],
            seen.anchor[:, which],
        ),
    )


def _newcomers(taken: Taken) -> tuple[tuple[float, Scope], ...]:
    """Who was not there yet when the block began, in order of their coming."""
    unborn = slim(taken.values.quality) == _UNBORN
    if not unborn.any():
        return ()
    unborn = wide(unborn, taken.values.quality.shape)
    late = np.flatnonzero(unborn[0])
    rows = np.where(unborn[:, late].all(axis=0), len(taken.ticks), (~unborn[:, late]).argmax(axis=0))
    times = np.append(taken.ticks, np.inf)[rows].tolist()
    scopes = taken.values.scopes
    return tuple(sorted(zip(times, (scopes[place] for place in late.tolist()), strict=True)))


def _turns(ticks: Floats, before: State, moves: Moves, seen: Observations) -> list[Floats]:
    told = np.isin(moves.state, _TOLD)
    found = [moves.at[told]]
    missed = {before.scopes[place] for place in np.flatnonzero(before.no_data).tolist()}
    missed |= {moves.scopes[place] for place in moves.scope[moves.state == _NO_DATA].tolist()}
    columns = _places(seen.scopes, missed)
    if len(columns):
        dark = seen.dark[:, columns] | (seen.fire[:, columns] == UNKNOWN)
        flips = (dark[1:] != dark[:-1]).any(axis=1)
        found.append(ticks[np.append(True, flips)])  # the block before may have ended otherwise
    return found
