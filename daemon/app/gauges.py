"""What is true now as metrics: levels set, and totals counted on, once a second from the loop's publication."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import Counter, Gauge

from config.section import Autonomy
from daemon import log
from daemon.app.build import SLOTS
from daemon.detect.notices import Notice, SourceView
from daemon.loop.ground import Ground
from daemon.metrics import Metrics
from daemon.store.unit import UnitOfWork
from detectors.board import FindingState
from detectors.observe import UNKNOWN

EVERY = 1.0
"""Seconds between two looks; counting every step would cost more than it tells."""

Labels = tuple[str, ...]


class Gauges:
    """Remembers what it showed, so that a series whose reason is gone goes as well, and totals are counted on once."""

    def __init__(self, metrics: Metrics, waiting: Mapping[str, Callable[[], int]]) -> None:
        """`waiting`: what queues outside of the loop, by name."""
        self._metrics, self._waiting = metrics, waiting
        self._shown: dict[str, set[Labels]] = {}
        self._totals: dict[tuple[str, Labels], float] = {}
        self._judged: dict[str, float] = {}
        self._told: set[tuple[str, str, float]] = set()
        self._failing: set[str] = set()
        self._at = 0.0

    def show(self, loop: Ground, autonomy: Autonomy, now: float) -> None:
        """Set everything. Raises `StoreSick`."""
        self._unknown(loop)
        if 0.0 <= now - self._at < EVERY:
            return
        self._at = now
        with loop.store.read() as uow:
            self._rows(uow)
            paused = len(uow.mutes.active(now)) + (loop.control.kill_switch() is not None)
        self._detection(loop, now)
        self._self(loop, autonomy, paused)

    def _rows(self, uow: UnitOfWork) -> None:
        metrics = self._metrics
        incidents = Count[Labels]((i.failure_mode, str(i.state)) for i in uow.incidents.open())
        self._levels("incidents", metrics.incidents, incidents)
        metrics.storm.set(uow.incidents.storm() is not None)
        pages = Count[Labels]((row.channel, str(row.state)) for row in uow.deliveries.unsent())
        self._levels("pages", metrics.pages, pages)
        debts = Count[Labels]((str(debt.state),) for debt in uow.debts.unpaid())
        self._levels("debts", metrics.debts, debts)

    def _detection(self, loop: Ground, now: float) -> None:
        metrics, detection = self._metrics, loop.stages.detection
        views = detection.sources(now)
        self._sources(views)
        ages: dict[Labels, float] = {(view.name,): view.age for view in views if view.age is not None}
        self._levels("age", metrics.source_age_seconds, ages)
        self._levels("series", metrics.series, {(view.name,): view.series for view in views})
        self._levels("dropped", metrics.series_dropped, {(view.name,): view.dropped for view in views})
        for view in views:
            self._count("late", metrics.source_errors, (view.name, "late"), view.late)
            failed = max(0, view.errors - view.late)
            self._count("failed", metrics.source_errors, (view.name, "failed"), failed)
            self._count("skipped", metrics.ticks_skipped, (view.name,), view.skipped)
        findings = () if loop.board is None else loop.board.findings.values()
        firing, blind = Count[Labels](), Count[Labels]()
        for name in detection.watches:
            firing[name,] = blind[name,] = 0
        for finding in findings:
            firing[finding.detector,] += finding.state in {FindingState.FIRING, FindingState.CLEARING}
            blind[finding.detector,] += finding.blind or finding.state is FindingState.NO_DATA
        self._levels("firing", metrics.detectors_firing, firing)
        self._levels("blind", metrics.detectors_blind, blind)
        self._notices(detection.notices(now))

    def _sources(self, views: Sequence[SourceView]) -> None:
        """A line when a source begins to fail and when it is back, none while either lasts."""
        failing = {view.name for view in views if view.state in {"failing", "down"}}
        for view in views:
            if view.name in failing - self._failing:
                log.get().warning(log.SOURCE_FAILED, source=view.name, error=view.reason)
            elif view.name in self._failing - failing:
                log.get().info(log.SOURCE_BACK, source=view.name)
        self._failing = failing

    def _notices(self, notices: tuple[Notice, ...]) -> None:
        """Each is said once when it begins, and shown while it lasts."""
        self._levels("notices", self._metrics.notices, {(notice.kind, notice.name): 1 for notice in notices})
        for notice in notices:
            if (notice.kind, notice.name, notice.since) not in self._told:
                log.get().warning(log.NOTICED, kind=notice.kind, name=notice.name, text=notice.text)
        self._told = {(notice.kind, notice.name, notice.since) for notice in notices}

    def _unknown(self, loop: Ground) -> None:
        """Each evaluation once: scopes of which nothing could be said."""
        for name, watch in loop.stages.detection.watches.items():
            if watch.seen is None or self._judged.get(name) == watch.last_tick:
                continue
            self._judged[name] = watch.last_tick
            unknown = int((watch.seen[1].fire[-1] == UNKNOWN).sum())
            if unknown:
                self._metrics.observations_unknown.labels(name).inc(unknown)

    def _self(self, loop: Ground, autonomy: Autonomy, paused: int) -> None:
        metrics = self._metrics
        for name, pool in loop.pools.by_name().items():
            free = pool.free()
            for state, number in (("free", free), ("busy", SLOTS - free), ("abandoned", pool.abandoned)):
                metrics.worker_slots.labels(name, state).set(number)
        for queue, depth in self._waiting.items():
            metrics.queue_depth.labels(queue).set(depth())
        metrics.queue_depth.labels("questions").set(len(loop.waiting))
        for level in Autonomy:
            metrics.autonomy.labels(str(level)).set(level is autonomy)
        metrics.paused.set(paused)
        metrics.leader.set(loop.control.leader())
        metrics.items_parked.set(len(loop.parked))

    def _levels(self, name: str, gauge: Gauge, values: Mapping[Labels, float]) -> None:
        """Set these series and take away those that are not among them any more."""
        for labels in self._shown.get(name, set()) - values.keys():
            gauge.remove(*labels)
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        self._shown[name] = set(values)

    def _count(self, name: str, counter: Counter, labels: Labels, total: float) -> None:
        """Count on to a total that somebody else keeps; one that went back began anew."""
        key = (name, labels)
        before = self._totals.get(key, 0.0)
        counter.labels(*labels).inc(total - before if total >= before else total)
        self._totals[key] = total
