"""Which declared causes of an incident are not decided yet: a disruptive rung waits for them."""

from __future__ import annotations

from collections.abc import Mapping

from config.scope import Scope
from config.section import FailureMode
from daemon.assess.topology import Topology, is_total_of
from daemon.incidents.model import Incident
from detectors.board import Board, Finding, FindingState
from remediations.guardrails.facts import Cause

UNDECIDED = frozenset({FindingState.PENDING, FindingState.NO_DATA})
DECIDES_WITHIN = 45.0
"""Seconds after its hold in which a pending finding decides itself: it takes a poll at or after that, and its answer."""


def undecided_causes(
    incident: Incident, board: Board, topology: Topology, holds: Mapping[str, float]
) -> tuple[Cause, ...]:
    """Findings pending or unknown that would explain this incident. `holds`: detector -> its `for` in seconds.

    A pending cause settles when its own hold is over; one that cannot be seen is waited for as long, counted from
    this incident's detection.
    """
    symptom = (incident.failure_mode, incident.scope)
    causes = []
    for finding in board.findings.values():
        if finding.advises or finding.state not in UNDECIDED:
            continue
        if not _could_explain(finding, symptom, topology):
            continue
        if finding.state is FindingState.PENDING:
            settles_at = _decided_at(finding, holds)
        else:
            settles_at = incident.detected_at + holds.get(finding.detector, 0.0)
        causes.append(Cause(finding.failure_mode, finding.scope, str(finding.state), settles_at))
    return (*causes, *_shared_cause_forming(incident, board, topology, holds))


def _could_explain(finding: Finding, symptom: tuple[str, Scope], topology: Topology) -> bool:
    cause = (finding.failure_mode, finding.scope)
    return is_total_of(cause, symptom) or any(rule.explains(cause, symptom) for rule in topology.explains)


def _shared_cause_forming(
    incident: Incident, board: Board, topology: Topology, holds: Mapping[str, float]
) -> list[Cause]:
    """Others of its kind about to fire: together they may be one shared cause, or the whole pipeline."""
    shares: Mapping[str, float] = {
        FailureMode.PROVIDER_OUTAGE: topology.shared_cause,
        FailureMode.INGESTION_STOPPED: 1.0,
    }
    share = shares.get(incident.failure_mode, 0.0)
    mode = incident.failure_mode
    if not share or not incident.scope:
        return []
    population = {scope for scope in topology.whole(board.populations.get(mode, frozenset())) if scope}
    if len(population) < 2:
        return []
    own = [f for f in board.findings.values() if f.failure_mode == mode and f.scope and not f.advises]
    pending = {f.scope: f for f in own if f.state is FindingState.PENDING and f.scope != incident.scope}
    firing = {f.scope for f in own if f.state not in UNDECIDED}
    if len(firing | {incident.scope} | pending.keys()) < share * len(population):
        return []
    return [Cause(mode, f.scope, "pending", _decided_at(f, holds)) for f in pending.values()]


def _decided_at(finding: Finding, holds: Mapping[str, float]) -> float:
    return finding.since + holds.get(finding.detector, 0.0) + DECIDES_WITHIN
