"""`check --live`: asks every telemetry source for what the detectors need, process managers for the units named, and
the calendars of schedules.

The answers go to the live checks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from config.loader import Loaded
from config.problems import Problem
from daemon.app.build import sections_of
from daemon.app.calendars import ask_calendars
from daemon.cli.units import ask_units
from daemon.detect.plan import SourcePlan, plan_of
from daemon.detect.sources.base import Source, Wanted
from daemon.detect.sources.registry import build_sources
from daemon.files import FileDoor
from daemon.replay.backtest import EventState, backtest
from daemon.settings.lint.live.seen import Cost, Past, Seen, Sight
from daemon.settings.lint.registry import lint_live
from daemon.settings.model import Settings
from detectors.rule import Rule
from detectors.samples import Batch, Failed
from remediations.actions.managers.manager import Manager
from remediations.ports import Clock, Files, Http, Request, Response

DAY = 86_400.0
FILES: Files = FileDoor()
_PIECE = 6 * 3600.0
_MOST_TICKS = 5_000
"""Seconds of history asked for at once, and the most evaluations in them: sources bound the points of an answer."""
_MOST_CELLS = 60_000_000
"""Samples and values of a source's history looked at in all: bounds memory and the time that people wait."""
_SLACK = 60.0
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
    loaded: Loaded[Settings],
    http: Http,
    clock: Clock,
    *,
    history: float = 7 * DAY,
    managers: Mapping[str, Manager] = MappingProxyType({}),
    files: Files = FILES,
) -> list[Problem]:
    """What the live checks find; each finding is also recorded on `loaded`. `history`: seconds, 0 for none.

    `managers`: the process managers that can be asked.
    """
    sight = look(loaded.model, http, clock, history=history)
    units = ask_units(loaded.model, managers, clock)
    calendars = ask_calendars(loaded.model, http, files, clock)
    problems = lint_live(loaded, replace(sight, units=units, calendars=calendars))
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
                seen = replace(seen, past=asking.past(seen, history, settings))
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

    def past(self, seen: Seen, history: float, settings: Settings) -> dict[str, Past]:
        """Every rule over the newest `history` seconds, or as many as the bounds allow: a backtest."""
        end = seen.at - self._plan.delay
        end = end if seen.newest is None else min(end, seen.newest)
        patient = _Patient(self._source, self._clock, self._plan.first_timeout)
        piece = min(_PIECE, _MOST_TICKS * self._plan.every)
        start = self._memory(patient, end - self._affordable(seen, history), end, piece)
        mine = {rule.name for rule in self._rules}
        sections = sections_of(settings)
        only = replace(sections, detectors={n: d for n, d in sections.detectors.items() if n in mine})
        told = backtest(
            only,
            {self._plan.name: patient},
            start,
            end,
            chunk=piece,
        )
        fired = Counter(event.detector for event in told.events if event.state is EventState.FIRED)
        return {
            name: Past(known.ticks * told.step, known.highest, known.lowest, fired[name])
            for name, known in told.ranges.items()
        }

    def _memory(self, source: Source, start: float, end: float, piece: float) -> float:
        """The beginning of the first piece that holds a sample: nothing is to be judged before it."""
        while start < end - piece:
            wanted = replace(self._plan.wanted, look_back=piece + _SLACK, queries=())
            batch = source.fetch(wanted, start, start + piece + self._plan.delay, math.inf)
            if isinstance(batch, Failed) or any(len(block.series) > 1 for block in batch.blocks):
                break
            start += piece
        return start

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


class _Patient:
    """Fits `Source`: people wait for this history. What takes too long, or failed once, is not asked for any more."""

    def __init__(self, source: Source, clock: Clock, within: float) -> None:
        self._source, self._clock, self._within = source, clock, within
        self._until = clock.monotonic() + _PATIENCE

    @property
    def name(self) -> str:
        return self._source.name

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """As the source answers, within its time."""
        begun = self._clock.monotonic()
        if begun > self._until:
            return Failed(self.name, now, "no time left")
        answer = self._source.fetch(wanted, since, now, min(deadline, begun + self._within))
        if isinstance(answer, Failed) or not answer.complete:
            self._until = -math.inf
        return answer

    def close(self) -> None:
        """Whoever opened the source closes it."""


def _fits(source: _Patient) -> Source:
    """The type checker proves here that this is a source."""
    return source
