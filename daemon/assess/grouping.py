"""From findings to the incidents there should be: one per failure mode and scope, rolled up, shared causes joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from config.scope import WHOLE, Scope, scope_of
from config.section import SEVERITY_OF, FailureMode
from daemon.assess.topology import RollUp, Topology
from daemon.incidents.model import BLIND, Impact, worse
from daemon.incidents.reported import Reported
from detectors.board import Board, Finding, FindingState

Key = tuple[str, Scope]
"""Failure mode and scope: what makes an incident one."""

FIRING = frozenset({FindingState.FIRING, FindingState.CLEARING})
BLIND_SEVERITY = "high"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An incident there should be, by what fires now."""

    key: Key
    findings: tuple[Finding, ...]
    alerts: tuple[Reported, ...]
    severity: str
    since: float
    impact: Impact
    shared: bool = False
    reason: str = ""
    """For lost telemetry: what is missing."""
    advises: bool = False
    """All of its findings only advise."""


def wanted(
    board: Board,
    reported: Iterable[Reported],
    open_keys: Collection[Key],
    topology: Topology,
    *,
    advised: Collection[Key] = (),
) -> dict[Key, Wanted]:
    """All incidents there should be. An open roll-up or shared cause keeps its parts until it ends itself.

    Advice makes incidents of its own, and only where nothing that may be acted upon does: it adds nothing to those.
    `advised`: keys of what is open and only advises.
    """
    alerts: dict[Key, list[Reported]] = defaultdict(list)
    for alert in reported:
        alerts[alert.failure_mode, alert.scope].append(alert)
    groups: dict[Key, tuple[list[Finding], bool]] = {key: ([], False) for key in alerts}
    groups |= dict(_grouped(board, open_keys, topology, advises=False))
    found = {key: _wanted(key, fs, alerts[key], board, shared=shared) for key, (fs, shared) in groups.items()}
    for key, (findings, shared) in _grouped(board, advised, topology, advises=True):
        if key not in found:
            found[key] = replace(_wanted(key, findings, [], board, shared=shared), advises=True)
    return found | _lost_telemetry(board)


def _grouped(
    board: Board, open_keys: Collection[Key], topology: Topology, *, advises: bool
) -> Iterator[tuple[Key, tuple[list[Finding], bool]]]:
    """(key, (findings, shared)) of all that fires and advises, or may be acted upon."""
    firing: dict[str, dict[Scope, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in board.findings.values():
        if finding.state in FIRING and finding.advises is advises:
            firing[finding.failure_mode][finding.scope].append(finding)
    for mode, scopes in firing.items():
        for key, findings, shared in _groups(mode, scopes, board, open_keys, topology):
            yield key, (findings, shared)


def _groups(
    mode: str,
    scopes: Mapping[Scope, list[Finding]],
    board: Board,
    open_keys: Collection[Key],
    topology: Topology,
) -> Iterable[tuple[Key, list[Finding], bool]]:
    left = dict(scopes)
    known = {scope for scope in board.populations.get(mode, frozenset()) if scope}
    if _is_whole(mode, left.keys(), known, open_keys):
        yield (mode, WHOLE), [f for fs in left.values() for f in fs], False
        left = _on_their_own(mode, left, open_keys)
    elif mode == FailureMode.PROVIDER_OUTAGE and (
        (mode, WHOLE) in open_keys or _is_shared(left, board.populations.get(mode, frozenset()), topology)
    ):
        yield (mode, WHOLE), [f for fs in left.values() for f in fs], True
        left = _on_their_own(mode, left, open_keys)
    rule = topology.roll_up.get(FailureMode(mode))
    if rule is not None:
        for parent, parts in _rolled_up(mode, left, rule, open_keys):
            for scope in parts:
                if (mode, scope) not in open_keys:
                    left.pop(scope)
            yield (mode, parent), [f for scope in parts for f in scopes[scope]], False
    for scope, findings in left.items():
        yield (mode, scope), findings, False


def _is_whole(
    mode: str, firing: Collection[Scope], known: Collection[Scope], open_keys: Collection[Key]
) -> bool:
    """Every consumer is gone: that is the whole pipeline, not so many single failures, until the last is back."""
    if mode != FailureMode.INGESTION_STOPPED:
        return False
    return (mode, WHOLE) in open_keys or (len(known) > 1 and set(known) <= set(firing))


def _on_their_own(
    mode: str, scopes: Mapping[Scope, list[Finding]], open_keys: Collection[Key]
) -> dict[Scope, list[Finding]]:
    """Parts with an incident of their own keep it: joining is no recovery. The wider one explains them."""
    return {scope: fs for scope, fs in scopes.items() if scope and (mode, scope) in open_keys}


def _is_shared(scopes: Mapping[Scope, object], population: Collection[Scope], topology: Topology) -> bool:
    count = len([scope for scope in scopes if scope])
    return count >= 2 and len(population) > 2 and count >= topology.shared_cause * len(population)


def _rolled_up(
    mode: str, scopes: Mapping[Scope, object], rule: RollUp, open_keys: Collection[Key]
) -> list[tuple[Scope, list[Scope]]]:
    families: dict[Scope, list[Scope]] = defaultdict(list)
    for scope in scopes:
        labels = dict(scope)
        if rule.by in labels and len(labels) > 1:
            families[scope_of({rule.by: labels[rule.by]})].append(scope)
    return [
        (parent, parts)
        for parent, parts in families.items()
        if len(parts) >= rule.from_ or (mode, parent) in open_keys
    ]


def _wanted(
    key: Key, findings: list[Finding], alerts: list[Reported], board: Board, *, shared: bool
) -> Wanted:
    mode, _ = key
    severity = str(SEVERITY_OF[FailureMode(mode)]) if not findings else findings[0].severity
    for name in [f.severity for f in findings] + [a.severity for a in alerts]:
        severity = worse(severity, name)
    affected = {f.scope for f in findings} or {key[1]}
    population = len(board.populations.get(mode, frozenset()) | affected)
    since = min([f.since for f in findings] + [a.since for a in alerts])
    impact = Impact(len(affected), population, _impact_text(mode, affected, population))
    return Wanted(key, tuple(findings), tuple(alerts), severity, since, impact, shared=shared)


def _impact_text(mode: str, affected: Collection[Scope], population: int) -> str:
    if affected == {WHOLE}:
        return "the whole pipeline"
    names = sorted({name for scope in affected for name, _ in scope})
    what = " and ".join(names) or mode
    listed = ", ".join(sorted("/".join(value for _, value in scope) for scope in affected)[:5])
    return f"{len(affected)} of {population} known by {what}: {listed}"


def _lost_telemetry(board: Board) -> dict[Key, Wanted]:
    """One incident per source, whether it is down or only some of its series are: never one per series or detector."""
    dark: dict[str, list[Finding]] = defaultdict(list)
    for finding in board.findings.values():
        if finding.state is FindingState.NO_DATA:
            dark[finding.source].append(finding)
    lost: dict[Key, Wanted] = {}
    for source in dark.keys() | board.sources_down.keys():
        findings = dark.get(source, [])
        down = board.sources_down.get(source)
        since = min([f.since for f in findings] + ([down[0]] if down else []))
        reason = down[1] if down else findings[0].reason.removeprefix(f"source {source}: ")
        names = sorted({f.detector for f in findings})
        what = "all of it" if down else f"{len(names)} detector(s): {', '.join(names[:6])}"
        key = (BLIND, scope_of({"source": source}))
        impact = Impact(len(findings) or 1, max(len(findings), 1), what)
        lost[key] = Wanted(
            key, tuple(findings), (), BLIND_SEVERITY, since, impact, reason=f"{reason} ({what})"
        )
    return lost
