"""From the loop's memory to the snapshot the faces read: one immutable value, published by one assignment."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from config.loader import Loaded
from config.scope import Scope
from daemon.assess.topology import Partial, Topology
from daemon.desk.snapshot import Cell, Due, Snapshot, SourceView
from daemon.detect.watch import Watch
from daemon.loop.ground import Ground
from daemon.settings.model import Settings
from daemon.store.unit import UnitOfWork
from detectors.board import Board, Finding, FindingState
from detectors.spec import PrometheusSource, ScrapeSource
from detectors.state import Phase
from detectors.texts import threshold_text

SPARK = 60
"""Values of a sparkline."""
SPARK_SPAN = 1800.0
STATES = {"up": "ok", "failing": "late", "down": "down", "waiting": "unknown"}
MOST_DUE = 20
_WORST_FIRST = (FindingState.FIRING, FindingState.CLEARING, FindingState.NO_DATA, FindingState.PENDING)
_IDLE = np.int8(Phase.IDLE)
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
        population={} if board is None else _population(board, loop.stages.topology),
        due=due,
        last_cycle_at=None if cycle is None else cycle[0],
        last_cycle_ms=None if cycle is None else cycle[1],
        config_loaded_at=loaded_at,
        refused=refused,
    )


def _population(board: Board, topology: Topology) -> dict[str, int]:
    return {mode: len(topology.whole(scopes)) for mode, scopes in board.populations.items()}


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
            cells[str(watch.rule.mode)] += _cells_of(name, watch, findings, loop.stages.topology, now)
    return {
        mode: tuple(sorted(row, key=lambda cell: (cell.detector, cell.scope))) for mode, row in cells.items()
    }


def _cells_of(
    name: str, watch: Watch, findings: Mapping[tuple[str, Scope], Finding], topology: Topology, now: float
) -> list[Cell]:
    """Every scope of one detector: whole columns at once, for there may be thousands and a step has little time.

    Parts are shown by the incident they would belong to: the worst of them says how it is.
    """
    assert watch.seen is not None
    values, seen = watch.seen
    joined = joint(values.scopes, topology)
    if joined is not None:
        return _joint_cells(name, watch, joined, findings)
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


@dataclass(frozen=True, slots=True)
class Joint:
    """`scopes[N]`: the incidents that parts would belong to; `place[S]`: which of them each scope does."""

    scopes: tuple[Scope, ...]
    place: NDArray[np.intp]


def joint(scopes: tuple[Scope, ...], topology: Topology) -> Joint | None:
    """None where any of the scopes stands for itself."""
    if topology.partial is None or not scopes or not topology.is_part(scopes[0]):
        return None
    return _joint(scopes, topology.partial)


@lru_cache(maxsize=16)
def _joint(scopes: tuple[Scope, ...], partial: Partial) -> Joint | None:
    parts = [partial.joined(scope) for scope in scopes]
    if None in parts:
        return None
    places = {part: place for place, part in enumerate(dict.fromkeys(parts))}
    return Joint(tuple(part for part in places if part is not None), np.array([places[one] for one in parts]))


def _joint_cells(
    name: str, watch: Watch, joined: Joint, findings: Mapping[tuple[str, Scope], Finding]
) -> list[Cell]:
    assert watch.seen is not None
    values, seen = watch.seen
    known = np.bincount(joined.place, weights=seen.fire[0] >= 0, minlength=len(joined.scopes)) > 0
    worst: dict[int, Finding] = {}
    busy = (watch.state.phase != _IDLE) | watch.state.no_data
    for place in np.flatnonzero(busy[: len(values.scopes)]).tolist():
        finding, part = findings.get((name, values.scopes[place])), int(joined.place[place])
        if finding is not None and (part not in worst or _order(finding) < _order(worst[part])):
            worst[part] = finding
    threshold, line = threshold_text(watch.rule), watch.rule.fire.threshold
    cells = []
    for place, scope in enumerate(joined.scopes):
        found = worst.get(place)
        state = "ok" if known[place] else "unknown"
        cells.append(
            Cell(
                detector=name,
                scope=scope,
                state=state if found is None else str(found.state),
                value=None if found is None else found.value,
                threshold=threshold,
                line=line,
                since=None if found is None else found.since,
                observed_at=None if found is None else found.observed_at,
                blind=found is not None and found.blind,
            )
        )
    return cells


def _order(finding: Finding) -> tuple[int, float]:
    return _WORST_FIRST.index(finding.state), finding.since


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
