"""Levels: what an assessment looks at, as one value. The same level asks for the same changes: none, if it asked for none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from daemon.assess.reconcile import Known
from daemon.assess.topology import Topology
from daemon.incidents.model import BLIND, IncidentState
from daemon.incidents.reported import Reported
from detectors.board import Board, Finding, FindingState

TIMED = frozenset({IncidentState.RECOVERED, IncidentState.CLOSED})
"""States of incidents of which something is decided by the newest reading, or by the clock."""


class Level(NamedTuple):
    """Compared as a whole; a value that moves while nothing else does is no other level."""

    findings: tuple[tuple[object, ...], ...]
    populations: dict[str, frozenset[object]]
    incidents: tuple[tuple[str, int], ...]
    in_flight: frozenset[str]
    reported: tuple[Reported, ...]
    topology: Topology


def level_of(board: Board, known: Known, reported: Sequence[Reported], topology: Topology) -> Level | None:
    """None where time alone may ask for a change: something is not seen, or waits for a date, or only advises."""
    timed = any(i.state in TIMED or i.advises or i.failure_mode == BLIND for i in known.incidents)
    if timed or board.sources_down or not board.all_rounds_done:
        return None
    findings = board.findings.values()
    if any(map(_unclear, findings)):
        return None
    return Level(
        tuple(map(_shape, findings)),
        dict(board.populations),
        tuple((incident.id, incident.version) for incident in known.incidents),
        known.in_flight,
        tuple(reported),
        topology,
    )


def _unclear(finding: Finding) -> bool:
    seen = finding.blind_since is None and finding.back_since is None and not finding.blind
    return not seen or finding.state is FindingState.NO_DATA


def _shape(finding: Finding) -> tuple[object, ...]:
    return (
        finding.detector,
        finding.scope,
        finding.state,
        finding.since,
        finding.threshold,
        finding.severity,
        finding.corroborated,
        finding.flapping,
        finding.advises,
    )
