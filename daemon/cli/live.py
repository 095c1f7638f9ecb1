"""`check --live`: asks every telemetry source for what the detectors need, and hands the answers to the live checks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from config.loader import Loaded
from config.problems import Problem
from daemon.app.build import sections_of
from daemon.detect.plan import SourcePlan, plan_of
from daemon.detect.sources.base import Source, Wanted
from daemon.detect.sources.registry import build_sources
from daemon.settings.lint.live.seen import Cost, Past, Seen, Sight
from daemon.settings.lint.registry import lint_live
from daemon.settings.model import Settings
from detectors.machine import advance
from detectors.replay import evaluate
from detectors.rings import Rings
from detectors.rule import Rule
from detectors.samples import Batch, Failed, Floats
from detectors.state import State, TransitionState, fresh_state
from detectors.values import Quality
from remediations.ports import Clock, Http, Request, Response

DAY = 86_400.0
_PIECE = 6 * 3600.0
_MOST_TICKS = 5_000
"""Seconds of history asked for at once, and the most evaluations in them: sources bound the points of an answer."""
_BLOCK = 4_000_000
"""Ticks times series measured at once."""
_MOST_CELLS = 60_000_000
"""Samples and values of a source's history looked at in all: bounds memory and the time that people wait."""
_PATIENCE = 60.0
"""Seconds after which no more history of a source is asked for."""


class Metered:
    """Fits `Http`; counts the bytes of the answers."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.size = 0

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        response = self._http.send(request, deadline=deadline, max_bytes=max_bytes)
        self.size += len(response.body)
        return response


def check_live(
    loaded: Loaded[Settings], http: Http, clock: Clock, *, history: float = 7 * DAY
) -> list[Problem]:
    """What the live checks find; each finding is also recorded on `loaded`. `history`: seconds, 0 for none."""
    problems = lint_live(loaded, look(loaded.model, http, clock, history=history))
    loaded.problems += problems
    return problems


def look(settings: Settings, http: Http, clock: Clock, *, history: float) -> Sight:
    """Ask every source that a detector reads, once for all it looks back, once for the newest tail, then for history."""
    plan = plan_of(sections_of(settings))
    metered = Metered(http)
    sources = build_sources(settings.telemetry, metered, clock, max_bytes=settings.limits.response)
    found = []
    for name, planned in plan.sources.items():
        rules = tuple(r for r in plan.rules.values() if r.source == name and r.signal.kind != "probe")
        if rules:
            asking = _Asking(sources[name], planned, rules, metered, clock)
            seen = asking.now()
            if history > 0 and planned.has_history and seen.answered:
                seen = replace(seen, past=asking.past(seen, history, settings.limits.series))
            found.append(seen)
        sources[name].close()
    return Sight(settings, tuple(found))


class _Asking:
    """One source, asked as detection asks it."""

    def __init__(
        self, source: Source, plan: SourcePlan, rules: tuple[Rule, ...], metered: Metered, clock: Clock
    ) -> None:
        self._source, self._plan, self._rules = source, plan, rules
        self._metered, self._clock = metered, clock

    def now(self) -> Seen:
        """A first fetch and, where it was answered, another of the tail."""
        at = self._clock.now()
        first, cost = self._fetch(self._plan.wanted, None, at, self._plan.first_timeout)
        seen = Seen(self._plan, self._rules, at, first, cost)
        if isinstance(first, Failed):
            return seen
        again, cost = self._fetch(self._plan.wanted, first.at, self._clock.now(), self._plan.first_timeout)
        return replace(seen, again_cost=cost if isinstance(again, Batch) else None)

    def past(self, seen: Seen, history: float, most_series: int) -> dict[str, Past]:
        """Every rule over the newest `history` seconds, or as many as the bounds allow; the same code as live."""
        lookers = [_Looker(rule) for rule in self._rules]
        plan = self._plan
        piece = min(_PIECE, _MOST_TICKS * plan.every)
        rings = Rings(
            plan.name, retention=plan.retention + piece, max_series=most_series, interval=plan.interval
        )
        end = seen.at - plan.delay
        end = end if seen.newest is None else min(end, seen.newest)
        start = end - self._affordable(seen, history)
        patience = self._clock.monotonic() + _PATIENCE
        for begin, until in _pieces(start, end, piece):
            # the first piece also brings what detectors look back
            batch = self._piece(begin - plan.wanted.look_back if begin == start else begin, until)
            if batch is None or self._clock.monotonic() > patience:
                break
            rings.add(batch)
            if not any(len(block.series) > 1 for block in batch.blocks):
                continue  # before the source's memory begins
            for ticks in _blocks(np.arange(begin, until - 1e-6, plan.every), rings.series_count):
                for looker in lookers:
                    looker.take({plan.name: rings}, ticks)
        return {looker.rule.name: looker.past for looker in lookers}

    def _piece(self, since: float, until: float) -> Batch | None:
        wanted = replace(self._plan.wanted, look_back=until - since + 60.0)
        batch, _ = self._fetch(wanted, since, until + self._plan.delay, self._plan.first_timeout)
        return batch if isinstance(batch, Batch) and batch.complete else None

    def _affordable(self, seen: Seen, history: float) -> float:
        series = sum(1 for _ in seen.series)
        interval = seen.interval or self._plan.interval or self._plan.every
        per_second = max(series, 1) * (1 / interval + len(self._rules) / 20 / self._plan.every)
        return float(min(history, _MOST_CELLS / per_second))

    def _fetch(
        self, wanted: Wanted, since: float | None, now: float, timeout: float
    ) -> tuple[Batch | Failed, Cost]:
        size, begun = self._metered.size, self._clock.monotonic()
        answer = self._source.fetch(wanted, since, now, begun + timeout)
        return answer, Cost(self._metered.size - size, self._clock.monotonic() - begun)


class _Looker:
    """One rule on its way through the history."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.past = Past(0.0)
        self._state: State = fresh_state(rule)

    def take(self, rings: dict[str, Rings], ticks: Floats) -> None:
        values, observations = evaluate(self.rule, rings, ticks)
        self._state, transitions = advance(self.rule, self._state, observations, values, ticks)
        good = (values.quality == Quality.OK) & ~np.isnan(values.value)
        known = values.value[good]
        self.past = Past(
            self.past.length + float(good.any(axis=1).sum()) * self.rule.step,
            float(np.fmax(self.past.highest, known.max() if known.size else math.nan)),
            float(np.fmin(self.past.lowest, known.min() if known.size else math.nan)),
            self.past.fired + sum(1 for one in transitions if one.state is TransitionState.FIRED),
        )


def _pieces(begin: float, end: float, length: float) -> Iterator[tuple[float, float]]:
    while begin < end - 1e-6:
        yield begin, min(begin + length, end)
        begin += length


def _blocks(ticks: Floats, series: int) -> Iterator[Floats]:
    size = max(1, _BLOCK // max(series, 1))
    for start in range(0, len(ticks), size):
        yield ticks[start : start + size]
