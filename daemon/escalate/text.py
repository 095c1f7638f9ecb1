"""The words of a page: complete on a lock screen, and ordered so that cutting from the end loses the least.

Composed at the moment of sending, from what is recorded by then. Line 1 says what broke and that the robot failed;
then who is next and when, impact, signal, what was tried and why it stopped, what is left behind, the next step,
recent changes, related incidents, how to answer, who else was told.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from config.scope import scope_key
from daemon.document.dossier import Dossier
from daemon.document.explain import explain
from daemon.document.sentence import next_level, sentence, standing
from daemon.document.words import Clockface, complaint, length, reading, scope_text
from daemon.escalate.graphemes import clean, cut, line, one_line
from daemon.escalate.message import Message
from daemon.escalate.owed import PAGES
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Attempt, DebtState, Delivery, PageEvent, Phase, PipelineChange
from remediations.run import RunState

HEADLINE = 120
_TAGS = {"critical": "CRIT", "high": "HIGH", "medium": "MED", "low": "LOW"}
_EXCERPT_LINES, _EXCERPT = 5, 600
_SHOWN = 5
_PAID = frozenset({DebtState.PAID, DebtState.WAIVED})


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it, and where they find more. `public_url`: of the console; empty when there is none.

    `ack_url`: a signed address of this reader alone, at which a person can acknowledge; empty when there is none.
    """

    name: str = ""
    zone: str = "UTC"
    public_url: str = ""
    environment: str = ""
    ack_url: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What goes on around an incident. `earlier`: incidents of the same fault in the seven days before."""

    changes: tuple[PipelineChange, ...] = ()
    related: tuple[Incident, ...] = ()
    earlier: int = 0


def compose(dossier: Dossier, delivery: Delivery, reader: Reader, around: Around, now: float) -> Message:
    """The message of one delivery about one incident."""
    clock = Clockface(now, reader.zone)
    incident = dossier.incident
    if delivery.event in PAGES or delivery.event is PageEvent.TEST:
        parts = tuple(_page_parts(dossier, delivery, around, clock))
    else:
        parts = tuple(_note_parts(dossier, delivery, clock))
    return Message(
        key=delivery.key,
        dedup_key=delivery.dedup_key,
        incident=incident.id,
        event=delivery.event,
        severity=dossier.escalation.severity if dossier.escalation else incident.severity,
        level=delivery.level,
        headline=line(_headline(dossier, delivery, clock), HEADLINE),
        at=now,
        parts=tuple(clean(part) for part in parts if part),
        source=scope_text(incident.scope),
        component=incident.playbook or "",
        group=reader.environment,
        facet=incident.failure_mode,
        note=str(delivery.facts.get("what", "")),
        links=_links(incident, reader, pages=delivery.event in PAGES),
    )


def _links(incident: Incident, reader: Reader, *, pages: bool) -> tuple[tuple[str, str], ...]:
    if not reader.public_url:
        return ()
    base = reader.public_url.rstrip("/")
    links = [("Incident, chart and buttons", f"{base}/incidents/{incident.id}")]
    if pages and reader.ack_url:
        links.append(("Acknowledge", reader.ack_url))
    if incident.playbook:
        links.append((f"Playbook {incident.playbook}", f"{base}/playbooks#{incident.playbook}"))
    return tuple(links)


def bare(delivery: Delivery, now: float, *, reason: str = "") -> Message:
    """The least that is a page, made from the row alone: for test pages, and when composing the whole failed."""
    why = reason or str(delivery.facts.get("reason") or delivery.facts.get("text") or "")
    tag = f"L{delivery.level} " if delivery.level else ""
    headline = f"[{str(delivery.event).upper()}] {tag}incident {delivery.incident}: {why}"
    if delivery.event is PageEvent.TEST:
        headline = f"[TEST] This channel works. {why}"
    return Message(
        key=delivery.key,
        dedup_key=delivery.dedup_key,
        incident=delivery.incident,
        event=delivery.event,
        severity="critical" if delivery.event in PAGES else "low",
        level=delivery.level,
        headline=line(headline, HEADLINE),
        at=now,
        parts=(clean(why), f"fleetmend incident {delivery.incident}")
        if delivery.event is not PageEvent.TEST
        else (),
        note=str(delivery.facts.get("what", "")),
    )


# ------------------------------------------------------------ line 1


def _headline(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    incident = dossier.incident
    words = complaint(incident)
    severity = dossier.escalation.severity if dossier.escalation else incident.severity
    broken = f"{words.subject} {words.now}"
    match delivery.event:
        case PageEvent.RESOLVE:
            end = incident.resolved_at or clock.now
            return f"[OVER] {words.subject}: {_how(incident)} after {length(end - incident.began_at)}"
        case PageEvent.STATUS:
            return f"[NOTE] {broken}: {delivery.facts.get('text', '')}"
        case PageEvent.HEADS_UP:
            return f"[HEADS-UP] {_under_way(delivery, broken)}"
        case PageEvent.DIGEST:
            return f"[{_TAGS.get(severity, severity)}] {broken}{' no more' if incident.ended else ''}"
        case _:
            level = f"{_TAGS.get(severity, severity.upper())} L{delivery.level}"
            return f"[{level}] {broken}{_signal_short(incident)}; {_failed(dossier, delivery)}"


def _under_way(delivery: Delivery, broken: str) -> str:
    """What a heads-up says of a rung."""
    rung = delivery.facts.get("rung", "an action")
    words = {
        "contained": f"{broken}; contained by {rung}",
        "demoted": f"{rung} asks first from now on",
        "asks": f"{rung} can be given back, and waits for your word",
    }
    return words.get(str(delivery.facts.get("what")), f"{broken}; being mended by {rung}")


def _signal_short(incident: Incident) -> str:
    finding = next((finding for finding in incident.findings if finding.value is not None), None)
    return f" ({reading(finding)})" if finding else ""


def _failed(dossier: Dossier, delivery: Delivery) -> str:
    """Why a person is needed, in a few words."""
    if delivery.event is PageEvent.REMIND:
        return "not acknowledged yet"
    tried = [attempt for attempt in _acts(dossier) if attempt.mends]
    if tried:
        last = tried[-1]
        bad = sum(1 for attempt in tried if attempt.verdict != "recovered")
        return f"{last.rung} {_result(last)}, {bad} of {len(tried)} in vain"
    return str(delivery.facts.get("reason") or "a person is needed")


def _how(incident: Incident) -> str:
    if incident.state is IncidentState.CLOSED:
        return f"closed by {incident.resolved_by}, not verified,"
    return "mended itself" if incident.resolved_by in {None, "self"} else f"mended by {incident.resolved_by}"


# ------------------------------------------------------------ pages


def _page_parts(dossier: Dossier, delivery: Delivery, around: Around, clock: Clockface) -> Iterator[str]:
    yield _next(dossier, delivery, clock)
    yield f"Impact: {dossier.incident.impact.text or 'unknown'}."
    yield _signal(dossier.incident, clock)
    yield _robot(dossier, delivery, clock)
    yield _left_behind(dossier, clock)
    yield _step(dossier)
    yield _changes(around, clock)
    yield _related(around)
    yield _answers(dossier)
    yield _others(dossier, delivery, clock)


def _next(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    """Id, severity, level, and when the next people are told."""
    incident, escalation = dossier.incident, dossier.escalation
    head = f"Incident {incident.id}, {escalation.severity if escalation else incident.severity}, L{delivery.level}."
    late = delivery.facts.get("due_since")
    if late is not None and clock.now - float(late) > 60:
        head += f" This page was due at {clock.both(float(late))}: the daemon was down or late."
    if escalation is None or escalation.next_level_at is None:
        return f"{head} Nobody else will be told by itself."
    level, at = next_level(dossier), escalation.next_level_at
    return (
        f"{head} L{level} at {clock.both(at)} unless it is resolved; an acknowledgement does not stop that."
    )


def _signal(incident: Incident, clock: Clockface) -> str:
    lines = [
        f"{finding.detector}: {reading(finding)}, fires {finding.threshold}, since {clock.both(finding.since)}"
        + (", blind now" if finding.blind else "")
        for finding in incident.findings[:_SHOWN]
    ]
    since = f"Since {clock.both(incident.began_at)}, detected {clock.both(incident.detected_at)}."
    return "\n".join(["Signal:", *lines, since]) if lines else since


def _robot(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    tried = _acts(dossier)
    lines = [
        f"{clock.short(a.started_at or a.intended_at)} {a.rung} ({a.action}): {_result(a)}{_took(a)}"
        for a in tried
    ]
    lines += [f"Not done: {rung}: {why}" for rung, why in _refused(dossier)]
    reason = str(delivery.facts.get("reason", ""))
    if reason:
        lines.append(f"Why you: {reason}")
    excerpt = _excerpt(tried[-1]) if tried else ""
    if excerpt:
        lines.append(f"Last output:\n{excerpt}")
    state = standing(dossier)
    where = f" --scope {shlex.quote(scope_key(dossier.incident.scope))}" if dossier.incident.scope else ""
    stop = f"; stop it: fleetmend pause{where} --reason …" if state == "still acting" else ""
    return "\n".join(["What the robot did:", *(lines or ["nothing"]), f"Now: {state}{stop}."])


def _refused(dossier: Dossier) -> list[tuple[str, str]]:
    """The last refusal of each rung that was not carried out."""
    done = {attempt.rung for attempt in dossier.attempts}
    last = {asked.rung: asked for asked in explain(dossier)}
    return [
        (asked.rung, "; ".join(f"{gate.name}: {gate.reason}" for gate in asked.refusals))
        for asked in last.values()
        if not asked.allowed and asked.rung not in done
    ][:_SHOWN]


def _acts(dossier: Dossier) -> list[Attempt]:
    return [attempt for attempt in dossier.attempts if attempt.phase is Phase.DO]


def _result(attempt: Attempt) -> str:
    if attempt.outcome is None:
        return "in flight"
    if attempt.outcome != "done":
        return {"failed": "FAILED", "not_done": "not done", "unknown": "outcome unknown"}.get(
            attempt.outcome, attempt.outcome
        )
    if not attempt.mends:
        return "done"
    words = {
        "recovered": "recovered",
        "contained": "contained",
        "not_recovered": "without effect",
        "unknown": "effect unknown",
    }
    return words.get(attempt.verdict or "", "done, not judged yet")


def _took(attempt: Attempt) -> str:
    if attempt.started_at is None or attempt.ended_at is None:
        return ""
    effect = f", {one_line(attempt.effect)}" if attempt.effect else ""
    return f" in {length(attempt.ended_at - attempt.started_at)}{effect}"


def _excerpt(attempt: Attempt) -> str:
    lines = [one_line(line) for line in attempt.output.splitlines() if line.strip()]
    return cut("\n".join(lines[-_EXCERPT_LINES:]), _EXCERPT)


def _left_behind(dossier: Dossier, clock: Clockface) -> str:
    lines = []
    for debt in dossier.debts:
        if debt.state not in _PAID:
            due = f", due {clock.both(debt.due_at)}" if debt.due_at is not None else ""
            lines.append(f"{debt.rung} ({debt.kind}) has to be returned{due}")
    undone = {a.rung for a in dossier.attempts if a.phase is Phase.UNDO and a.outcome == "done"}
    owed = {debt.rung for debt in dossier.debts}
    lines += [
        f"{a.rung} is in place, not undone"
        for a in _acts(dossier)
        if a.mends and a.outcome == "done" and a.verdict != "recovered" and a.rung not in undone | owed
    ]
    lines += [f"{rung} was undone" for rung in sorted(undone)]
    return "\n".join(["Left behind:", *lines]) if lines else "Left behind: nothing."


def _step(dossier: Dossier) -> str:
    incident, run = dossier.incident, dossier.run
    if run is not None and run.state is RunState.PROPOSED:
        return f"Next: approve or reject: fleetmend approve {incident.id}"
    if incident.blind or incident.failure_mode == "blind":
        return f"Next: find out why its telemetry is missing: fleetmend incident {incident.id}"
    return f"Next: fleetmend incident {incident.id}; once mended by hand, it closes by itself when its signal is clear."


def _changes(around: Around, clock: Clockface) -> str:
    lines = [
        f"{clock.both(change.at)} {change.what} by {change.who} {change.ref}".rstrip()
        for change in around.changes[:_SHOWN]
    ]
    if around.earlier:
        lines.append(f"The same fault {around.earlier} time(s) in the seven days before")
    return "\n".join(["Recent changes:", *lines]) if lines else ""


def _related(around: Around) -> str:
    if not around.related:
        return ""
    shown = ", ".join(
        f"{incident.id} ({complaint(incident).subject})" for incident in around.related[:_SHOWN]
    )
    more = len(around.related) - _SHOWN
    return f"Also open: {shown}" + (f" and {more} more." if more > 0 else ".")


def _answers(dossier: Dossier) -> str:
    name = dossier.incident.id
    return (
        f"Acknowledge: fleetmend ack {name}\nMore time: fleetmend extend {name} --for 30m --reason …\n"
        f"Next level now: fleetmend escalate {name}\nHand back to the robot: fleetmend resume {name}"
    )


def _others(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    lines = []
    for row in dossier.deliveries:
        if row.event in PAGES and row.key != delivery.key:
            when = f" {clock.short(row.sent_at)}" if row.sent_at is not None else ""
            lines.append(f"L{row.level} {row.person} by {row.channel}: {row.state}{when}")
    escalation = dossier.escalation
    if escalation is not None and escalation.acked_by:
        still = "" if escalation.state is EscalationState.ACKED else " (before the next level)"
        lines.append(f"Acknowledged by {escalation.acked_by}{still}")
    return "\n".join(["Also told:", *lines[-2 * _SHOWN :]]) if lines else "Also told: nobody."


# ------------------------------------------------------------ notes


def _note_parts(dossier: Dossier, delivery: Delivery, clock: Clockface) -> Iterator[str]:
    yield sentence(dossier, clock.now, clock.zone)
    text = str(delivery.facts.get("text") or delivery.facts.get("reason") or "")
    if text:
        yield text
    if delivery.event is PageEvent.RESOLVE:
        yield f"Lasted from {clock.both(dossier.incident.began_at)} to {clock.both(dossier.incident.resolved_at or clock.now)}."
        yield _left_behind(dossier, clock)
    if delivery.event is PageEvent.HEADS_UP and delivery.facts.get("what") not in {"demoted", "asks"}:
        yield "Nothing is asked of you: you are paged if it fails."
    yield f"fleetmend incident {dossier.incident.id}"
