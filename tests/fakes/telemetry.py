"""A pipeline's telemetry by hand: what each target would say at each instant, served as sources deliver it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from daemon.detect.fetching import Asked, Fetch
from daemon.detect.stage import Detection
from daemon.incidents.change import Job
from detectors.board import Board
from detectors.samples import UP, Batch, Block, Failed, Series
from detectors.state import Transition
from remediations.run import Evidence

Value = Callable[[float], float | None]
"""Value of a series at an instant; None where the series is not in that scrape."""


@dataclass
class FakeTelemetry:
    """One Prometheus-like source that scrapes one target every `interval` seconds and remembers everything.

    `up`: whether the target answers a scrape at an instant. `reachable`: whether the source answers a fetch.
    """

    series: dict[Series, Value]
    interval: float = 15.0
    begun: float = 0.0
    up: Callable[[float], bool] = lambda _: True
    reachable: Callable[[float], bool] = lambda _: True
    warnings: Callable[[float], tuple[str, ...]] = lambda _: ()
    probes: Mapping[str, Callable[[float], Evidence | None]] = field(default_factory=dict)
    history: bool = True

    def answer(self, fetch: Fetch) -> Batch | Failed:
        if not self.reachable(fetch.at):
            return Failed(fetch.name, fetch.at, "connection refused")
        assert fetch.wanted is not None
        begin = fetch.at - fetch.wanted.look_back if fetch.since is None else fetch.since - 30
        if not self.history:
            begin = fetch.at - 1e-3
        first = max(np.ceil((begin - self.begun) / self.interval), 0)
        times = np.arange(self.begun + first * self.interval, fetch.at + 1e-9, self.interval)
        target = (("instance", "a:1"), ("job", "x"))
        wanted = [item for item in self.series if item.name in fetch.wanted.names]
        values = np.full((len(times), 1 + len(wanted)), np.nan)
        for row, at in enumerate(times):
            values[row, 0] = float(self.up(at))
            if self.up(at):
                values[row, 1:] = [np.nan if (v := self.series[item](at)) is None else v for item in wanted]
        labelled = tuple(Series(i.name, tuple(sorted((*i.labels, *target)))) for i in wanted)
        block = Block(target, times, (Series(UP, target), *labelled), values)
        blocks = (block,) if len(times) else ()
        said = self.warnings(fetch.at)
        return Batch(fetch.name, fetch.at, blocks, complete=not said, warnings=said)


@dataclass
class Story:
    """Drives a `Detection` over virtual time: polls, answers at once, evaluates; keeps every transition."""

    detection: Detection
    telemetry: Mapping[str, FakeTelemetry]
    ask: Callable[[Fetch, float], Evidence] = lambda _fetch, now: Evidence(now, ok=True, status=200)
    transitions: list[Transition] = field(default_factory=list)
    board: Board | None = None
    asked: list[Fetch] = field(default_factory=list)

    def run(self, begin: float, end: float, step: float = 15.0) -> Story:
        """From `begin` to `end`, both included."""
        for at in np.arange(begin, end + 1e-9, step).tolist():
            self.tick(at)
        return self

    def tick(self, now: float) -> None:
        while jobs := self.detection.due(now):
            for job in jobs:
                self.hand_back(job, now)
        self.board = self.detection.evaluate(now) or self.board
        self.transitions += self.detection.transitions()

    def hand_back(self, job: Job, now: float) -> None:
        fetch = job.args["fetch"]
        self.asked.append(fetch)
        if fetch.asked is Asked.SOURCE:
            self.detection.take(self.telemetry[fetch.name].answer(fetch), now)
        else:
            self.detection.answered(job.key, self.ask(fetch, now), now)

    def events(self, *states: str) -> list[tuple[str, float]]:
        """(state, at) of the transitions, or of those named."""
        return [(str(t.state), t.at) for t in self.transitions if not states or t.state in states]
