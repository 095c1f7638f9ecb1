"""One detector at work: its rule, where it stands, what it saw last, and how its value went over the last hours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from config.scope import Scope, covers
from daemon.detect.inventory import NOBODY, Lists, Suspension, strangers
from daemon.detect.rollups import Seasons
from daemon.detect.trace import Trace, Tracer
from daemon.detect.usual import Lesson, Usual
from detectors.machine import advance
from detectors.moves import Moves
from detectors.observe import Observations, observe
from detectors.rings import Rings
from detectors.rollup import DAY
from detectors.rule import Rule
from detectors.samples import Floats
from detectors.signals import measure
from detectors.state import Phase, State, forget, fresh_state, restore, save
from detectors.values import Bools, Quality, Values, slim, wide

_INSTANTS = (
    "since", "blind_from", "floor", "clear_since", "clear_from", "dark_since", "back_since", "joined",
    "last_known", "observed_at",
)  # fmt: skip
"""The arrays of a state that hold instants."""
_ABSENT, _UNBORN = np.int8(Quality.ABSENT), np.int8(Quality.UNBORN)
_FIRING = np.int8(Phase.FIRING)
_NEWEST = slice(-1, None)
_ANY_AMOUNT: Floats = np.full((1, 1), math.inf)
"""Usual everywhere: then what is usual decides nothing."""
_CELLS, _MOST_TICKS = 200_000, 4_096
"""Ticks times scopes, and ticks, evaluated at once while history is read back: what a processor's cache holds."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a rule has to know beside its samples. `gate`: rings its gate's signal is read from.

    `lists`: who should be there by name; the silence of anybody else is no finding. `suspended`: at the very ticks
    that are looked at, or once for all of them.
    """

    rings: Rings
    gate: Rings
    listed: tuple[Scope, ...] = ()
    suspended: Suspension = NOBODY
    lists: Lists = ()

    def rows(self, first: int) -> Around:
        """For the ticks from this one on."""
        return replace(self, suspended=self.suspended.rows(first)) if first else self


@dataclass(frozen=True, slots=True)
class _Scene:
    """A block of ticks as measured: the signal, its gate, who is switched off, whom nobody misses.

    `plain`: before it was held against its baseline; the same for a detector without one.
    """

    values: Values
    plain: Values
    gate: Values | None
    off: Bools
    strangers: Bools


@dataclass(frozen=True, slots=True)
class Taken:
    """A block of ticks that was taken in. `before`: where the watch stood until then."""

    ticks: Floats
    before: State
    values: Values
    seen: Observations
    moves: Moves


class Recorder(Protocol):
    """Is told every block that a watch takes in, so that each of its ticks can be looked at once more."""

    def keep(self, taken: Taken) -> None: ...


@dataclass(slots=True)
class Watch:
    """`home`: the source the rule names; `reads`: whose rings its signal is in (a probe's own, for a probe).

    `first_round`: evaluated on an answer since start. `seen`: the newest observations, one row, of `last_tick`.
    `seasons`: what it learns hour by hour, None where it needs nothing of the kind.
    """

    rule: Rule
    home: str
    reads: str
    state: State
    usual: Usual | None
    trace: Tracer
    seasons: Seasons | None = None
    recorder: Recorder | None = None
    first_round: bool = False
    replayed: bool = False
    """Whether the ticks that were missed before the start have been made up for."""
    last_tick: float = -math.inf
    seen: tuple[Values, Observations] | None = None
    seen_at: Floats = field(default_factory=lambda: np.empty(0))
    """`[S]`, as the scopes in `seen`: when each was last there within what was taken last; NaN for not at all."""
    ticks: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, rule: Rule, home: str) -> Watch:
        reads = probe_rings(rule.signal.text) if rule.signal.kind == "probe" else home
        usual = Usual(rule.expected.per) if rule.expected else None
        rule = replace(rule, source=reads)
        return cls(rule, home, reads, fresh_state(rule), usual, Trace(), Seasons.of(rule))

    def under(self, rule: Rule, home: str) -> Watch:
        """The same under a changed rule: where it stands stays, unless its state no longer fits the rule."""
        new = Watch.of(rule, home)
        fits = self.rule.fire.of_last == rule.fire.of_last and self.rule.clear.of_last == rule.clear.of_last
        new.state = self.state if fits else replace(restore(rule, save(self.state)), resumed=False)
        new.trace, new.ticks, new.last_tick = self.trace, self.ticks, self.last_tick
        new.first_round, new.replayed = self.first_round, self.replayed
        if new.usual is not None and self.usual is not None and self.usual.per == new.usual.per:
            new.usual = self.usual
        if self.seasons is not None:
            new.seasons = self.seasons.under(new.rule)
        return new

    def resume(self, saved: Mapping[Scope, Mapping[str, Any]], last_tick: float) -> None:
        """Continue from rows of the store. `last_tick`: NaN when nothing was kept."""
        self.state = restore(self.rule, saved, last_tick)
        if math.isfinite(self.state.last_tick):
            self.last_tick = self.state.last_tick

    def set_back(self, seconds: float) -> None:
        """The wall clock was set back: where it stands moves along, and no time passed meanwhile."""
        state = self.state
        moved = {name: getattr(state, name) - seconds for name in _INSTANTS}
        self.state = replace(state, last_tick=state.last_tick - seconds, resumed=True, **moved)
        self.last_tick, self.ticks, self.trace, self.seen = -math.inf, [], Trace(), None
        self.replayed = True
        if self.usual is not None:
            self.usual.set_back()
        if self.seasons is not None:
            self.seasons.rollups.set_back()

    @property
    def learns(self) -> bool:
        """Something was learnt since the last save."""
        running = self.seasons is not None and not math.isnan(self.seasons.rollups.begun)
        return running or (self.usual is not None and self.usual.news)

    def look(self, ticks: Floats, around: Around, since: float | None = None) -> tuple[Values, Observations]:
        """Measure and observe at `ticks[T]`, from samples since `since` alone where it is given."""
        scene = self._measured(ticks, around, since)
        return scene.values, self._observed(scene, self._usual(scene, ticks, ()))

    def take(self, ticks: Floats, around: Around) -> tuple[Moves, ...]:
        """Advance over `ticks[T]`, all newer than the last one."""
        found: list[Moves] = []
        seen_at: Floats | None = None
        block = max(1, min(_CELLS // max(len(self.state.scopes), 1), _MOST_TICKS))
        if self.seasons is not None:
            block = max(1, min(block, int(DAY // self.rule.step)))
        for begin in range(0, len(ticks), block):
            part = ticks[begin : begin + block]
            scene = self._measured(part, around.rows(begin), None)
            anyhow = None if self.seasons is None else self._observed(scene, _ANY_AMOUNT)
            usual = self._learnt(scene, anyhow, around.rings, part)
            values, seen, before = scene.values, self._observed(scene, usual), self.state
            self.state, moves = moved_on(self.rule, before, seen, values, part)
            if self.seasons is not None and anyhow is not None:
                self.seasons.fold(part, self._counted(scene, around, part), anyhow.excused, before, moves)
            if len(moves):
                found.append(moves)
            self.trace.add(part, values)
            if self.recorder is not None:
                self.recorder.keep(Taken(part, before, values, seen, moves))
            self.seen = (values, seen) if len(part) == 1 else (values.rows(_NEWEST), seen.rows(_NEWEST))
            quality = slim(values.quality)
            there = (quality != _ABSENT) & (quality != _UNBORN)
            newest = np.fmax.reduce(np.where(there, part[:, None], np.nan), axis=0)
            latest = np.broadcast_to(newest, len(values.scopes))
            seen_at = latest if seen_at is None else np.fmax(seen_at, latest)
        if seen_at is not None:
            self.seen_at = seen_at
        self.last_tick = float(ticks[-1])
        self.ticks += ticks.tolist()
        return tuple(found)

    def _measured(self, ticks: Floats, around: Around, since: float | None) -> _Scene:
        plain = measure(self.rule.signal, around.rings, ticks, since=since, expected=around.listed)
        values = plain if self.seasons is None else self.seasons.against(ticks, plain)
        gate = measure(self.rule.gate.signal, around.gate, ticks) if self.rule.gate else None
        off = around.suspended.over(values.scopes, len(ticks))
        return _Scene(values, plain, gate, off, strangers(values.scopes, around.lists))

    def _observed(self, scene: _Scene, usual: Floats | None) -> Observations:
        seen = observe(self.rule, scene.values, expected=usual, gate=scene.gate, off=scene.off)
        if not self.rule.missed:
            return replace(seen, dark=wide(np.zeros((1, 1), dtype=bool), seen.dark.shape))
        return replace(seen, dark=seen.dark & ~scene.strangers) if scene.strangers.any() else seen

    def _learnt(
        self, scene: _Scene, anyhow: Observations | None, rings: Rings, ticks: Floats
    ) -> Floats | None:
        """What was usual at each tick, learning on the way. `anyhow`: as observed if any amount were usual."""
        if self.usual is None or anyhow is None:
            return None
        return self._usual(scene, ticks, self.usual.lessons(self.rule.signal, rings, ticks, anyhow))

    def _usual(self, scene: _Scene, ticks: Floats, lessons: Sequence[Lesson]) -> Floats | None:
        """As the same hours of other weeks had it; where too few are known, as the last windows with traffic had."""
        if self.usual is None or self.seasons is None:
            return None
        lately = self.usual.over(scene.values.scopes, ticks, lessons)
        weekly = self.seasons.usual(scene.values.scopes, ticks)
        return np.where(np.isnan(weekly), lately, weekly)

    def _counted(self, scene: _Scene, around: Around, ticks: Floats) -> Values:
        """The plain values, with the events of their own window: one that was widened has more."""
        signal = self.rule.signal
        if self.rule.expected is None or signal.widen_to <= signal.window:
            return scene.plain
        narrow = replace(signal, widen_to=signal.window, events=0.0)
        counted = measure(narrow, around.rings, ticks, expected=around.listed)
        return replace(scene.plain, events=counted.events)

    def line(self, scope: Scope, since: float, until: float) -> tuple[list[float], list[float]]:
        """(times, values) of the recent past, NaN where nothing is known; empty when no trace is kept."""
        return self.trace.cut(scope, since, until) if isinstance(self.trace, Trace) else ([], [])

    def sparks(self, since: float, until: float, most: int) -> dict[Scope, tuple[float, ...]]:
        """The recent past of every scope in at most `most` values; empty when no trace is kept."""
        if not isinstance(self.trace, Trace):
            return {}
        columns, values = self.trace.sparks(since, until, most)
        rows = values.T.tolist()
        return {scope: tuple(rows[column]) for scope, column in columns.items()}

    def forget(self, before: float) -> None:
        """Ticks older than this are not asked about any more."""
        if self.ticks and self.ticks[0] < before - 60:
            self.ticks = [tick for tick in self.ticks if tick >= before]

    def matching(self, scope: Scope, scopes: Sequence[Scope]) -> list[int]:
        """Columns that speak about `scope`: its own; else those within it; else those that contain it."""
        for fits in (
            lambda other: other == scope,
            lambda other: covers(scope, other),
            lambda other: covers(other, scope),
        ):
            found = [index for index, other in enumerate(scopes) if fits(other)]
            if found:
                return found
        return []


def moved_on(
    rule: Rule, before: State, seen: Observations, values: Values, ticks: Floats
) -> tuple[State, Moves]:
    """Where a watch stands after these ticks, and what changed on the way."""
    state, moves = advance(rule, before, seen, values, ticks)
    return (state if rule.missed else _without_gone(state, len(seen.scopes))), moves


def _without_gone(state: State, present: int) -> State:
    """Those that left while they were pending are forgotten; what fires is owed an end, and none is invented."""
    gone = [place for place in range(present, len(state.scopes)) if state.phase[place] != _FIRING]
    return forget(state, [state.scopes[place] for place in gone]) if gone else state


def probe_rings(probe: str) -> str:
    """The name of the rings in which a probe's answers are kept."""
    return f"probe {probe}"
