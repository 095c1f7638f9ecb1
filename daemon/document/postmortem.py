"""The draft of a post-mortem: only what was recorded, each fact cited to its timeline row, gaps called unknown.

The same dossier always gives the same document. Who did what is on the timeline; nobody is named as a cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from daemon.document.dossier import Dossier
from daemon.document.explain import explain
from daemon.document.sentence import sentence
from daemon.document.words import complaint, length, reading, scope_text, stamp
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import DeliveryState, PageEvent

UNKNOWN = "unknown"
PAGES = frozenset({PageEvent.TRIGGER, PageEvent.REMIND, PageEvent.ESCALATE})
_FOR_PEOPLE = "_For the people who write this._"


@dataclass(frozen=True, slots=True)
class Fact:
    """One recorded fact. `rows`: numbers of the timeline rows it comes from, from 1; empty: not on the timeline."""

    name: str
    value: str
    rows: tuple[int, ...] = ()

    @property
    def citations(self) -> str:
        return "".join(f" [{row}]" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Section:
    """`facts` as a list; `text` stands above it."""

    title: str
    text: str = ""
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Postmortem:
    """The document; `timeline` is numbered from 1, and citations point there."""

    incident: str
    title: str
    sections: tuple[Section, ...]
    timeline: tuple[Event, ...] = field(default=())


def postmortem(dossier: Dossier) -> Postmortem:
    """Draft the document of one incident."""
    incident = dossier.incident
    words = complaint(incident)
    log = _Log(dossier.events)
    end = incident.resolved_at or incident.detected_at
    sections = (
        Section("Summary", sentence(dossier, end)),
        _head(dossier, log),
        _impact(dossier, log),
        _times(dossier, log),
        _remediation(dossier, log),
        _guardrails(dossier),
        _paging(dossier, log),
        _daemon_faults(log),
        Section("Contributing factors", _FOR_PEOPLE),
        Section("What went well, what went badly, where luck helped", _FOR_PEOPLE),
        Section("Action items", _FOR_PEOPLE),
    )
    return Postmortem(incident.id, f"{words.subject} {words.then}", sections, dossier.events)


def markdown(document: Postmortem) -> str:
    """The document as Markdown; text from outside cannot break its structure."""
    lines = [
        f"# {_plain(document.title)}",
        "",
        f"Incident `{document.incident}` · status: *draft* · authors:",
        "",
    ]
    for section in document.sections:
        lines += [f"## {section.title}", ""]
        if section.text:
            lines += [section.text if section.text == _FOR_PEOPLE else _plain(section.text), ""]
        if section.title == "Action items":
            lines += [
                "| type | what | owner | ticket | due |",
                "| --- | --- | --- | --- | --- |",
                "| prevent / detect / mitigate / process | | | | |",
                "",
            ]
        if section.facts:
            lines += [
                f"- {_plain(fact.name)}: {_plain(fact.value)}{fact.citations}" for fact in section.facts
            ]
            lines.append("")
    lines += ["## Timeline (UTC)", "", "| row | at | what | who |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row} | {stamp(event.at)} | {_plain(event.text)} | {_plain(event.actor)} |"
        for row, event in enumerate(document.timeline, 1)
    ]
    return "\n".join([*lines, ""])


def as_json(document: Postmortem) -> dict[str, Any]:
    """The document as plain data."""
    return {
        "incident": document.incident,
        "title": document.title,
        "status": "draft",
        "sections": [
            {
                "title": section.title,
                "text": "" if section.text == _FOR_PEOPLE else section.text,
                "facts": [{"name": f.name, "value": f.value, "rows": list(f.rows)} for f in section.facts],
            }
            for section in document.sections
        ],
        "timeline": [
            {
                "row": row,
                "at": stamp(event.at),
                "kind": str(event.kind),
                "text": event.text,
                "actor": event.actor,
            }
            for row, event in enumerate(document.timeline, 1)
        ],
    }


class _Log:
    """The timeline with its row numbers."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.rows = tuple(enumerate(events, 1))

    def all(self, *kinds: Kind) -> list[tuple[int, Event]]:
        return [(row, event) for row, event in self.rows if event.kind in kinds]

    def first(self, *kinds: Kind) -> tuple[int, Event] | None:
        return next(iter(self.all(*kinds)), None)

    def at(self, *kinds: Kind) -> tuple[float | None, tuple[int, ...]]:
        found = self.first(*kinds)
        return (found[1].at, (found[0],)) if found else (None, ())


def _head(dossier: Dossier, log: _Log) -> Section:
    incident = dossier.incident
    detected = log.first(Kind.DETECTED)
    rows = (detected[0],) if detected else ()
    findings = tuple(
        Fact(f"Signal {finding.detector}", f"{reading(finding)} (fires {finding.threshold})", rows)
        for finding in incident.findings
    )
    return Section(
        "Detection",
        facts=(
            Fact("Failure mode", incident.failure_mode, rows),
            Fact("Scope", scope_text(incident.scope), rows),
            Fact("Severity", incident.severity, tuple(row for row, _ in log.all(Kind.SEVERITY)) or rows),
            *(findings or (Fact("Signal", UNKNOWN),)),
        ),
    )


def _impact(dossier: Dossier, log: _Log) -> Section:
    impact, incident = dossier.incident.impact, dossier.incident
    detected = log.first(Kind.DETECTED)
    rows = (detected[0],) if detected else ()
    lasted = length(incident.resolved_at - incident.began_at) if incident.resolved_at is not None else UNKNOWN
    return Section(
        "Impact",
        facts=(
            Fact("Affected", impact.text or f"{impact.scopes} of {impact.of}", rows),
            Fact("Lasted", lasted, tuple(row for row, _ in log.all(Kind.RESOLVED, Kind.CLOSED))[-1:]),
            Fact("Records late or lost", UNKNOWN),
        ),
    )


def _times(dossier: Dossier, log: _Log) -> Section:
    incident = dossier.incident
    start = incident.began_at
    marks = (
        ("Time to detect", Kind.DETECTED),
        ("Time to first action", Kind.STARTED),
        ("Time to first page", Kind.SENT),
        ("Time to acknowledge", Kind.ACKED),
        ("Time to recover", Kind.RECOVERED),
        ("Time to resolve", Kind.RESOLVED),
    )
    facts = []
    for name, kind in marks:
        at, rows = log.at(kind)
        facts.append(Fact(name, length(at - start) if at is not None else UNKNOWN, rows))
    return Section("Times, from the first breach", facts=tuple(facts))


def _remediation(dossier: Dossier, log: _Log) -> Section:
    facts = []
    for attempt in dossier.attempts:
        rows = tuple(row for row, event in log.rows if event.data.get("key") == attempt.key)
        took = (
            length(attempt.ended_at - attempt.started_at)
            if attempt.ended_at is not None and attempt.started_at is not None
            else UNKNOWN
        )
        judged = f"verdict {attempt.verdict or UNKNOWN}" if attempt.mends else "mends nothing"
        value = (
            f"{attempt.action} on {', '.join(attempt.targets) or UNKNOWN}: outcome {attempt.outcome or UNKNOWN}, "
            f"{judged}, took {took}"
        )
        facts.append(Fact(f"{attempt.rung} ({attempt.phase})", value, rows))
    for debt in dossier.debts:
        due = stamp(debt.due_at) if debt.due_at is not None else UNKNOWN
        facts.append(Fact(f"To be returned: {debt.rung}", f"{debt.state}, due {due}"))
    return Section("Remediation", "" if facts else "No action was taken.", tuple(facts))


def _guardrails(dossier: Dossier) -> Section:
    rows = {id(event): row for row, event in enumerate(dossier.events, 1)}
    by_time = {
        (event.at, str(event.data.get("rung", ""))): rows[id(event)]
        for event in dossier.events
        if event.kind in {Kind.GATES, Kind.SKIPPED}
    }
    facts = tuple(
        Fact(
            asked.rung or UNKNOWN,
            "allowed"
            if asked.allowed
            else "; ".join(f"{gate.name}: {gate.reason}" for gate in asked.refusals),
            (by_time[asked.at, asked.rung],),
        )
        for asked in explain(dossier)
    )
    return Section("Guardrail decisions", "" if facts else "None was asked.", facts)


def _paging(dossier: Dossier, log: _Log) -> Section:
    pages = [row for row in dossier.deliveries if row.event in PAGES]
    facts = []
    for page in pages:
        rows = tuple(row for row, event in log.rows if event.data.get("key") == page.key)
        sent = f"accepted at {stamp(page.sent_at)}" if page.sent_at is not None else str(page.state)
        facts.append(Fact(f"L{page.level} {page.person} by {page.channel}", f"{page.event}, {sent}", rows))
    failed = sorted({page.channel for page in pages if page.state is DeliveryState.FAILED})
    if failed:
        facts.append(Fact("Channels that failed", ", ".join(failed)))
    for row, event in log.all(Kind.ACKED, Kind.EXTENDED, Kind.ESCALATED, Kind.LEVEL_SKIPPED):
        facts.append(Fact(str(event.kind), event.text, (row,)))
    return Section("Paging", "" if facts else "Nobody was paged.", tuple(facts))


def _daemon_faults(log: _Log) -> Section:
    facts = tuple(
        Fact(str(event.data.get("what", "daemon")), event.text, (row,))
        for row, event in log.all(Kind.DAEMON, Kind.NOT_SENT)
    )
    return Section("Faults of the daemon itself", "" if facts else "None was recorded.", facts)


_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#"})


def _plain(text: str) -> str:
    """Text on one line, with nothing in it that Markdown or HTML would take for itself."""
    return " ".join(text.split()).translate(_SPECIAL)
