"""The draft of a post-mortem: only what was recorded, each fact cited to its timeline row, gaps called unknown.

The same rows always give the same document. Who did what is on the timeline; nobody is named as a cause.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.document import record
from daemon.document.dossier import Dossier
from daemon.document.log import Log, Numbered, marks
from daemon.document.paper import ROW, Fact, Paper, Section, Table
from daemon.document.record import UNKNOWN, cited
from daemon.document.sentence import sentence
from daemon.document.words import complaint, length, reading, scope_text, stamp
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord
from daemon.incidents.records import PipelineChange

DRAFT = "draft"
REVIEW_WITHIN = 5
"""Business days after the end within which people look at it together."""
ACTION_ITEMS = Table(
    ("type", "what", "owner", "ticket", "due"),
    tuple((kind, "", "", "", "") for kind in ("prevent", "detect", "mitigate", "process")),
)
_EVIDENCE = 160
_UNTOLD = frozenset({"gates", "key", "args", "inputs", "output"})
"""What of a row's facts is too long for a line, or says nothing to people."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the timeline. `evidence`: the facts behind its text."""

    row: int
    at: str
    kind: str
    text: str
    actor: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Postmortem:
    """The document; `timeline` is numbered from 1, and citations point there. `date`: of the first breach, UTC.

    `review_by`: a date, `unknown` before the end.
    """

    incident: str
    title: str
    date: str
    review_by: str
    sections: tuple[Section, ...]
    timeline: tuple[Row, ...] = ()


def postmortem(dossier: Dossier, beside: Iterable[Event] = ()) -> Postmortem:
    """Draft the document of one incident. `beside`: what happened to the daemon and the pipeline then, oldest first."""
    incident = dossier.incident
    log = Log(_merged(dossier.events, beside))
    words = complaint(incident)
    at = marks(dossier, log)
    last = max((event.at for event in dossier.events), default=incident.detected_at)
    summary = sentence(dossier, incident.resolved_at or last)
    return Postmortem(
        incident.id,
        f"{words.subject} {words.then}",
        stamp(incident.began_at)[:10],
        UNKNOWN if incident.resolved_at is None else _business_days(incident.resolved_at, REVIEW_WITHIN),
        (
            Section("Summary", summary, rows=cited(at.detected, at.over)),
            _impact(dossier, log),
            _detection(dossier, log),
            _trigger(dossier, log),
            Section("Contributing factors", blank=True),
            record.resolution(dossier, log),
            record.responders(dossier, log),
            record.times(dossier, log),
            record.remediation(dossier, log),
            record.guardrails(dossier, log),
            record.paging(dossier, log),
            record.daemon_faults(log),
            Section("What went well", blank=True),
            Section("What went badly", blank=True),
            Section("Where we got lucky", blank=True),
            Section("Action items", blank=True),
        ),
        tuple(_row(row, event) for row, event in log.rows),
    )


def paper(document: Postmortem) -> Paper:
    """The document as it is written down; the items and the timeline as tables."""
    items = (
        Section(section.title, table=ACTION_ITEMS, blank=True) if section.title == "Action items" else section
        for section in document.sections
    )
    rows = tuple((str(r.row), r.at, r.text, r.actor, r.evidence) for r in document.timeline)
    timeline = Section("Timeline (UTC)", table=Table((ROW, "at", "what", "who", "evidence"), rows))
    head = (
        ("incident", document.incident),
        ("date", document.date),
        ("authors", ""),
        ("status", DRAFT),
        ("review by", document.review_by),
    )
    return Paper(document.title, head, (*items, timeline))


def as_json(document: Postmortem) -> dict[str, Any]:
    """The document as plain data."""
    return {
        "incident": document.incident,
        "title": document.title,
        "status": DRAFT,
        "date": document.date,
        "review_by": document.review_by,
        "sections": [
            {
                "title": section.title,
                "text": section.text,
                "facts": [{"name": f.name, "value": f.value, "rows": list(f.rows)} for f in section.facts],
                "rows": list(section.rows),
                "blank": section.blank,
            }
            for section in document.sections
        ],
        "timeline": [
            {
                "row": r.row,
                "at": r.at,
                "kind": r.kind,
                "text": r.text,
                "actor": r.actor,
                "evidence": r.evidence,
            }
            for r in document.timeline
        ],
    }


def changed(change: PipelineChange) -> Event:
    """A change of the pipeline as a row beside others."""
    text = f"{change.what} by {change.who} {change.ref}".rstrip()
    data = {"what": change.what, "ref": change.ref, "scope": scope_text(change.scope)}
    return Event("-", change.at, Kind.PIPELINE_CHANGE, text, data, change.who)


def _merged(own: Iterable[Event], beside: Iterable[Event]) -> tuple[Event, ...]:
    """By time; at the same instant the incident's own rows first, each in the order in which it was written."""
    return tuple(heapq.merge(own, beside, key=lambda event: event.at))


def _row(row: int, event: Event) -> Row:
    facts = ", ".join(
        f"{name}={_short(value)}"
        for name, value in event.data.items()
        if name not in _UNTOLD and value not in (None, "", (), [], {})
    )
    evidence = facts if len(facts) <= _EVIDENCE else f"{facts[: _EVIDENCE - 1]}…"
    return Row(row, stamp(event.at), str(event.kind), event.text, event.actor, evidence)


def _short(value: Any) -> str:
    """A fact in a line: numbers without noise, instants as people read them."""
    if isinstance(value, float):
        return stamp(value) if value > 1e9 else f"{value:.4g}"
    return " ".join(str(dict(value) if isinstance(value, Mapping) else value).split())


def _business_days(end: float, days: int) -> str:
    day = datetime.fromtimestamp(end, UTC).date()
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day.isoformat()


# ------------------------------------------------------------ what happened


def _impact(dossier: Dossier, log: Log) -> Section:
    """How much, for how long, at which severity. What nobody counted is not made up."""
    impact, incident = dossier.incident.impact, dossier.incident
    at = marks(dossier, log)
    lasted = length(incident.resolved_at - incident.began_at) if incident.resolved_at is not None else UNKNOWN
    rows = cited(at.detected)
    return Section(
        "Impact",
        facts=(
            Fact("Affected", impact.text or f"{impact.scopes} of {impact.of}", rows),
            Fact("Lasted", lasted, cited(at.over)),
            *_severities(dossier, log),
            Fact("Records late or lost", UNKNOWN),
            Fact("Error budget spent", UNKNOWN),
        ),
    )


def _severities(dossier: Dossier, log: Log) -> list[Fact]:
    """How long it stood at each severity, from the detection on."""
    incident = dossier.incident
    moves = log.all(Kind.SEVERITY)
    first = str(moves[0][1].data.get("was", UNKNOWN)) if moves else incident.severity
    detected = marks(dossier, log).detected
    steps = [(incident.detected_at, first, cited(detected))]
    steps += [(event.at, str(event.data.get("now", UNKNOWN)), (row,)) for row, event in moves]
    ends: list[float | None] = [*(at for at, _, _ in steps[1:]), incident.resolved_at]
    return [
        Fact(f"At severity {name}", length(end - at) if end is not None else UNKNOWN, rows)
        for (at, name, rows), end in zip(steps, ends, strict=True)
    ]


def _detection(dossier: Dossier, log: Log) -> Section:
    """What noticed it, how long after it began, and what it read."""
    incident = dossier.incident
    detected = log.first(Kind.DETECTED)
    rows = cited(detected)
    noticed = str(detected[1].data.get("detector") or "") if detected else ""
    alerts = tuple(row for row, _ in log.all(Kind.ALERT))
    findings = tuple(
        Fact(
            f"Signal {finding.detector}",
            f"{_first_read(finding, detected)} (fires {finding.threshold})",
            rows,
        )
        for finding in incident.findings
    )
    return Section(
        "Detection",
        facts=(
            Fact("Noticed by", noticed or ("alerts from outside" if alerts else UNKNOWN), rows or alerts[:1]),
            Fact("Delay from the first breach", length(incident.detected_at - incident.began_at), rows),
            Fact("Failure mode", incident.failure_mode, rows),
            Fact("Scope", scope_text(incident.scope), rows),
            Fact("Severity", incident.severity, tuple(row for row, _ in log.all(Kind.SEVERITY)) or rows),
            *(findings or (Fact("Signal", UNKNOWN),)),
        ),
    )


def _first_read(finding: FindingRecord, detected: Numbered | None) -> str:
    """What it read when it fired: a finding keeps its newest value, which says nothing of that once it is over."""
    if detected is None or detected[1].data.get("detector") != finding.detector:
        return "fired" if finding.state != "pending" else "pending"
    value = detected[1].data.get("value")
    return reading(replace(finding, value=float(value) if isinstance(value, int | float) else None))


def _trigger(dossier: Dossier, log: Log) -> Section:
    """What had changed before, and what the probes said first. Whether one caused the other is for people to say."""
    began = dossier.incident.began_at
    before = [
        Fact("Changed before", event.text, (row,))
        for row, event in log.all(Kind.PIPELINE_CHANGE)
        if event.at <= began
    ]
    said: dict[str, Fact] = {}
    for row, event in log.all(Kind.DIAGNOSED):
        name = str(event.data.get("probe", UNKNOWN))
        said.setdefault(name, Fact(f"Probe {name}", event.text, (row,)))
    return Section("Trigger", facts=(*(before or [Fact("Changed before", UNKNOWN)]), *said.values()))
