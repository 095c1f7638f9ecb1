"""What came in: the rings of every source and probe, how each source fares, and what is news since last looked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from daemon.detect.fetching import Fetch, refused, unanswered
from daemon.detect.notices import Notices, SourceView, age_of
from daemon.detect.plan import Plan, SourcePlan
from daemon.detect.schedule import Schedule
from daemon.detect.sources.base import QUERY
from daemon.detect.watch import probe_rings
from detectors.findings import SourceWatch
from detectors.rings import Rings
from detectors.samples import UP, Batch, Block, Failed, Labels, Series
from remediations.run import Evidence

_PROBE_SERIES = 10_000


@dataclass(slots=True)
class Intake:
    """Single-threaded, like the stage. `ticks`: name of rings -> instant to evaluate at.

    `news`: rings that heard something since `fresh` was last called, and whether it was an answer.
    `known_until`: source -> end of what is known, missing while its whole look-back is wanted.
    """

    plan: Plan
    notices: Notices
    rings: dict[str, Rings] = field(default_factory=dict)
    watches: dict[str, SourceWatch] = field(default_factory=dict)
    ticks: dict[str, float] = field(default_factory=dict)
    known_until: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    news: dict[str, bool] = field(default_factory=dict)
    _names: dict[str, frozenset[str]] = field(default_factory=dict)

    def adopt(self, plan: Plan) -> None:
        """Make the rings fit a plan. Those whose source can tell its history, and is asked for more, begin anew."""
        self.plan = plan
        kept: dict[str, Rings] = {}
        for name, source in plan.sources.items():
            rings = self.rings.get(name)
            asked_before = self._names.get(name, frozenset())
            if rings is None or (source.has_history and not source.wanted.names <= asked_before):
                rings = Rings(
                    name,
                    retention=source.retention,
                    max_series=plan.sections.limits.series,
                    interval=source.interval,
                )
                self.known_until.pop(name, None)
                self._names[name] = source.wanted.names
            rings.retention = source.retention
            kept[name] = rings
            self.watches.setdefault(name, SourceWatch(source.hold)).hold = source.hold
        retention = max((source.retention for source in plan.sources.values()), default=3600.0)
        for probe in plan.probe_signals:
            name = probe_rings(probe)
            kept[name] = self.rings.get(name) or Rings(
                name, retention=retention, max_series=_PROBE_SERIES, interval=plan.sections.poll_interval
            )
        self.rings = kept
        self.watches = {name: watch for name, watch in self.watches.items() if name in plan.sources}

    def restart(self) -> None:
        """Forget all samples, and read again what can be read."""
        for name, rings in self.rings.items():
            interval = self.plan.sources[name].interval if name in self.plan.sources else None
            self.rings[name] = Rings(
                name, retention=rings.retention, max_series=rings.max_series, interval=interval
            )
        self.known_until.clear()
        self.ticks.clear()
        self.news.clear()

    def fresh(self) -> dict[str, bool]:
        """What is news, and from now on is not."""
        news, self.news = self.news, {}
        return news

    def take(self, batch: Batch, now: float) -> None:
        """Samples of a source. What of them cannot be kept is said, never dropped silently."""
        rings = self.rings[batch.source]
        limit = self.plan.sections.limits.series
        held = sum(other.series_count for other in self.rings.values()) - rings.series_count
        rings.max_series = max(0, limit - held)
        source = self.plan.sources[batch.source]
        if batch.complete and source.has_history and batch.source not in self.known_until:
            rings.told_since(batch.at - source.wanted.look_back)
        added = rings.add(batch)
        if added.dropped:
            text = f"{added.dropped} series beyond limits.series ({limit}) are not looked at"
            self.notices.add("series_limit", batch.source, text, now)
        if added.skewed:
            text = f"{added.skewed} samples lie more than 30 s in the future; check the clocks"
            self.notices.add("skewed", batch.source, text, now)
        if batch.complete:
            self.known_until[batch.source] = batch.at
        trouble = _trouble(batch)
        if trouble:
            self._in_trouble(batch.source, trouble, now)
        else:
            self.watches[batch.source].answered()
            kind = "unanswered" if _asked_in_vain(batch) else "partial"
            for warning in batch.warnings[:1]:
                self.notices.add(kind, batch.source, warning, now)
        self._heard(batch.source, batch.at, answered=not trouble)

    def fail(self, failed: Failed, now: float) -> None:
        """A source gave nothing."""
        self.rings[failed.source].fail(failed)
        self._in_trouble(failed.source, failed.reason, now)
        self._heard(failed.source, failed.at, answered=False)

    def take_answer(self, fetch: Fetch, evidence: Evidence, *, last: bool) -> None:
        """A probe that is a signal was answered; `last`: nobody else's answer of this round is awaited."""
        name = probe_rings(fetch.name)
        rings = self.rings.get(name)
        if rings is None:
            return
        target: Labels = (("probe", fetch.name), *fetch.scope)
        told = evidence.ok or refused(evidence) or unanswered(evidence) or evidence.status is not None
        series: tuple[Series, ...] = (Series(UP, target),)
        values = [1.0 if told else 0.0]
        if told:
            series = (*series, Series(f"probe:{fetch.name}", fetch.scope))
            values.append(float(evidence.ok))
        block = Block(target, np.array([evidence.at]), series, np.array([values]))
        rings.add(Batch(name, evidence.at, (block,)))
        if last:
            self._heard(name, evidence.at, answered=True)

    def down(self, now: float) -> dict[str, tuple[float, str]]:
        """Sources that gave nothing for their hold: since when, and why."""
        found = {name: watch.down(now) for name, watch in self.watches.items()}
        return {name: down for name, down in found.items() if down is not None}

    def begun(self, rings: str) -> float | None:
        """The oldest attempt to read anything into these rings; None when there was none that told."""
        firsts = [float(ring.attempts[0]) for ring in self.rings[rings] if len(ring.attempts)]
        return min(firsts, default=None)

    def views(self, now: float, schedule: Schedule) -> tuple[SourceView, ...]:
        """Every source as `status` shows it."""
        return tuple(
            SourceView(
                name=name,
                state=self._state(name, now),
                age=age_of(self.rings[name].newest, now),
                reason=self.watches[name].reason,
                series=self.rings[name].series_count,
                dropped=self.rings[name].dropped_series,
                errors=self.errors.get(name, 0),
                skipped=schedule.skipped.get(name, 0),
                late=schedule.late.get(name, 0),
            )
            for name in self.plan.sources
        )

    def source(self, name: str) -> SourcePlan | None:
        return self.plan.sources.get(name)

    def _in_trouble(self, source: str, reason: str, now: float) -> None:
        self.watches[source].failed(now, reason)
        self.errors[source] = self.errors.get(source, 0) + 1

    def _heard(self, rings: str, at: float, *, answered: bool) -> None:
        self.ticks[rings] = max(at, self.ticks.get(rings, -math.inf))
        self.news[rings] = answered or self.news.get(rings, False)

    def _state(self, name: str, now: float) -> str:
        watch = self.watches[name]
        if watch.down(now) is not None:
            return "down"
        if watch.since is not None:
            return "failing"
        return "up" if name in self.ticks else "waiting"


def _trouble(batch: Batch) -> str:
    """Why a batch gave nothing; empty when it gave something."""
    first = batch.warnings[0] if batch.warnings else ""
    if not batch.complete:
        return f"answer incomplete: {first}"
    ups = [block.values[-1, block.series.index(up)] for block in batch.blocks if (up := _up_of(block))]
    if ups and len(ups) == len(batch.blocks) and not any(ups):
        return first or "no target answered"
    return ""


def _asked_in_vain(batch: Batch) -> bool:
    """Whether a query of the batch was not answered; the samples beside it count all the same."""
    return any(
        block.target[:1] and block.target[0][0] == QUERY and not block.values[-1, 0] for block in batch.blocks
    )


def _up_of(block: Block) -> Series | None:
    return next((series for series in block.series if series.name == UP), None)
