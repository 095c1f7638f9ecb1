"""From the loop's memory to the snapshot the faces read: one immutable value, published by one assignment."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from config.loader import Loaded
from config.scope import Scope
from daemon.desk.snapshot import Cell, Due, Snapshot, SourceView
from daemon.detect.watch import Watch
from daemon.loop.ground import Ground
from daemon.settings.model import Settings
from daemon.store.unit import UnitOfWork
from detectors.board import Finding
from detectors.spec import PrometheusSource, ScrapeSource
from detectors.texts import threshold_text

SPARK = 60
"""Values of a sparkline."""
SPARK_SPAN = 1800.0
STATES = {"up": "ok", "failing": "late", "down": "down", "waiting": "unknown"}
MOST_DUE = 20
FAR = 1e11
"""Later than any due time (unix seconds)."""


def snapshot_of(
    loop: Ground,
    loaded: Loaded[Settings],
    *,
    version: str,
    leader: str,
    started_at: float,
    loaded_at: float,
    cycle: tuple[float, float] | None,
    refused: tuple[str, ...],
    now: float,
) -> Snapshot:
    """Everything true right now. `cycle`: (when, milliseconds) of the last one."""
    settings = loaded.model
    with loop.store.read() as uow:
        due = _due(uow)
    switch = loop.control.kill_switch()
    board = loop.board
    return Snapshot(
        at=now,
        version=version,
        environment=settings.environment,
        autonomy=str(settings.autonomy),
        leader=leader,
        started_at=started_at,
        poll_interval=settings.poll_interval,
        paused=(switch,) if switch else (),
        rounds_done=board is not None and board.all_rounds_done,
        sources=_sources(loop, settings, now),
        detectors_total=len(loop.stages.detection.watches),
        cells=_cells(loop, now),
        population={} if board is None else {mode: len(scopes) for mode, scopes in board.populations.items()},
        due=due,
        last_cycle_at=None if cycle is None else cycle[0],
        last_cycle_ms=None if cycle is None else cycle[1],
        config_loaded_at=loaded_at,
        refused=refused,
    )


def _sources(loop: Ground, settings: Settings, now: float) -> tuple[SourceView, ...]:
    views = []
    for view in loop.stages.detection.sources(now):
        spec = settings.telemetry[view.name]
        if isinstance(spec, PrometheusSource):
            address = spec.url
        elif isinstance(spec, ScrapeSource):
            address = f"{len(spec.targets)} target(s), first {spec.targets[0].url}"
        else:
            address = spec.path
        newest = None if view.age is None else now - view.age
        views.append(SourceView(view.name, spec.type, address, STATES[view.state], newest, view.reason))
    return tuple(views)


def _cells(loop: Ground, now: float) -> dict[str, tuple[Cell, ...]]:
    findings = {} if loop.board is None else loop.board.findings
    cells: dict[str, list[Cell]] = defaultdict(list)
    for name, watch in loop.stages.detection.watches.items():
        if watch.seen is not None:
            cells[str(watch.rule.mode)] += _cells_of(name, watch, findings, now)
    return {
        mode: tuple(sorted(row, key=lambda cell: (cell.detector, cell.scope))) for mode, row in cells.items()
    }


def _cells_of(
    name: str, watch: Watch, findings: Mapping[tuple[str, Scope], Finding], now: float
) -> list[Cell]:
    """Every scope of one detector: whole columns at once, for there may be thousands and a step has little time."""
    assert watch.seen is not None
    values, seen = watch.seen
    known, measured = (seen.fire[0] >= 0).tolist(), values.value[0].tolist()
    observed = values.observed_at[0].tolist()
    sparks = watch.sparks(now - SPARK_SPAN, now, SPARK)
    threshold, line = threshold_text(watch.rule), watch.rule.fire.threshold
    cells = []
    for column, scope in enumerate(values.scopes):
        finding = findings.get((name, scope))
        state = "ok" if known[column] else "unknown"
        cells.append(
            Cell(
                detector=name,
                scope=scope,
                state=state if finding is None else str(finding.state),
                value=measured[column] if known[column] and math.isfinite(measured[column]) else None,
                threshold=threshold,
                line=line,
                since=finding.since if finding is not None else None,
                observed_at=observed[column] if math.isfinite(observed[column]) else None,
                blind=finding is not None and finding.blind,
                spark=sparks.get(scope, ()),
            )
        )
    return cells


def _due(uow: UnitOfWork) -> tuple[Due, ...]:
    found = [Due(run.due_at, f"{run.state}", run.id) for run in uow.runs.active() if run.due_at is not None]
    for escalation in uow.escalations.due(FAR, limit=MOST_DUE):
        level = escalation.next_at == escalation.next_level_at
        what = f"L{escalation.level + 1} is paged" if level else "reminder"
        found.append(Due(escalation.next_at or FAR, what, escalation.id))
    found += [
        Due(debt.due_at, f"debt {debt.rung} falls due", debt.incident)
        for debt in uow.debts.unpaid()
        if debt.due_at is not None
    ]
    return tuple(sorted(found, key=lambda due: due.at)[:MOST_DUE])
