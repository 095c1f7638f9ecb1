"""The incident page's own parts: the chart with bands and marks, the evidence, the timeline, the trace of gates."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.detect.trace import Chart as Values
from daemon.document.charts import Band, BandKind, Chart, Mark, MarkKind, describe
from daemon.document.dossier import Dossier
from daemon.document.sentence import next_level
from daemon.document.words import scope_text
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord
from daemon.incidents.records import DeliveryState, PipelineChange
from daemon.web.views.reader import human
from detectors.spec import DetectorSpec
from remediations.run import RunState

BEFORE, AFTER = 900.0, 300.0
"""Seconds a chart shows before the first breach and after the end."""
LONGEST = 7_200.0
ROWS = 120
"""Rows of the timeline on one page, the newest."""
TRACES = 5
_CUT = 600

_DETECTION = {Kind.DETECTED, Kind.FINDING, Kind.SEVERITY, Kind.SUPPRESSED, Kind.RELEASED, Kind.BLIND}
_DETECTION |= {Kind.SIGHTED, Kind.FLAPPING, Kind.ALERT, Kind.RECOVERED, Kind.RELAPSED, Kind.RESOLVED}
_ACTIONS = {Kind.INTENDED, Kind.STARTED, Kind.ENDED, Kind.VERDICT, Kind.UNDOING, Kind.UNDONE, Kind.CONTAINED}
_ACTIONS |= {Kind.DIAGNOSED, Kind.RECHECK, Kind.DEBT_OPENED, Kind.DEBT_MOVED, Kind.PIPELINE_CHANGE}
_REFUSALS = {Kind.GATES, Kind.SKIPPED, Kind.WAITING, Kind.PROPOSED, Kind.EXPIRED, Kind.GAVE_UP}
_REFUSALS |= {Kind.STEPPED_BACK, Kind.DEADLINE, Kind.REJECTED}
_PAGES = {Kind.OWED, Kind.SENT, Kind.NOT_SENT, Kind.RECEIPT, Kind.ESCALATED, Kind.LEVEL_SKIPPED}
_PEOPLE = {Kind.ACKED, Kind.EXTENDED, Kind.RESUMED, Kind.NOTE, Kind.HUMAN_VERDICT, Kind.APPROVED}
_PEOPLE |= {Kind.REJECTED, Kind.CLOSED}

FILTERS: Mapping[str, tuple[str, frozenset[Kind]]] = {
    "all": ("Everything", frozenset(Kind)),
    "detection": ("Detection", frozenset(_DETECTION)),
    "actions": ("Actions", frozenset(_ACTIONS)),
    "refusals": ("Decisions and refusals", frozenset(_REFUSALS)),
    "pages": ("Pages", frozenset(_PAGES)),
    "people": ("People", frozenset(_PEOPLE)),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One row of the timeline; `facts`: what stands behind its text, bounded."""

    at: float
    kind: str
    tone: str
    text: str
    actor: str
    facts: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe answered."""

    probe: str
    at: float
    ok: bool
    status: str
    body: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector says of this incident, at how many of its scopes."""

    detector: str
    state: str
    threshold: str
    since: float
    values: tuple[float | None, ...]


def grouped(findings: Iterable[FindingRecord]) -> list[Found]:
    """Findings that differ in nothing but their scope as one row, with each value that was seen."""
    rows: dict[tuple[str, str, str], list[FindingRecord]] = {}
    for finding in findings:
        rows.setdefault((finding.detector, finding.state, finding.threshold), []).append(finding)
    return [
        Found(*key, since=min(row.since for row in alike), values=tuple(row.value for row in alike))
        for key, alike in rows.items()
    ]


def timeline(events: Sequence[Event], wanted: str) -> tuple[list[Shown], int]:
    """(rows of the wanted kinds, newest first; how many older ones are not shown)."""
    _, kinds = FILTERS.get(wanted, FILTERS["all"])
    fitting = [event for event in events if event.kind in kinds]
    rows = [_shown(event) for event in reversed(fitting[-ROWS:])]
    return rows, max(0, len(fitting) - ROWS)


_COMES: Mapping[RunState, str] = {
    RunState.DIAGNOSING: "the probes have answered",
    RunState.RECHECKING: "the fault is looked for",
    RunState.WAITING: "the guardrails are asked again",
    RunState.PROPOSED: "the proposal expires",
    RunState.ACTING: "the action has ended",
    RunState.VERIFYING: "verdict",
    RunState.UNDOING: "the undo has ended",
}
"""What comes of a run's state at its due time, at the latest."""


def ahead(dossier: Dossier) -> list[tuple[str, float]]:
    """What happens next by itself, the soonest first, with its time."""
    run, escalation = dossier.run, dossier.escalation
    found: list[tuple[str, float]] = []
    if dossier.incident.ended:
        return found
    if run is not None and run.due_at is not None and run.state in _COMES:
        found.append((_COMES[run.state], run.due_at))
    if escalation is not None and escalation.state is not EscalationState.ENDED:
        level = next_level(dossier)
        found += [
            (text, at)
            for text, at in (
                ("the page that is held goes out", escalation.held_until),
                (f"reminder to L{escalation.level}", escalation.remind_at),
                (f"L{level} is told", escalation.next_level_at),
            )
            if at is not None
        ]
    return sorted(found, key=lambda each: each[1])


def _shown(event: Event) -> Shown:
    facts = {name: value for name, value in event.data.items() if name not in {"gates", "key"}}
    tone, word = _tone(event.kind), human(event.kind)
    if event.kind is Kind.GATES:
        tone, word = ("quiet", "Allowed") if event.data.get("allowed") else ("refused", "Refused")
    return Shown(event.at, word, tone, event.text, event.actor, plain(facts) if facts else "")


def _tone(kind: Kind) -> str:
    if kind in {Kind.RECOVERED, Kind.RESOLVED}:
        return "healthy"
    for tone, kinds in (
        ("firing", _DETECTION),
        ("acting", _ACTIONS),
        ("refused", _REFUSALS),
        ("page", _PAGES),
    ):
        if kind in kinds:
            return tone
    return "quiet"


def plain(value: object, limit: int = _CUT) -> str:
    """Data as one bounded text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def evidence(dossier: Dossier) -> list[Proof]:
    """The probes' last answers on this climb."""
    run = dossier.run
    if run is None:
        return []
    return [
        Proof(
            probe=name,
            at=proof.at,
            ok=proof.ok,
            status=str(proof.status) if proof.status is not None else "",
            body=proof.error or ("" if proof.body is None else plain(proof.body)),
        )
        for name, proof in sorted(run.evidence.items())
    ]


def span(dossier: Dossier, now: float) -> tuple[float, float]:
    """What the chart shows: a while before the first breach until now, or a while after the end."""
    incident = dossier.incident
    end = min(now, (incident.resolved_at or now) + AFTER)
    return max(incident.began_at - BEFORE, end - LONGEST), end


def chart(
    dossier: Dossier,
    finding: FindingRecord,
    values: Values | None,
    spec: DetectorSpec | None,
    changes: Iterable[PipelineChange],
    window: tuple[float, float],
    zone: str,
) -> Chart | None:
    """The deciding signal with what was known of it and what was done; None when no value is kept."""
    if values is None or not values.times:
        return None
    percent = spec is not None and spec.signal.kind in {"ratio", "share_over"}
    return Chart(
        title=f"{finding.detector} at {scope_text(dossier.incident.scope)}",
        times=values.times,
        values=[math.nan if value is None else value for value in values.values],
        fire=values.fire,
        clear=values.clear,
        bands=tuple(_bands(dossier, finding, values, window)),
        marks=tuple(_marks(dossier, changes, window)),
        percent=percent,
        zone=zone,
    )


def _bands(
    dossier: Dossier, finding: FindingRecord, values: Values, window: tuple[float, float]
) -> Iterable[Band]:
    """Pending until it was detected, firing until it cleared, and over both what nobody knew."""
    incident = dossier.incident
    start, end = window
    fired = incident.detected_at
    over = incident.recovered_at or incident.resolved_at or end
    first = max(start, values.times[0])
    last = min(end, values.times[-1])
    for begin, stop, kind in (
        (finding.since, fired, BandKind.PENDING),
        (fired, over, BandKind.FIRING),
        *((begin, stop, BandKind.UNKNOWN) for begin, stop in values.unknown),
    ):
        left, right = max(begin, first), min(stop, last)
        if right > left:
            yield Band(left, right, kind)


def _marks(
    dossier: Dossier, changes: Iterable[PipelineChange], window: tuple[float, float]
) -> Iterable[Mark]:
    start, end = window
    for attempt in dossier.attempts:
        at = attempt.started_at
        if at is not None and start <= at <= end:
            name = attempt.rung if attempt.phase == "do" else f"{attempt.phase} {attempt.rung}"
            yield Mark(at, MarkKind.ACTION, name)
    told: set[tuple[int, int]] = set()
    for row in dossier.deliveries:
        at = row.sent_at
        if row.state is not DeliveryState.ACCEPTED or at is None or not start <= at <= end or not row.level:
            continue
        if (row.level, round(at / 60)) not in told:  # one page to several people or channels is one mark
            told.add((row.level, round(at / 60)))
            yield Mark(at, MarkKind.PAGE, f"page L{row.level}")
    for change in changes:
        if start <= change.at <= end:
            yield Mark(change.at, MarkKind.CHANGE, change.what)


def first_of(dossier: Dossier, known: Callable[[str], bool]) -> FindingRecord | None:
    """The finding whose signal is drawn: the first that fires and is configured, else the first."""
    rows = dossier.incident.findings
    firing = [row for row in rows if row.state in {"firing", "clearing"} and known(row.detector)]
    return next(iter(firing or rows), None)


def small(drawn: Chart) -> Chart:
    """The same for a narrow screen: another title, so that the two have no ids in common."""
    return replace(drawn, title=f"{drawn.title} (narrow)")


def in_words(drawn: Chart) -> str:
    """What the chart shows, for those who do not see it."""
    return describe(drawn)
