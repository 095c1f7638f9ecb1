"""Backtest: what a configuration would have seen. The live evaluation over blocks of past ticks; nobody is asked or told.

Sources are the doors, asked chunk by chunk: a recorded file, or a Prometheus through a cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import numpy as np

from config.scope import Scope
from daemon.detect.evaluation import Evaluation
from daemon.detect.intake import Intake
from daemon.detect.inventory import Members
from daemon.detect.notices import Notices
from daemon.detect.plan import Plan, Sections, SourcePlan, plan_of
from daemon.detect.sources.base import Source
from daemon.replay.traces import Curve, PastTrace, Range
from detectors.moves import CODE, Moves
from detectors.promql import wanted_by
from detectors.rule import Rule
from detectors.samples import Batch, Failed, Floats
from detectors.spec import FileSource
from detectors.state import Transition, TransitionState

DAY = 86_400.0
_MOST_TICKS = 20_000_000
_EPSILON = 1e-6


class EventState(StrEnum):
    """What is told of a detector at a scope."""

    FIRED = "fired"
    CLEARED = "cleared"
    NO_DATA = "no_data"
    DATA_BACK = "data_back"


_TOLD = frozenset(state.value for state in EventState)


class Phase(StrEnum):
    """What a stretch of time was at a scope."""

    PENDING = "pending"
    FIRING = "firing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Event:
    """`at`: unix seconds of the tick; `value`: observed there, None when unknown."""

    detector: str
    failure_mode: str
    scope: Scope
    state: EventState
    at: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` to `end` (unix seconds) the detector was in this phase at the scope."""

    detector: str
    scope: Scope
    phase: Phase
    start: float
    end: float


@dataclass(frozen=True)
class Replayed:
    """`step`: seconds between ticks. `curves`: by (detector, scope), of scopes with an event, when asked for.

    `standing`: what had begun by the start, and what the first round told; `moves`: the rest, by columns.
    `not_judged`: detector -> why it could not be judged, wholly or in part.
    """

    start: float
    end: float
    step: float
    ticks: int
    standing: tuple[Transition, ...]
    moves: tuple[Moves, ...]
    unknown: tuple[Stretch, ...]
    curves: Mapping[tuple[str, Scope], Curve]
    not_judged: Mapping[str, str]
    modes: Mapping[str, str] = field(default_factory=dict)
    """Failure mode of each detector that was judged."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """By detector, over all scopes."""

    @cached_property
    def transitions(self) -> tuple[Transition, ...]:
        """Every change of state, in order of time."""
        all_ = [*self.standing, *(one for moves in self.moves for one in moves)]
        return tuple(sorted(all_, key=lambda one: one.at))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What is told of it, in order of time."""
        return tuple(
            Event(
                one.detector,
                self.modes[one.detector],
                one.scope,
                EventState(one.state.value),
                one.at,
                one.value,
            )
            for one in self.transitions
            if one.state.value in _TOLD
        )

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """Spans that were pending, firing or without telemetry, those still open up to the end."""
        found = [*_stretches(self.transitions, self.end), *self.unknown]
        return tuple(sorted(found, key=lambda one: (one.start, one.detector, one.scope)))

    def count(self, state: EventState) -> int:
        """How many events of this kind there are."""
        standing = sum(one.state.value == state.value for one in self.standing)
        code = CODE[TransitionState(state.value)]
        return standing + sum(int(np.count_nonzero(moves.state == code)) for moves in self.moves)


class Onlooker(Protocol):
    """Follows a backtest from one block to the next."""

    def begin(self, evaluation: Evaluation, start: float) -> None:
        """The first round, at `start` (unix seconds), is done."""
        ...

    def advance(self, ticks: Floats) -> None:
        """These ticks were evaluated."""
        ...


def nothing(done: float) -> None:
    """No progress is shown. `done`: share of the whole, 0 to 1."""


def backtest(
    sections: Sections,
    sources: Mapping[str, Source],
    start: float,
    end: float,
    *,
    chunk: float = DAY,
    curves: bool = False,
    progress: Callable[[float], None] = nothing,
    onlooker: Onlooker | None = None,
) -> Replayed:
    """Evaluate at `start`, `start + poll_interval`, … up to `end` (unix seconds).

    As when the daemon starts at `start`: what a source tells of the time before is read back, and what fires by then
    fires at `start`. `chunk`: seconds of samples held at once; it changes nothing but memory. Raises ValueError when
    the end lies before the start, or the span has too many ticks.
    """
    step = sections.poll_interval
    count = math.floor((end - start) / step + _EPSILON) + 1
    if count < 1:
        raise ValueError("the end lies before the start")
    if count > _MOST_TICKS:
        raise ValueError(f"{count} ticks: shorten the span, or lengthen poll_interval")
    past = _Past.of(sections, sources, start, count, chunk, curves=curves)
    past.begin()
    if onlooker is not None:
        onlooker.begin(past.evaluation, start)
    for first in range(1, count, past.ticks_at_once):
        ticks = past.advance(first, min(first + past.ticks_at_once, count))
        if onlooker is not None:
            onlooker.advance(ticks)
        progress(first / count)
    progress(1.0)
    return past.told(start + (count - 1) * step)


@dataclass(slots=True)
class _Past:
    """One backtest under way."""

    evaluation: Evaluation
    sources: Mapping[str, Source]
    start: float
    count: int
    chunk: float
    not_judged: dict[str, str]
    curves: bool
    traces: dict[str, PastTrace] = field(default_factory=dict)
    first: list[Transition] = field(default_factory=list)
    moves: list[Moves] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        sections: Sections,
        sources: Mapping[str, Source],
        start: float,
        count: int,
        chunk: float,
        *,
        curves: bool,
    ) -> _Past:
        plan, not_judged = _judged(plan_of(sections))
        intake = Intake(plan, Notices(stays=math.inf))
        evaluation = Evaluation(plan, intake, Members(sections.inventory), start, lambda _probe, _at: ())
        evaluation.adopt(plan)
        for rings in intake.rings.values():
            rings.retention += chunk
        past = cls(evaluation, sources, start, count, chunk, not_judged, curves)
        for name, watch in evaluation.watches.items():
            past.traces[name] = watch.trace = PastTrace(count, curves)
        return past

    @property
    def step(self) -> float:
        return self.evaluation.plan.sections.poll_interval

    @property
    def ticks_at_once(self) -> int:
        return max(1, math.floor(self.chunk / self.step))

    def begin(self) -> None:
        """The first round, as the daemon has it: with what can be read back."""
        self._fetch(None, self.start)
        self.evaluation.advance(self.evaluation.intake.fresh(), {}, self.start)
        self.first += self.evaluation.transitions()

    def advance(self, first: int, last: int) -> Floats:
        """Ticks `first` up to, not including, `last`; their instants."""
        ticks: Floats = self.start + np.arange(first, last, dtype=np.float64) * self.step
        self._fetch(float(ticks[0]) - self.step, float(ticks[-1]))
        self.moves += self.evaluation.replay(ticks)
        return ticks

    def told(self, end: float) -> Replayed:
        """All of it, up to `end`."""
        standing = _from(self.start, self.first)
        return Replayed(
            start=self.start,
            end=end,
            step=self.step,
            ticks=self.count,
            standing=tuple(standing),
            moves=tuple(self.moves),
            unknown=tuple(
                Stretch(name, scope, Phase.UNKNOWN, since, until)
                for name, trace in self.traces.items()
                for scope, since, until in trace.unknown(end)
            ),
            curves=dict(self._curves(standing)) if self.curves else {},
            not_judged={**self._missed(), **self.not_judged, **self._broken()},
            modes={rule.name: rule.mode.value for rule in self.evaluation.plan.rules.values()},
            ranges={name: trace.known for name, trace in self.traces.items()},
        )

    def _curves(self, standing: Sequence[Transition]) -> Iterator[tuple[tuple[str, Scope], Curve]]:
        """Of every scope that something was told of."""
        codes = [CODE[TransitionState(state)] for state in sorted(_TOLD)]
        keys = [(one.detector, one.scope) for one in standing if one.state.value in _TOLD]
        for moves in self.moves:
            told = np.unique(moves.scope[np.isin(moves.state, codes)])
            keys += [(moves.detector, moves.scopes[place]) for place in told.tolist()]
        for key in dict.fromkeys(keys):
            curve = self.traces[key[0]].curve(key[1])
            if curve is not None:
                yield key, curve

    def _fetch(self, since: float | None, until: float) -> None:
        for name, planned in self.evaluation.plan.sources.items():
            if name in self.sources:
                self._take(self._asked(self.sources[name], planned, since, until), since)

    def _asked(
        self, source: Source, planned: SourcePlan, since: float | None, until: float
    ) -> Batch | Failed:
        back = planned.wanted.look_back
        begin = until - back if since is None else since
        wanted = replace(planned.wanted, look_back=max(back, until - begin) + self.step)
        # The deadline of an answer that nobody waits for: the source's own limits bound it.
        return source.fetch(wanted, begin, until + planned.delay, math.inf)

    def _take(self, result: Batch | Failed, since: float | None) -> None:
        """Ticks whose samples did not come are unknown from the first of them on."""
        intake = self.evaluation.intake
        if isinstance(result, Batch) and result.complete:
            self.seen |= {series.name for block in result.blocks for series in block.series}
            intake.take(result, result.at)
            return
        reason = result.reason if isinstance(result, Failed) else "; ".join(result.warnings[:1])
        at = result.at if since is None else since + _EPSILON
        intake.fail(Failed(result.source, at, reason), at)
        for rule in self.evaluation.plan.rules.values():
            if rule.source == result.source:
                self.not_judged.setdefault(rule.name, f"in part: {reason}")

    def _missed(self) -> dict[str, str]:
        """Detectors none of whose series came."""
        wanted = {
            rule.name: {wanted.name for wanted in wanted_by(rule)}
            for rule in self.evaluation.plan.rules.values()
        }
        return {
            name: f"no series named {' or '.join(sorted(names))}"
            for name, names in wanted.items()
            if names and not names & self.seen
        }

    def _broken(self) -> dict[str, str]:
        notices = self.evaluation.intake.notices.current(math.inf)
        return {notice.name: notice.text for notice in notices if notice.kind == "unjudged"}


def _judged(plan: Plan) -> tuple[Plan, dict[str, str]]:
    """The rules that samples alone can judge, and why not the others."""
    why = {name: reason for name, rule in plan.rules.items() if (reason := unjudgeable(rule, plan.sections))}
    return replace(plan, rules={name: rule for name, rule in plan.rules.items() if name not in why}), why


def unjudgeable(rule: Rule, sections: Sections) -> str:
    """Why samples alone cannot judge this rule; empty when they can."""
    kinds = {rule.signal.kind} | ({rule.gate.signal.kind} if rule.gate else set())
    if "probe" in kinds:
        return "a probe's answers are not recorded"
    if "promql" in kinds and isinstance(sections.telemetry.get(rule.source), FileSource):
        return "a query needs a Prometheus, and this is a file"
    return ""


def _from(start: float, transitions: Sequence[Transition]) -> list[Transition]:
    """What happened from `start` on. Of what was read back, that which still stood then, as of then."""
    opens = {
        TransitionState.PENDING: "held",
        TransitionState.FIRED: "held",
        TransitionState.NO_DATA: "dark",
    }
    ends = {
        TransitionState.WITHDRAWN: "held",
        TransitionState.CLEARED: "held",
        TransitionState.DATA_BACK: "dark",
    }
    standing: dict[tuple[str, Scope, str], Transition] = {}
    for one in transitions:
        if one.at < start and one.state in opens:
            standing[one.detector, one.scope, opens[one.state]] = replace(one, at=start)
        elif one.at < start:
            standing.pop((one.detector, one.scope, ends[one.state]), None)
    return [*standing.values(), *(one for one in transitions if one.at >= start)]


def _stretches(transitions: Sequence[Transition], end: float) -> Iterator[Stretch]:
    """Pending and firing spans, the open ones up to `end`."""
    begun: dict[tuple[str, Scope], tuple[Phase, float]] = {}
    starts = {TransitionState.PENDING: Phase.PENDING, TransitionState.FIRED: Phase.FIRING}
    for one in transitions:
        if one.state in {TransitionState.NO_DATA, TransitionState.DATA_BACK}:
            continue
        key = (one.detector, one.scope)
        if key in begun:
            phase, since = begun.pop(key)
            yield Stretch(*key, phase, since, one.at)
        if one.state in starts:
            begun[key] = (starts[one.state], one.at)
    for key, (phase, since) in begun.items():
        yield Stretch(*key, phase, since, end)
