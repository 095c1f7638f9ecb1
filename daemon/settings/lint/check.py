"""What a check is: a code, a reason, a remedy, an example that triggers it, and a pure function over the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from config.loader import Loaded
from config.problems import Gravity
from daemon.settings.model import Settings
from detectors.rule import Rule, rule_of
from detectors.spec import DetectorSpec, PrometheusSource, ScrapeSource, Source

Path = tuple[str | int, ...]
MARK = "# <--"
"""Stands in an example on the line that the finding is reported at."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of a check: where, what, and the remedy for this very place."""

    path: Path
    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class Topic:
    """What every check says of itself, whether it looks at the settings or at the sources.

    `code` never changes once released: people silence by it. `why` holds the formula, with its source where it has
    one. `example` triggers the check and `better` does not; both are pieces of YAML over a bare configuration.
    """

    code: str
    title: str
    gravity: Gravity
    why: str
    fix: str
    example: str
    better: str

    @property
    def marked_line(self) -> int:
        """Line of the example, from 1, that a finding is reported at."""
        return 1 + next(i for i, line in enumerate(self.example.splitlines()) if MARK in line)


@dataclass(frozen=True, slots=True)
class Check(Topic):
    """A check of the settings alone. `find` yields a finding per place."""

    find: Callable[[View], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Watched:
    """One detector with what its timing depends on.

    `interval`: seconds between scrapes, as configured, else the poll interval; `known`: whether it is configured.
    `step`: seconds between evaluations; `delay`: how far back ticks look.
    """

    name: str
    spec: DetectorSpec
    rule: Rule
    source: Source | None
    interval: float
    known: bool
    delay: float

    @property
    def path(self) -> Path:
        return ("detectors", self.name)

    @property
    def step(self) -> float:
        return self.rule.step

    @property
    def window(self) -> float:
        return self.rule.signal.window

    def in_signal(self, *parts: str | int) -> Path:
        """The place of a key of the signal's section."""
        outer = ("baseline", "signal") if self.rule.baseline is not None else ()
        return (*self.path, "signal", *outer, *self.rule.signal.keys, *parts)

    @property
    def at_window(self) -> Path:
        """The place of the window, or of the windows."""
        return self.in_signal("windows" if self.rule.signal.burns else "window")


class View:
    """The settings as checks look at them."""

    def __init__(self, loaded: Loaded[Settings]) -> None:
        self.loaded = loaded
        self.settings = loaded.model

    def written(self, path: Path) -> bool:
        """Whether the key stands in a file, the pack's included, or is a default."""
        return path[-1] in self.loaded.names(path[:-1])

    def raw(self, path: Path) -> object:
        """What was written there, as YAML reads it; None where there is nothing."""
        data = self._data
        for part in path:
            data = data.get(str(part)) if isinstance(data, dict) else None
        return data

    @cached_property
    def _data(self) -> Any:
        return self.loaded.data

    @cached_property
    def detectors(self) -> tuple[Watched, ...]:
        """In the order of the files; what is not enabled is not in the settings at all."""
        return tuple(self._watched())

    def _watched(self) -> Iterator[Watched]:
        settings = self.settings
        default = next(iter(settings.telemetry), "")
        for name, spec in settings.detectors.items():
            probes = spec.signal.probe is not None
            source = None if probes else settings.telemetry.get(spec.source or default)
            every = pace(source)
            polled = isinstance(source, ScrapeSource) and every is not None
            step = every if polled and every is not None else settings.poll_interval
            rule = rule_of(name, spec, default_source=default, step=step)
            delay = source.delay if isinstance(source, PrometheusSource) else 0.0
            yield Watched(name, spec, rule, source, every or settings.poll_interval, every is not None, delay)

    def labels_of(self, watched: Watched) -> frozenset[str] | None:
        """The labels of a detector's scopes; None where only the source knows (`promql`)."""
        signal = watched.rule.signal
        if signal.kind == "promql":
            return None
        if signal.kind == "probe":
            probe = self.settings.probes.get(signal.text)
            return frozenset(probe.labels) if probe is not None else None
        return frozenset(signal.by)


def pace(source: Source | None) -> float | None:
    """Seconds between two scrapes of a source, where they are configured."""
    if isinstance(source, ScrapeSource):
        return source.every if "every" in source.model_fields_set else None
    return source.scrape_interval if isinstance(source, PrometheusSource) else None
