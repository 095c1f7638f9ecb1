"""The paragraphs of a page, each from what is recorded. `text` puts them into their order; what is unknown is not guessed.

A paragraph is one string of lines; an empty one is left out. Lists are bounded: a page is read on one screen.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from config.scope import scope_key
from daemon.document.dossier import Dossier
from daemon.document.explain import Explanation, explain
from daemon.document.log import receipts
from daemon.document.sentence import next_level, standing
from daemon.document.words import Clockface, complaint, length, reading
from daemon.escalate.graphemes import cut, line, one_line
from daemon.escalate.owed import PAGES
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import (
    Attempt,
    DebtState,
    Delivery,
    DeliveryState,
    FailoverLock,
    Mute,
    PageEvent,
    Phase,
)
from daemon.incidents.records import PipelineChange as Changed
from remediations.run import RunState

WIDEST = 160
"""Characters of one line."""
_SHOWN = 5
"""Entries of one list."""
_TRIED = 6
_EXCERPT_LINES, _EXCERPT = 5, 600
_LATE = 60.0
"""Seconds after which a page that comes late says so."""
_PAID = frozenset({DebtState.PAID, DebtState.WAIVED})
_UNFIT = frozenset({"when", "told"})
"""Gates that say that a rung is not for this fault: which ones is enough, why is no news."""
_FITS_NOT = _UNFIT | {"require"}
"""Gates that tell whether a rung fits, and not whether it may run."""
_HUMAN = frozenset(
    {Kind.ACKED, Kind.EXTENDED, Kind.ESCALATED, Kind.RESUMED, Kind.APPROVED, Kind.REJECTED, Kind.NOTE}
)
_FRAME = re.compile(r'\s*(File ".*", line \d+|at \S+ ?\(.*\)$|#\d+ +0x|goroutine \d+|\^+$|~+\^)')
_BEGIN = re.compile(r"\s*(Traceback \(most recent|Exception in thread|Stack trace)", re.IGNORECASE)
_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def acts(dossier: Dossier) -> list[Attempt]:
    """What was done to mend it, oldest first; undoing and giving back are not among it."""
    return [attempt for attempt in dossier.attempts if attempt.phase is Phase.DO]


def result(attempt: Attempt) -> str:
    """What came of an attempt, in a word or three."""
    if attempt.outcome is None:
        return "in flight"
    if attempt.outcome != "done":
        return {"failed": "FAILED", "not_done": "not done", "unknown": "outcome unknown"}.get(
            attempt.outcome, attempt.outcome
        )
    if not attempt.mends or attempt.phase is not Phase.DO:
        return "done"
    words = {
        "recovered": "recovered",
        "contained": "contained",
        "not_recovered": "without effect",
        "unknown": "effect unknown",
    }
    return words.get(attempt.verdict or "", "done, not judged yet")


# ------------------------------------------------------------ 1 to 3: who is next, impact, signal


def following(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    """Id, severity, level, and when the next people are told."""
    incident, escalation = dossier.incident, dossier.escalation
    head = f"Incident {incident.id}, {escalation.severity if escalation else incident.severity}, L{delivery.level}."
    late = delivery.facts.get("due_since")
    if late is not None and clock.now - float(late) > _LATE:
        head += f" This page was due at {clock.both(float(late))}: the daemon was down or late."
    if escalation is None or escalation.next_level_at is None:
        return f"{head} Nobody else will be told by itself."
    level, at = next_level(dossier), escalation.next_level_at
    again = " again" if level <= escalation.level else ""
    return (
        f"{head} L{level}{again} at {clock.both(at)} unless it is resolved; "
        "an acknowledgement does not stop that."
    )


def impact(incident: Incident) -> str:
    """How much is affected, and what it is a symptom of."""
    text = f"Impact: {incident.impact.text or 'unknown'}."
    return f"{text} Explained by {incident.explained_by}." if incident.explained_by else text


def signal(incident: Incident, clock: Clockface) -> str:
    """Value, threshold and age of what fires."""
    lines = [
        f"{finding.detector}: {reading(finding)}, fires {finding.threshold}, since {clock.both(finding.since)}"
        + (", blind now" if finding.blind else "")
        for finding in incident.findings[:_SHOWN]
    ]
    more = len(incident.findings) - _SHOWN
    since = f"Since {clock.both(incident.began_at)}, detected {clock.both(incident.detected_at)}."
    return _listed("Signal:", [*lines, *_more(more), since]) if lines else since


# ------------------------------------------------------------ 4 and 5: the robot, and what it leaves


def robot(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    """What was tried with what result, what was not and why, and whether it still acts."""
    tried = [attempt for attempt in dossier.attempts if attempt.phase is not Phase.RETURN]
    lines = [*_more(len(tried) - _TRIED, "earlier")]
    lines += [_tried(attempt, clock) for attempt in tried[-_TRIED:]] or ["nothing"]
    lines += _not_done(dossier)
    reason = str(delivery.facts.get("reason", ""))
    if reason:
        lines.append(f"Why you: {reason}")
    state = standing(dossier)
    where = f" --scope {shlex.quote(scope_key(dossier.incident.scope))}" if dossier.incident.scope else ""
    stop = f"; stop it: fleetmend pause{where} --reason …" if state == "still acting" else ""
    lines.append(f"Now: {state}{stop}.")
    done = acts(dossier)
    excerpt = _excerpt(done[-1].output) if done else []
    return _listed("What the robot did:", [*lines, *(["Last output:", *excerpt] if excerpt else [])])


def _tried(attempt: Attempt, clock: Clockface) -> str:
    name = f"undo of {attempt.rung}" if attempt.phase is Phase.UNDO else attempt.rung
    at = clock.short(attempt.started_at or attempt.intended_at)
    text = f"{at} {name} ({attempt.action}): {result(attempt)}"
    if attempt.started_at is None or attempt.ended_at is None:
        return text
    effect = f", {one_line(attempt.effect)}" if attempt.effect else ""
    return f"{text} in {length(attempt.ended_at - attempt.started_at)}{effect}"


def _not_done(dossier: Dossier) -> Iterator[str]:
    """The last refusal of each rung that was not carried out; those that do not fit the fault in one line."""
    held = _held(dossier)
    unfit = [asked.rung for asked in held if {gate.name for gate in asked.refusals} <= _UNFIT]
    refused = [asked for asked in held if asked.rung not in unfit]
    for asked in refused[:_SHOWN]:
        yield f"Not done: {asked.rung}: {'; '.join(f'{gate.name}: {gate.reason}' for gate in asked.refusals)}"
    yield from _more(len(refused) - _SHOWN)
    if unfit:
        yield f"Not for this fault: {', '.join(unfit)}"


def _held(dossier: Dossier) -> list[Explanation]:
    done = {attempt.rung for attempt in dossier.attempts}
    last = {asked.rung: asked for asked in explain(dossier)}
    return [asked for asked in last.values() if not asked.allowed and asked.rung not in done]


def _excerpt(output: str) -> list[str]:
    """The last lines that say something: frames of a stack say where in a program, not what is wrong."""
    kept: list[str] = []
    within = False
    for text in output.splitlines():
        within = bool(_BEGIN.match(text) or _FRAME.match(text)) or (within and text[:1] in {" ", "\t"})
        if not within and text.strip():
            kept.append(one_line(text))
    return cut("\n".join(kept[-_EXCERPT_LINES:]), _EXCERPT).splitlines()


def concerns(mute: Mute, incident: Incident) -> bool:
    """Whether what somebody muted is, or takes in, this incident."""
    labels = {
        **dict(incident.scope),
        "failure_mode": incident.failure_mode,
        "playbook": incident.playbook or "",
    }
    return all(labels.get(name) == value for name, value in mute.matchers.items())


def left_behind(
    dossier: Dossier, clock: Clockface, locks: Iterable[FailoverLock] = (), mutes: Iterable[Mute] = ()
) -> str:
    """What stands in the pipeline now that did not before: debts, what was not undone, locks, silences."""
    lines = [*_debts(dossier, clock), *_in_place(dossier)]
    lines += [f"{lock.target} is locked until {clock.both(lock.until)}: {lock.reason}" for lock in locks]
    for mute in mutes:
        until = f"until {clock.both(mute.ends_at)}" if mute.ends_at is not None else "until it is lifted"
        lines.append(f"{mute.kind} by {mute.owner} {until}: {mute.reason or 'no reason given'}")
    shown = [*lines[: 2 * _SHOWN], *_more(len(lines) - 2 * _SHOWN)]
    return _listed("Left behind:", shown) if lines else "Left behind: nothing."


def owes(dossier: Dossier) -> bool:
    """Whether something has to be given back."""
    return any(debt.state not in _PAID for debt in dossier.debts)


def _debts(dossier: Dossier, clock: Clockface) -> Iterator[str]:
    for debt in dossier.debts:
        if debt.state in _PAID:
            continue
        kind = f" ({debt.kind})" if debt.kind != debt.rung else ""
        word = "due" if debt.due_at is not None and debt.due_at > clock.now else "overdue since"
        due = f", {word} {clock.both(debt.due_at)}" if debt.due_at is not None else ""
        yield f"{debt.rung}{kind} has to be returned{due}"


def _in_place(dossier: Dossier) -> Iterator[str]:
    """What was changed and stays; half-done is worse than done, so what is not known is said first."""
    ended = {a.rung: a.outcome for a in dossier.attempts if a.phase is Phase.UNDO and a.outcome is not None}
    owed = {debt.rung for debt in dossier.debts if debt.state not in _PAID}
    for rung, outcome in ended.items():
        if outcome != "done":
            yield f"{rung} may be half undone: its undo {'failed' if outcome == 'failed' else 'has an unknown outcome'}"
    for attempt in acts(dossier):
        if attempt.mends and attempt.rung not in ended.keys() | owed:
            if attempt.outcome == "unknown":
                yield f"{attempt.rung} may be half done: its outcome is unknown"
            elif attempt.outcome == "done" and attempt.verdict != "recovered":
                yield f"{attempt.rung} is in place, not undone"
    yield from (f"{rung} was undone" for rung in sorted(ended) if ended[rung] == "done")


# ------------------------------------------------------------ 6 to 8: what to do, and what goes on around


def step(dossier: Dossier, clock: Clockface) -> str:
    """The next thing to do, with the command that does it."""
    incident, run = dossier.incident, dossier.run
    look = f"fleetmend incident {incident.id}"
    if run is not None and run.state is RunState.PROPOSED:
        expires = run.proposal_expires_at
        last = f", until {clock.both(expires)}" if expires is not None else ""
        return f"Next: approve or reject{last}: fleetmend approve {incident.id}"
    if incident.blind or incident.failure_mode == "blind":
        return f"Next: find out why its telemetry is missing: {look}"
    if standing(dossier) == "still acting":
        until = f" until {clock.both(run.due_at)}" if run is not None and run.due_at is not None else ""
        return f"Next: watch what comes of it{until}: {look}"
    if incident.explained_by:
        return f"Next: look at its cause first: fleetmend incident {incident.explained_by}"
    closes = "Once mended by hand, it closes by itself when its signal is clear."
    if incident.state is IncidentState.CONTAINED:
        closes = (
            "It is held, not mended, and does not close by itself: mend the cause, give back what holds it "
            f"(fleetmend debts), then fleetmend resolve {incident.id}."
        )
    held = [asked for asked in _held(dossier) if not {gate.name for gate in asked.refusals} <= _FITS_NOT]
    if held:
        gates = ", ".join(gate.name for gate in held[-1].refusals)
        return (
            f"Next: see whether {held[-1].rung} is right in spite of its refusal ({gates}): "
            f"fleetmend explain {incident.id}. {closes}"
        )
    return f"Next: {look}. {closes}"


def changes(recent: Sequence[Changed], earlier: int, most: int, clock: Clockface) -> str:
    """Deployments and the like. `earlier`: incidents of this fault in the seven days before, counted up to `most`."""
    lines = [
        f"{clock.both(change.at)} {change.what} by {change.who} {change.ref}".rstrip()
        for change in recent[:_SHOWN]
    ]
    lines += _more(len(recent) - _SHOWN)
    if earlier >= most:
        lines.append(f"This fault came more than {most} times in seven days")
    elif earlier:
        place = _ORDINALS[earlier - 1] if earlier <= len(_ORDINALS) else f"{earlier + 1}th"
        lines.append(f"This fault came for the {place} time in seven days")
    return _listed("Recent changes:", lines) if lines else ""


def related(incident: Incident, others: Sequence[Incident]) -> str:
    """What else is open; what this one explains is named apart, as it needs no work of its own."""
    if not others:
        return ""
    mine = [other.id for other in others if other.explained_by == incident.id]
    free = [other for other in others if other.explained_by != incident.id]
    shown = ", ".join(f"{other.id} ({complaint(other).subject})" for other in free[:_SHOWN])
    more = f" and {len(free) - _SHOWN} more" if len(free) > _SHOWN else ""
    symptoms = f" Explained by this one: {', '.join(mine[:_SHOWN])}{' …' if len(mine) > _SHOWN else ''}."
    return (f"Also open: {shown}{more}." if free else "Nothing else is open.") + (symptoms if mine else "")


# ------------------------------------------------------------ 9 and 10: answers, and who else knows


def answers(incident: Incident) -> str:
    """The commands for when links fail."""
    name = incident.id
    return (
        f"Acknowledge: fleetmend ack {name}\nMore time: fleetmend extend {name} --for 30m --reason …\n"
        f"Next level now: fleetmend escalate {name}\nHand back to the robot: fleetmend resume {name}\n"
        f"Close, not verified: fleetmend resolve {name} --reason …"
    )


def others(dossier: Dossier, delivery: Delivery, clock: Clockface) -> str:
    """Who else was paged, through what and with what result; then what people did, notes included."""
    rows = [row for row in dossier.deliveries if row.event in PAGES and row.key != delivery.key]
    lines = [*_more(len(rows) - 2 * _SHOWN, "earlier"), *(_paged(row, clock) for row in rows[-2 * _SHOWN :])]
    escalation = dossier.escalation
    if escalation is not None and escalation.acked_by:
        still = "" if escalation.state is EscalationState.ACKED else " (before the next level)"
        lines.append(f"Acknowledged by {escalation.acked_by}{still}")
    elif rows and delivery.event is PageEvent.ESCALATE:
        lines.append("Nobody has acknowledged")
    told = _listed("Also told:", lines) if lines else "Also told: nobody."
    did = people(dossier.events, clock)
    return f"{told}\n{_listed('What people did:', did)}" if did else told


def _paged(row: Delivery, clock: Clockface) -> str:
    """A page and the last that was heard of it."""
    said = receipts(row)
    word, when = (said[-1][0], f" {clock.short(said[-1][1])}") if said else (str(row.state), "")
    why = f" ({one_line(row.error)})" if row.error and row.state is not DeliveryState.ACCEPTED else ""
    return f"L{row.level} {row.person} by {row.channel}: {word}{when}{why}"


def people(events: Iterable[Event], clock: Clockface) -> list[str]:
    """What people did about it, through what, the last of it."""
    did = [event for event in events if event.kind in _HUMAN and event.actor != "fleetmend"]
    return [
        f"{clock.short(event.at)} {event.text}"
        + (f", by {event.data['via']}" if event.data.get("via") else "")
        for event in did[-_SHOWN:]
    ]


# ------------------------------------------------------------ shape


def _more(count: int, what: str = "more") -> list[str]:
    return [f"and {count} {what}"] if count > 0 else []


def _listed(head: str, lines: Iterable[str]) -> str:
    return "\n".join([head, *(line(each, WIDEST) for each in lines)])
