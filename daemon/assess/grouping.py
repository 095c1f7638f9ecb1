"""From findings to the incidents there should be: one per failure mode and scope, rolled up, shared causes joined."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from config.scope import SEVERAL, WHOLE, Scope, scope_of
from config.section import SEVERITY_OF, FailureMode
from daemon.assess.topology import RollUp, Topology
from daemon.incidents.model import BLIND, Impact, worse
from daemon.incidents.reported import Reported
from detectors.board import Board, Finding, FindingState

Key = tuple[str, Scope]
"""Failure mode and scope: what makes an incident one."""

FIRING = frozenset({FindingState.FIRING, FindingState.CLEARING})
BLIND_SEVERITY = "high"
REPORTED_PART = "low"
"""Severity of parts that only alerts of other systems speak of: they are told once a day, whatever the alerts say."""
_NAMED, _NAME = 5, 40
"""Scopes that an impact names, and characters of each."""


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
    What is partial is always advice. `advised`: keys of what is open and only advises.
    """
    alerts: dict[Key, list[Reported]] = defaultdict(list)
    for alert in reported:
        alerts[alert.failure_mode, topology.part_of(alert.scope) or alert.scope].append(alert)
    found: dict[Key, Wanted] = {}
    for advises, open_ in ((False, open_keys), (True, advised)):
        groups: dict[Key, tuple[list[Finding], bool]] = {
            key: ([], False) for key in alerts if topology.is_part(key[1]) is advises
        }
        groups |= dict(_grouped(board, open_, topology, advises=advises))
        for key, (findings, shared) in groups.items():
            if key not in found:
                want = _wanted(key, findings, alerts.get(key, []), board, topology)
                found[key] = replace(want, advises=advises, shared=shared)
    return found | _lost_telemetry(board)


def _grouped(
    board: Board, open_keys: Collection[Key], topology: Topology, *, advises: bool
) -> Iterator[tuple[Key, tuple[list[Finding], bool]]]:
    """(key, (findings, shared)) of all that fires and advises, or may be acted upon."""
    firing: dict[str, dict[Scope, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in board.findings.values():
        if finding.state in FIRING and (finding.advises or topology.is_part(finding.scope)) is advises:
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
    joined: dict[Scope, list[Finding]] = defaultdict(list)
    for scope in scopes:
        part = topology.part_of(scope)
        if part is not None:
            joined[part] += left.pop(scope)
    for part, found in joined.items():
        yield (mode, part), found, False
    population = topology.whole(board.populations.get(mode, frozenset()))
    known = {scope for scope in population if scope}
    if _is_whole(mode, left.keys(), known, open_keys):
        yield (mode, WHOLE), [f for fs in left.values() for f in fs], False
        left = _on_their_own(mode, left, open_keys)
    elif mode == FailureMode.PROVIDER_OUTAGE and (
        (mode, WHOLE) in open_keys or _is_shared(left, population, topology)
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
    key: Key, findings: list[Finding], alerts: list[Reported], board: Board, topology: Topology
) -> Wanted:
    mode, scope = key
    part = topology.is_part(scope)
    severity = str(SEVERITY_OF[FailureMode(mode)]) if not findings else findings[0].severity
    if part and not findings:
        severity = REPORTED_PART
    for name in [f.severity for f in findings] + [a.severity for a in alerts if not part]:
        severity = worse(severity, name)
    affected = {f.scope for f in findings} or {a.scope for a in alerts}
    since = min([f.since for f in findings] + [a.since for a in alerts])
    everybody = board.populations.get(mode, frozenset())
    if part:
        population = max(topology.parts(everybody, scope), len(affected))
        text = _parts_text(findings, alerts, population, scope)
    else:
        population = len(topology.whole(everybody) | affected)
        text = _impact_text(mode, affected, population)
    impact = Impact(len(affected), population, text)
    return Wanted(key, tuple(findings), tuple(alerts), severity, since, impact)


def _parts_text(
    findings: Collection[Finding], alerts: Collection[Reported], population: int, where: Scope
) -> str:
    """`40 of 3000 customers of navixy (38 customer-silent, 2 customer-errors), the longest: acme, …, and 35 more`."""
    label = next(name for name, value in where if value == SEVERAL)
    whose = "".join(f" of {value[:_NAME]}" for _, value in where if value != SEVERAL)
    since: dict[str, float] = {}
    told: list[Finding | Reported] = [*findings, *alerts]
    for one in told:
        name = dict(one.scope)[label][:_NAME]
        since[name] = min(one.since, since.get(name, one.since))
    by = Counter(finding.detector for finding in findings)
    what = ", ".join(f"{count} {detector}" for detector, count in sorted(by.items()))
    longest = sorted(since, key=lambda name: (since[name], name))
    more = f", and {len(longest) - _NAMED} more" if len(longest) > _NAMED else ""
    count = len({one.scope for one in told})
    return (
        f"{count} of {population} {label}s{whose}"
        + (f" ({what})" if what else "")
        + f", the longest: {', '.join(longest[:_NAMED])}{more}"
    )


def _impact_text(mode: str, affected: Collection[Scope], population: int) -> str:
    if affected == {WHOLE}:
        return "the whole pipeline"
    names = sorted({name for scope in affected for name, _ in scope})
    what = " and ".join(names) or mode
    listed = ", ".join(sorted("/".join(value for _, value in scope) for scope in affected)[:5])
    if len(names) == 1:
        return f"{len(affected)} of {population} {what}s: {listed}"
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
