"""What the sources answered, as checks look at it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from daemon.detect.plan import SourcePlan
from daemon.escalate.ical import Calendar
from daemon.settings.lint.check import Found, Path, Topic
from daemon.settings.model import Settings
from detectors.rule import Rule, Signal
from detectors.samples import UP, Batch, Failed, Series


@dataclass(frozen=True, slots=True)
class LiveCheck(Topic):
    """A check that needs an answer. `sees`: what `asked`, a source or a manager, says in the example, in words."""

    sees: str
    find: Callable[[Sight], Iterable[Found]]
    asked: str = "the source"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one fetch: bytes of all answers together (0 where a source does not count them) and seconds."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Past:
    """One detector over the history of its source. `length`: seconds of which something was known; `fired`: findings begun.

    `highest`, `lowest`: of all values that were known, NaN when none was.
    """

    length: float
    highest: float = math.nan
    lowest: float = math.nan
    fired: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One source. `first`: a fetch of all that detectors look back; `again`: one of the newest tail, as every poll."""

    plan: SourcePlan
    rules: tuple[Rule, ...]
    at: float
    first: Batch | Failed
    first_cost: Cost
    again_cost: Cost | None = None
    past: Mapping[str, Past] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return ("telemetry", self.plan.name)

    @property
    def answered(self) -> bool:
        return isinstance(self.first, Batch)

    @property
    def series(self) -> Iterator[Series]:
        """All series of detectors' metrics, `up` left out."""
        if isinstance(self.first, Batch):
            for block in self.first.blocks:
                yield from (item for item in block.series if item.name != UP)

    def selected(self, signal: Signal, names: tuple[str, ...]) -> list[Series]:
        """The series of these metrics that the signal's `where` lets through."""
        wanted = set(names)
        return [item for item in self.series if item.name in wanted and _accepted(signal, item)]

    @property
    def interval(self) -> float | None:
        """Median seconds between the scrapes seen; None with fewer than three of any target."""
        if not isinstance(self.first, Batch):
            return None
        steps = [
            np.diff(block.times)
            for block in self.first.blocks
            if len(block.times) > 2 and _target(block.target)
        ]
        return float(np.median(np.concatenate(steps))) if steps else None

    @property
    def newest(self) -> float | None:
        """Unix seconds of the newest sample of any target."""
        if not isinstance(self.first, Batch):
            return None
        ends = [
            float(block.times[-1])
            for block in self.first.blocks
            if len(block.times) and _target(block.target)
        ]
        return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """What a process manager says of a unit that is named at `path`. `silent`: nobody answered; `unknown`: it cannot tell."""

    path: Path
    manager: str
    name: str
    said: str
    silent: bool = False
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class CalendarSeen:
    """What the calendar of a schedule said at `at`; None where it cannot be read, and `error` says why."""

    schedule: str
    at: float
    said: Calendar | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """All sources that detectors read, all units that rungs and witnesses name, and all calendars of schedules."""

    settings: Settings
    sources: tuple[Seen, ...]
    units: tuple[UnitSeen, ...] = ()
    calendars: tuple[CalendarSeen, ...] = ()

    @property
    def answering(self) -> Iterator[Seen]:
        return (source for source in self.sources if source.answered)

    @property
    def watched(self) -> Iterator[tuple[Seen, Rule]]:
        """Every detector whose source answered."""
        for source in self.answering:
            for rule in source.rules:
                yield source, rule


def edges_of(source: Seen, signal: Signal) -> list[float]:
    """The finite upper edges of a histogram's buckets, ascending."""
    found = {dict(item.labels).get("le", "") for item in source.selected(signal, signal.of)}
    numbers = {number for text in found if (number := _number(text)) is not None and math.isfinite(number)}
    return sorted(numbers)


def place_of(rule: Rule, *parts: str | int) -> Path:
    """The place of a key of the detector's signal; of a query, the query (push-down included)."""
    if rule.signal.kind == "promql":
        return ("detectors", rule.name, "signal")
    outer = ("baseline", "signal") if rule.baseline is not None else ()
    return ("detectors", rule.name, "signal", *outer, *rule.signal.keys, *parts)


def _accepted(signal: Signal, item: Series) -> bool:
    labels = dict(item.labels)
    return all(matcher.accepts(labels.get(matcher.label, "")) for matcher in signal.where)


def _target(target: tuple[tuple[str, str], ...]) -> bool:
    """Whether a block is a target's: answers of queries come in blocks of their own."""
    return not (len(target) == 1 and target[0][0] == "query")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
