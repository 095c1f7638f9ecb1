"""The words of a page: complete on a lock screen, and ordered so that cutting from the end loses the least.

Composed at the moment of sending, from what is recorded by then. Line 1 says what broke and that the robot failed;
then who is next and when, impact, signal, what was tried and why it stopped, what is left behind, the next step,
recent changes, related incidents, how to answer, who else was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from daemon.document.dossier import Dossier
from daemon.document.log import called
from daemon.document.sentence import sentence
from daemon.document.words import Clockface, complaint, length, reading, scope_text
from daemon.escalate import body
from daemon.escalate.graphemes import clean, cut, line, octets
from daemon.escalate.message import Message
from daemon.escalate.owed import PAGES
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Attempt, Delivery, FailoverLock, Mute, PageEvent, PipelineChange

HEADLINE = 120
LINES, SCREEN = 60, 4_096
"""Lines and bytes of a page below its headline: one screen, and no more than a push service takes as a message."""
MOST_EARLIER = 20
"""Up to how many earlier incidents of the same fault are counted."""
_TAGS = {"critical": "CRIT", "high": "HIGH", "medium": "MED", "low": "LOW"}


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
    """What goes on around an incident. `earlier`: incidents of the same fault in the seven days before.

    `locks`: those it holds; `mutes`: what quiets it or stops its actions, now or later.
    """

    changes: tuple[PipelineChange, ...] = ()
    related: tuple[Incident, ...] = ()
    earlier: int = 0
    locks: tuple[FailoverLock, ...] = ()
    mutes: tuple[Mute, ...] = ()


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
        parts=tuple(_one_screen(part for part in parts if part)),
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
    if incident.ended:
        links.append(("Draft of the post-mortem", f"{base}/incidents/{incident.id}/postmortem"))
    elif incident.playbook:
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
            return (
                f"[OVER] {words.subject}: {_how(incident, dossier)} after {length(end - incident.began_at)}"
            )
        case PageEvent.STATUS:
            return f"[NOTE] {broken}: {delivery.facts.get('text', '')}"
        case PageEvent.HEADS_UP:
            return f"[HEADS-UP] {_under_way(delivery, broken)}"
        case PageEvent.DIGEST:
            return f"[{_TAGS.get(severity, severity)}] {broken}{' no more' if incident.ended else ''}"
        case _:
            level = f"{_TAGS.get(severity, severity.upper())} L{delivery.level}"
            return _both(
                f"[{level}] {broken}{_signal_short(incident, clock.now)}", _failed(dossier, delivery)
            )


def _under_way(delivery: Delivery, broken: str) -> str:
    """What a heads-up says of a rung."""
    rung = delivery.facts.get("rung", "an action")
    words = {
        "contained": f"{broken}; contained by {rung}",
        "demoted": f"{rung} asks first from now on",
        "asks": f"{rung} can be given back, and waits for your word",
    }
    return words.get(str(delivery.facts.get("what")), f"{broken}; being mended by {rung}")


def _both(broken: str, failed: str) -> str:
    """What broke and what the robot made of it, on one line: neither long names nor a long reason push the other out."""
    after = line(failed, max(HEADLINE // 2, HEADLINE - len(broken) - 2))
    return f"{line(broken, HEADLINE - len(after) - 2)}; {after}"


def _signal_short(incident: Incident, now: float) -> str:
    """The number that says how bad it is. Of what is silent or down that is not its zero, but how long it has been."""
    known = [finding for finding in incident.findings if finding.value is not None]
    firing = [finding for finding in known if finding.state == "firing"]
    if not known:
        return ""
    first = (firing or known)[0]
    return f" ({reading(first) if first.value else f'for {length(now - first.since)}'})"


def _failed(dossier: Dossier, delivery: Delivery) -> str:
    """Why a person is needed, in a few words."""
    tried = [attempt for attempt in body.acts(dossier) if attempt.mends]
    if delivery.event is PageEvent.REMIND:
        return f"not acknowledged; {_robots(tried)}" if tried else "not acknowledged yet"
    return _robots(tried) if tried else str(delivery.facts.get("reason") or "a person is needed")


def _robots(tried: Sequence[Attempt]) -> str:
    """The last attempt's result; of several, how many were in vain. What contains the harm is not in vain."""
    last = tried[-1]
    bad = sum(1 for attempt in tried if attempt.verdict not in {"recovered", "contained"})
    count = f", {bad} of {len(tried)} in vain" if bad else ""
    contained = [attempt.rung for attempt in tried[:-1] if attempt.verdict == "contained"]
    return f"{'contained; ' if contained else ''}{last.rung} {body.result(last)}{count}"


def _how(incident: Incident, dossier: Dossier) -> str:
    """What ended it. After people were called nobody can tell from the signal whether it was they or nobody."""
    if incident.state is IncidentState.CLOSED:
        return f"closed by {incident.resolved_by}, not verified,"
    if incident.resolved_by not in {None, "self"}:
        return f"mended by {incident.resolved_by}"
    return "clear again, by hand or by itself," if called(dossier) else "mended itself"


# ------------------------------------------------------------ pages


def _page_parts(dossier: Dossier, delivery: Delivery, around: Around, clock: Clockface) -> Iterator[str]:
    """What a person needs at night, in the order in which it is needed: cut from the end, the least is lost."""
    incident = dossier.incident
    yield body.following(dossier, delivery, clock)
    yield body.impact(incident)
    yield body.signal(incident, clock)
    yield body.robot(dossier, delivery, clock)
    yield body.left_behind(dossier, clock, around.locks, around.mutes)
    yield body.step(dossier, clock)
    yield body.changes(around.changes, around.earlier, MOST_EARLIER, clock)
    yield body.related(incident, around.related)
    yield body.answers(incident)
    yield body.others(dossier, delivery, clock)


def _one_screen(parts: Iterable[str]) -> Iterator[str]:
    """The parts as far as one screen goes. What does not fit is cut from the end: it stands behind the link."""
    lines, room = LINES, SCREEN
    for part in parts:
        text = cut(clean(part), max(0, room), octets)
        kept = text.split("\n")[: max(0, lines)]
        if not text or not kept:
            return
        whole = len(kept) == text.count("\n") + 1
        yield "\n".join(kept) if whole else "\n".join([*kept[:-1], "…"])
        lines -= len(kept) + 1
        room -= octets(text) + 2


# ------------------------------------------------------------ notes


def _note_parts(dossier: Dossier, delivery: Delivery, clock: Clockface) -> Iterator[str]:
    incident = dossier.incident
    over = delivery.event is PageEvent.RESOLVE
    yield sentence(dossier, clock.now, clock.zone)
    text = str(delivery.facts.get("text") or delivery.facts.get("reason") or "")
    if text and not (
        over and incident.state is IncidentState.RESOLVED
    ):  # the sentence says it, and more carefully
        yield text
    if over:
        yield _end(dossier, clock)
        yield body.left_behind(dossier, clock)
        back = ["Give back what is left: fleetmend debts"] if body.owes(dossier) else []
        yield "\n".join([*back, f"Learn from it: fleetmend postmortem {incident.id}"])
    if delivery.event is PageEvent.HEADS_UP and delivery.facts.get("what") not in {"demoted", "asks"}:
        yield "Nothing is asked of you: you are paged if it fails."
    yield f"fleetmend incident {incident.id}"


def _end(dossier: Dossier, clock: Clockface) -> str:
    """How long it lasted, and what people did, as far as they said so."""
    incident = dossier.incident
    end = incident.resolved_at or clock.now
    span = f"Lasted {length(end - incident.began_at)}, from {clock.both(incident.began_at)} to {clock.both(end)}."
    did = body.people(dossier.events, clock)
    if did:
        return "\n".join([span, "What people did:", *did])
    return f"{span} {'Nobody wrote down what they did.' if called(dossier) else 'Nobody had to do anything.'}"
