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
        if finding.state not in UNDECIDED or not _could_explain(finding, symptom, topology):
            continue
        hold = holds.get(finding.detector, 0.0)
        start = finding.since if finding.state is FindingState.PENDING else incident.detected_at
        causes.append(Cause(finding.failure_mode, finding.scope, str(finding.state), start + hold))
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
    population = {scope for scope in board.populations.get(mode, frozenset()) if scope}
    if not share or not incident.scope or len(population) < 2:
        return []
    own = [f for f in board.findings.values() if f.failure_mode == mode and f.scope]
    pending = {f.scope: f for f in own if f.state is FindingState.PENDING and f.scope != incident.scope}
    firing = {f.scope for f in own if f.state not in UNDECIDED}
    if len(firing | {incident.scope} | pending.keys()) < share * len(population):
        return []
    return [Cause(mode, f.scope, "pending", f.since + holds.get(f.detector, 0.0)) for f in pending.values()]
