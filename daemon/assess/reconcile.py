"""Reconcile: board and open incidents -> changes. Comparing levels makes it safe to repeat after a crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from config.scope import Scope, covers, joins_parts, scope_key
from daemon.assess import blindness
from daemon.assess.grouping import Key, Wanted, wanted
from daemon.assess.topology import Causes, Topology
from daemon.incidents.change import Change
from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import (
    BLIND,
    DAEMON,
    DRILL,
    STORM,
    FindingRecord,
    Incident,
    IncidentState,
    incident_id,
    worse,
)
from daemon.incidents.reported import Reported
from daemon.incidents.transitions import IncidentEvent, incident_after
from detectors.board import Board, Finding, FindingState
from remediations.verification import Reading, Seen

S = IncidentState


@dataclass(frozen=True, slots=True)
class Known:
    """What is open now: incidents not ended and those a person closed while they fired (`quiet_until` ahead).

    `seen`: the newest reading of the deciding detectors of each incident that may relapse. `in_flight`: incidents with a rung under way,
    which are not closed before its verification ended. `taken`: advice that a person acknowledged.
    """

    incidents: Sequence[Incident]
    seen: Mapping[str, Reading] = field(default_factory=dict)
    in_flight: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()


def reconcile(
    board: Board, known: Known, reported: Iterable[Reported], topology: Topology, now: float
) -> list[Change]:
    """One change per incident that is new, moved or ended; nothing for those that stand as they are.

    Nothing is decided before every detector finished one full round since start (the barrier), so a symptom can
    not act before its cause is known.
    """
    if not board.all_rounds_done:
        return []
    current = {(i.failure_mode, i.scope): i for i in known.incidents}
    advised = {key for key, incident in current.items() if incident.advises}
    targets = wanted(board, reported, current.keys() - advised, topology, advised=advised)
    after: dict[str, tuple[Incident, list[Event]]] = {}
    for key, incident in list(current.items()):
        want = targets.get(key)
        if want is not None and want.advises:
            want = want if incident.advises else None
        elif want is not None and incident.advises and incident.id not in known.taken:
            after[incident.id] = _outgrown(incident, want, now)
            del current[key]
            continue
        if incident.failure_mode in {DAEMON, STORM, DRILL} or (
            want is None and incident.id in known.in_flight
        ):
            # The daemon's own troubles, storms and failed drills are on no board; whoever opened them ends them.
            continue
        moved, events = _update(incident, want, board, known.seen.get(incident.id), now)
        after[incident.id] = (moved, events)
    for key, want in targets.items():
        if key not in current and not blindness.may_be_explained(key, board, topology):
            incident = _opened(key, want, now)
            after[incident.id] = _flapping(incident, want, [_detected(incident, want, now)], now)
    _explain(after, known.incidents, board, topology, now)
    before = {i.id: i for i in known.incidents}
    return [
        Change(
            incident=incident,
            escalation=None if incident.id in before else Escalation(incident.id, severity=incident.severity),
            events=tuple(events),
        )
        for incident, events in after.values()
        if before.get(incident.id) != incident or events
    ]


def _opened(key: Key, want: Wanted, now: float) -> Incident:
    mode, scope = key
    return Incident(
        id=incident_id(mode, scope, now),
        failure_mode=mode,
        scope=scope,
        severity=want.severity,
        state=S.OPEN,
        began_at=want.since,
        detected_at=now,
        findings=_records(want),
        impact=want.impact,
        blind=mode == BLIND,
        corroborated=_corroborated(want),
        advises=want.advises,
        alerts=tuple(sorted(alert.fingerprint for alert in want.alerts)),
    )


def _detected(incident: Incident, want: Wanted, now: float) -> Event:
    where = scope_key(incident.scope)
    if incident.failure_mode == BLIND:
        text = f"Nothing can be observed ({where}): {want.reason or 'no data'}."
    elif joins_parts(incident.scope):
        text = f"{want.impact.text}."
    elif want.findings:
        first = want.findings[0]
        text = f"{first.detector} fires at {where}: {first.threshold}."
    else:
        text = f"{want.alerts[0].text or 'An alert'} fires at {where} (reported by an alert)."
    first_finding = want.findings[0] if want.findings else None
    data = {
        "detector": first_finding.detector if first_finding else None,
        "value": first_finding.value if first_finding else None,
        "threshold": first_finding.threshold if first_finding else None,
        "since": want.since,
        "severity": incident.severity,
        "shared_cause": want.shared,
        "reason": want.reason,
        "impact": incident.impact.text,
    }
    return Event(incident.id, now, Kind.DETECTED, text, data)


def _update(
    incident: Incident, want: Wanted | None, board: Board, seen: Reading | None, now: float
) -> tuple[Incident, list[Event]]:
    """How one known incident stands against what fires now."""
    events: list[Event] = []
    if incident.state is S.CLOSED:
        return _outlived(incident, want, now)
    if want is None:
        return _cleared(incident, board, now)
    moved = replace(incident, findings=_merged(incident, want), alerts=_alerts(want), advises=want.advises)
    if worse(incident.severity, want.severity) != incident.severity:
        moved = replace(moved, severity=want.severity)
        text = f"Severity raised from {incident.severity} to {want.severity}."
        data = {"was": incident.severity, "now": want.severity}
        events.append(Event(incident.id, now, Kind.SEVERITY, text, data))
    if want.impact != incident.impact:
        moved = replace(moved, impact=want.impact)
    if _corroborated(want) and not incident.corroborated:
        moved = replace(moved, corroborated=True)
        events.append(Event(incident.id, now, Kind.FINDING, "Corroborated by a second witness.", {}))
    moved, events = _flapping(moved, want, events, now)
    moved, blind_events = _blindness(moved, want, now)
    events += blind_events
    if moved.state is S.RECOVERED and seen is not None and seen.seen is Seen.BREACH:
        moved = replace(moved, state=incident_after(moved.state, IncidentEvent.RELAPSE), recovered_at=None)
        moved = replace(moved, stepped_back=True)
        events.append(Event(incident.id, now, Kind.RELAPSED, "Relapsed after verified recovery.", {}))
    return moved, events


def _flapping(
    incident: Incident, want: Wanted, events: list[Event], now: float
) -> tuple[Incident, list[Event]]:
    """What fires again and again is mended by nothing that was tried: people look, and nothing is begun any more."""
    flaps = next((finding for finding in want.findings if finding.flapping), None)
    if (
        flaps is None or incident.flapping or joins_parts(incident.scope)
    ):  # one part that flaps is no news of all
        return incident, events
    text = f"{flaps.detector} flaps: {flaps.flapping}. Nothing is begun."
    data = {"detector": flaps.detector, "reason": flaps.flapping}
    event = Event(incident.id, now, Kind.FLAPPING, text, data)
    return replace(incident, flapping=True, stepped_back=True), [*events, event]


def _blindness(incident: Incident, want: Wanted, now: float) -> tuple[Incident, list[Event]]:
    if incident.failure_mode == BLIND or (blind := _is_blind(want)) == incident.blind:
        return incident, []
    names = ", ".join(sorted({f.detector for f in want.findings}))
    lost = f"{names} cannot be observed any more. Nothing is done until it can"
    back = f"{names} can be observed again"
    if not names:
        lost, back = "the end that its alert gave has passed, and nobody says more", "Its alert was repeated"
    kind, text = (Kind.BLIND, f"Firing, and blind: {lost}.") if blind else (Kind.SIGHTED, f"{back}.")
    return replace(incident, blind=blind), [Event(incident.id, now, kind, text, {"detector": names or None})]


def _is_blind(want: Wanted) -> bool:
    """Where no detector fires, an alert is all there is to see; once its own end has passed, there is nothing."""
    if want.findings:
        return all(finding.blind for finding in want.findings)
    return bool(want.alerts) and all(alert.lapsed for alert in want.alerts)


def _outlived(incident: Incident, want: Wanted | None, now: float) -> tuple[Incident, list[Event]]:
    """A person closed it while it fired: it stays closed until `quiet_until`, then pages if it still fires."""
    if want is None:
        return replace(incident, quiet_until=None), []
    if incident.quiet_until is None or now < incident.quiet_until:
        return incident, []
    moved = replace(
        incident,
        state=incident_after(incident.state, IncidentEvent.OUTLIVE),
        quiet_until=None,
        resolved_at=None,
        resolved_by=None,
        stepped_back=True,
    )
    text = f"Still firing after it was closed by {incident.resolved_by}: open again."
    return moved, [Event(incident.id, now, Kind.RELAPSED, text, {"closed_by": incident.resolved_by})]


def _outgrown(incident: Incident, want: Wanted, now: float) -> tuple[Incident, list[Event]]:
    """What was advice is a fault that may be acted upon: that one is told and mended as an incident of its own.

    Only a person who took the advice keeps the wheel; then it goes on as it is.
    """
    if incident.state is S.CLOSED:
        return replace(incident, quiet_until=None), []
    by = incident_id(*want.key, now)
    state = incident_after(incident.state, IncidentEvent.CLOSE)
    moved = replace(incident, state=state, resolved_at=now, resolved_by=by, blind=False)
    text = f"More than advice by now: goes on as {by}."
    return moved, [Event(incident.id, now, Kind.RESOLVED, text, {"by": by})]


def _cleared(incident: Incident, board: Board, now: float) -> tuple[Incident, list[Event]]:
    """Gone from the board: observed health over the whole clear hold, unless it is merely not seen."""
    if _unseen(incident, board):
        return incident, []
    if incident.state is S.CONTAINED:
        # The signals of a contained fault look clear because the harm is stopped: noted, and no end.
        return replace(incident, findings=_all_cleared(incident)), []
    if incident.state is S.SUPPRESSED or incident.recovered_by is None or incident.state is S.OPEN:
        by = "self"
    else:
        by = incident.recovered_by
    moved = replace(
        incident,
        state=incident_after(incident.state, IncidentEvent.CLEAR),
        resolved_at=now,
        resolved_by=by,
        blind=False,
        findings=_all_cleared(incident),
    )
    how = "by itself" if by == "self" else f"by {by}"
    return moved, [
        Event(incident.id, now, Kind.RESOLVED, f"Resolved {how}: healthy over the whole hold.", {"by": by})
    ]


def _all_cleared(incident: Incident) -> tuple[FindingRecord, ...]:
    return tuple(replace(record, state="cleared", blind=False) for record in incident.findings)


def _unseen(incident: Incident, board: Board) -> bool:
    """A finding of this incident that is now NO_DATA is no health: unknown never resolves."""
    detectors = {record.detector for record in incident.findings}
    return incident.failure_mode != BLIND and any(
        name in detectors and finding.state is FindingState.NO_DATA and _within(incident.scope, scope)
        for (name, scope), finding in board.findings.items()
    )


def _explain(
    after: dict[str, tuple[Incident, list[Event]]],
    before: Sequence[Incident],
    board: Board,
    topology: Topology,
    now: float,
) -> None:
    """Cause before symptom: hold back what an open incident explains, release what outlives its cause.

    An incident that this round leaves alone, for its rung is being verified, is open and explains like any other.
    """
    standing = {incident.id: incident for incident in before} | {
        name: moved for name, (moved, _) in after.items()
    }
    open_now = {
        name: (incident.failure_mode, incident.scope)
        for name, incident in standing.items()
        if not incident.ended and not incident.advises
    }
    causes = Causes(open_now, topology)
    for name, (incident, events) in list(after.items()):
        if incident.ended or incident.state in {S.RECOVERED, S.CONTAINED}:
            continue
        cause = _cause_of(incident, causes, board)
        if cause is not None and incident.state is S.OPEN:
            state = incident_after(S.OPEN, IncidentEvent.SUPPRESS)
            moved = replace(incident, state=state, explained_by=cause, suppressed_at=now)
            mode, scope = open_now[cause]
            text = f"Held back: explained by {mode} at {scope_key(scope)} ({cause})."
            after[name] = (moved, [*events, Event(name, now, Kind.SUPPRESSED, text, {"by": cause})])
        elif cause is None and incident.state is S.SUPPRESSED:
            state = incident_after(S.SUPPRESSED, IncidentEvent.RELEASE)
            moved = replace(incident, state=state, explained_by=None, suppressed_at=None)
            text = "Its cause ended and this fault did not."
            event = Event(name, now, Kind.RELEASED, text, {"was_by": incident.explained_by})
            after[name] = (moved, [*events, event])


def _cause_of(incident: Incident, causes: Causes, board: Board) -> str | None:
    """No incident explains itself: neither is a scope wider than itself, nor a key the cause of the same key."""
    if incident.failure_mode != BLIND:
        return causes.of((incident.failure_mode, incident.scope))
    others = {name: key for name, key in causes.candidates.items() if name != incident.id}
    return blindness.cause_of(incident, others, board, causes.topology)


def _within(general: Scope, special: Scope) -> bool:
    return covers(general, special) or covers(special, general)


def _corroborated(want: Wanted) -> bool:
    """One detector that needs no second witness, or has one, is enough."""
    return not want.findings or any(f.corroborated is not False for f in want.findings)


def _alerts(want: Wanted) -> tuple[str, ...]:
    return tuple(sorted(alert.fingerprint for alert in want.alerts))


def _records(want: Wanted) -> tuple[FindingRecord, ...]:
    """Findings as kept on the incident; a detector that is to verify an alert stands beside them as `reported`."""
    findings = sorted(want.findings, key=lambda f: (f.detector, f.scope))
    if joins_parts(want.key[1]):
        findings = _one_each(findings)
    records = [
        FindingRecord(f.detector, f.value, f.threshold, f.since, str(f.state), f.blind, f.observed_at)
        for f in findings
    ]
    known = {record.detector for record in records}
    records += [
        FindingRecord(alert.verify_with, None, alert.text, alert.since, "reported")
        for alert in want.alerts
        if alert.verify_with is not None and alert.verify_with not in known
    ]
    return tuple(records)


def _one_each(findings: Sequence[Finding]) -> list[Finding]:
    """Of each detector the finding that has stood longest: parts come by the thousand, and the row is one."""
    longest: dict[str, Finding] = {}
    for finding in findings:
        known = longest.get(finding.detector)
        if known is None or finding.since < known.since:
            longest[finding.detector] = finding
    return [*longest.values()]


def _merged(incident: Incident, want: Wanted) -> tuple[FindingRecord, ...]:
    """New records only when a state changed: a value that moves is no news, and a quiet tick writes nothing."""
    fresh = _records(want)
    shape = [(r.detector, r.since, r.state, r.blind) for r in fresh]
    if shape == [(r.detector, r.since, r.state, r.blind) for r in incident.findings]:
        return incident.findings
    return fresh
