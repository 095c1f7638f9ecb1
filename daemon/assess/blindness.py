"""What explains that nothing can be seen: a dead process takes its numbers with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from config.scope import Scope, covers, scope_key, scope_of
from daemon.assess.grouping import Key
from daemon.assess.topology import Topology, cause_among
from daemon.incidents.model import BLIND, Incident
from detectors.board import Board, Finding, FindingState

WAITS = 900.0
"""Seconds for which what may yet be told as a fault holds the telling of blindness back at most."""


def cause_of(incident: Incident, open_now: Mapping[str, Key], board: Board, topology: Topology) -> str | None:
    """The open incident (of `open_now`, id -> key) that explains blindness, all of it; None when none does."""
    dark = _dark_at(incident.scope, board)
    if not dark:
        return None
    dark = [finding for finding in dark if finding.back_since is None]
    if not dark:
        return incident.explained_by  # all of it is coming back: it need only last
    known = {name: key for name, key in open_now.items() if key[0] != BLIND}
    causes = [_explaining(finding, known, topology) for finding in dark]
    return None if None in causes else causes[0]


def may_be_explained(key: Key, board: Board, topology: Topology) -> bool:
    """Blindness that waits for a fault to be told first: one that is observed, would explain all of it, and has not lasted
    long enough yet. So it waits no longer than that fault's hold, and at most `WAITS`.
    """
    mode, where = key
    if mode != BLIND:
        return False
    seen = {
        f"{finding.detector} {scope_key(finding.scope)}": (finding.failure_mode, finding.scope)
        for finding in board.findings.values()
        if finding.state is FindingState.PENDING
        and finding.blind_since is None
        and not finding.advises
        and board.at - finding.since < WAITS
    }
    dark = _dark_at(where, board)
    return bool(dark) and all(_explaining(finding, seen, topology) is not None for finding in dark)


def _dark_at(where: Scope, board: Board) -> list[Finding]:
    """What is dark at this source while the source itself answers: only that may have a cause in the pipeline."""
    if any(dict(where).get("source") == source for source in board.sources_down):
        return []
    return [f for f in board.findings.values() if f.state is FindingState.NO_DATA and where == _home(f)]


def _home(finding: Finding) -> Scope:
    return scope_of({"source": finding.source})


def _explaining(finding: Finding, known: Mapping[str, Key], topology: Topology) -> str | None:
    """A fault of the same mode that touches the same scope, or one that is declared to cause this mode."""
    for name, (mode, scope) in known.items():
        if mode == finding.failure_mode and (covers(scope, finding.scope) or covers(finding.scope, scope)):
            return name
    return cause_among((finding.failure_mode, finding.scope), known, topology)
