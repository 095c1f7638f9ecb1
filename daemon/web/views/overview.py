"""The overview: the sentence on top, six rows of scopes, the stream of what was done and refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from config.scope import Scope
from config.section import SEVERITY_OF, FailureMode
from daemon.desk import models
from daemon.desk.snapshot import Cell, Snapshot
from daemon.document.charts import sparkline
from daemon.document.dossier import Dossier
from daemon.document.sentence import sentence
from daemon.document.words import complaint, scope_text
from daemon.incidents.escalation import EscalationState
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import IncidentState
from daemon.web.views.looks import Look, badness, of_detector, of_incident
from daemon.web.views.reader import Reader, human, labels, value
from remediations.run import ACTIVE, RunState

CELLS = 12
"""Scopes drawn in one row; the rest is counted."""
SPARKS = 8
"""Scopes of a row that are drawn with their signal: the worst ones."""
POINTS = 32
"""Points of one sparkline: what can be seen at its width."""
STREAM = 14


@dataclass(frozen=True, slots=True)
class Square:
    """One scope of a row: the detector that decides its state, and how many others look at it too."""

    name: str
    look: Look
    detector: str
    value: str
    threshold: str
    since: float | None
    spark: str
    others: int


@dataclass(frozen=True, slots=True)
class Row:
    """One failure mode. `summary`: how many of how many are what. `hidden`: scopes that are not drawn."""

    mode: str
    name: str
    severity: str
    look: Look
    summary: str
    squares: tuple[Square, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """One open incident as a line: its sentence carries the rest."""

    id: str
    look: Look
    severity: str
    title: str
    sentence: str
    impact: str
    next_at: float | None
    level: int


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the stream."""

    at: float
    tone: str
    word: str
    text: str
    incident: str


def headline(
    status: models.Status, live: Snapshot | None, dossiers: Sequence[Dossier], reader: Reader
) -> str:
    """The one sentence that answers: is it bad, is the machine on it, do I have to do something?"""
    if dossiers:
        return _how_bad(status.incidents.open, dossiers)
    if live is None:
        return "No incident is open in the store. What the pipeline does now is not known here."
    if live.stale(reader.now):
        return f"No incident was open when the loop last reported, at {reader.both(live.at)}."
    if not live.rounds_done:
        return "Starting: nothing is judged before every detector has finished its first round."
    return _quiet(status, live)


def _quiet(status: models.Status, live: Snapshot) -> str:
    """Nothing is open: whether that is known, or only not seen."""
    unseen = [row.name for row in rows(live) if all(one.look.tone == "unknown" for one in row.squares)]
    if unseen:
        what = f"{len(unseen)} of the six failure modes" if len(unseen) > 3 else ", ".join(unseen)
        return f"No incident is open, but nothing is known of {what}."
    blind, total = status.detectors.blind, status.detectors.total
    if blind:
        return f"No incident is open, but {_counted(blind, 'detector sees', 'detectors see')} nothing, of {total}."
    scopes = len({(mode, cell.scope) for mode, cells in live.cells.items() for cell in cells})
    return (
        f"All quiet: no incident is open, {_counted(scopes, 'scope is', 'scopes are')} watched by "
        f"{_counted(total, 'detector', 'detectors')}. You need do nothing."
    )


def _how_bad(total: int, dossiers: Sequence[Dossier]) -> str:
    """How many, which wait for a person, which the machine is on; what each is stands in its own sentence below."""
    waiting = [found for found in dossiers if needs_person(found)]
    working = sum(
        found.run is not None and found.run.state in ACTIVE and found.incident.state in _WORKED_ON
        for found in dossiers
        if found not in waiting
    )
    said = [f"{_counted(total, 'incident is', 'incidents are')} open."]
    if waiting:
        words = complaint(waiting[0].incident)
        said.append(
            f"{_counted(len(waiting), 'waits for a person', 'wait for a person')}: {words.subject} {words.now}"
            + (", first of all." if len(waiting) > 1 else ".")
        )
    if working:
        said.append(f"Fleetmend is working on {working}.")
    rest = total - len(waiting) - working
    if not waiting:
        said.append("You need do nothing yet.")
    elif rest:
        said.append(
            f"You need do nothing about the other {rest} yet." if rest > 1 else "The other needs nothing yet."
        )
    return " ".join(said)


_WORKED_ON = frozenset({IncidentState.OPEN, IncidentState.CONTAINED, IncidentState.RECOVERED})


def needs_person(found: Dossier) -> bool:
    """Whether somebody has been paged and nobody has it, or a step waits for approval."""
    if found.run is not None and found.run.state is RunState.PROPOSED:
        return True
    return found.escalation is not None and found.escalation.state is EscalationState.PAGING


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def open_incidents(dossiers: Sequence[Dossier], reader: Reader) -> list[OpenIncident]:
    """In the order they were given: worst first."""
    return [
        OpenIncident(
            id=found.incident.id,
            look=of_incident(found.incident, found.run),
            severity=found.incident.severity,
            title=f"{human(found.incident.failure_mode)}: {scope_text(found.incident.scope)}",
            sentence=sentence(found, reader.now, reader.zone),
            impact=found.incident.impact.text,
            next_at=found.escalation.next_at if found.escalation else None,
            level=found.escalation.level if found.escalation else 0,
        )
        for found in dossiers
    ]


def rows(live: Snapshot | None) -> list[Row]:
    """Six rows in the domain's order; without a snapshot they are unknown."""
    return [_row(mode, live.cells.get(mode, ()) if live else ()) for mode in FailureMode]


def _row(mode: FailureMode, cells: Sequence[Cell]) -> Row:
    by_scope: dict[Scope, list[Cell]] = {}
    for cell in cells:
        by_scope.setdefault(cell.scope, []).append(cell)
    worst = {scope: min(group, key=_rank) for scope, group in by_scope.items()}
    order = sorted(worst, key=lambda scope: (_rank(worst[scope]), scope))
    squares = tuple(
        _square(worst[scope], len(by_scope[scope]) - 1, drawn=place < SPARKS)
        for place, scope in enumerate(order[:CELLS])
    )
    look = squares[0].look if squares else Look("unknown", "nothing is known")
    return Row(
        mode=mode,
        name=human(mode),
        severity=SEVERITY_OF[mode],
        look=look,
        summary=_summary([worst[scope] for scope in order]),
        squares=squares,
        hidden=max(0, len(order) - CELLS),
    )


def _rank(cell: Cell) -> tuple[int, str]:
    return badness(cell.state, blind=cell.blind), cell.detector


def _summary(worst: Sequence[Cell]) -> str:
    if not worst:
        return "no scope has been seen"
    counts: dict[str, int] = {}
    for cell in worst:
        word = of_detector(cell.state, blind=cell.blind).word
        counts[word] = counts.get(word, 0) + 1
    if len(counts) == 1:
        ((word, number),) = counts.items()
        return f"all {number} {word}" if number > 1 else word
    return ", ".join(f"{number} {word}" for word, number in counts.items())


def _square(cell: Cell, others: int, *, drawn: bool) -> Square:
    percent = "%" in cell.threshold
    return Square(
        name=labels(dict(cell.scope)),
        look=of_detector(cell.state, blind=cell.blind),
        detector=cell.detector,
        value="" if cell.value is None else value(cell.value, percent=percent),
        threshold=cell.threshold,
        since=cell.since,
        spark=spark(cell) if drawn else "",
        others=others,
    )


def spark(cell: Cell) -> str:
    """The deciding signal's last values as SVG, with its threshold; "" where there are none."""
    if not cell.spark:
        return ""
    points = thinned(cell.spark, POINTS)
    known = [point for point in points if math.isfinite(point)]
    title = f"{cell.detector}: {'last ' + value(known[-1]) if known else 'nothing known'}, {cell.threshold}"
    return sparkline(points, line=cell.line, title=title)


def thinned(values: Sequence[float], most: int) -> list[float]:
    """At most `most` values; of each stretch the one that stands out, and a gap where anything was unknown."""
    if len(values) <= most:
        return [*values]
    kept: list[float] = []
    for index in range(most):
        part = values[index * len(values) // most : (index + 1) * len(values) // most]
        if any(not math.isfinite(one) for one in part):
            kept.append(math.nan)
        else:
            mean = sum(part) / len(part)
            kept.append(max(part, key=lambda one: abs(one - mean)))
    return kept


_TOLD: dict[Kind, tuple[str, str]] = {
    Kind.DETECTED: ("firing", "detected"),
    Kind.BLIND: ("unknown", "blind"),
    Kind.SUPPRESSED: ("quiet", "held back"),
    Kind.GATES: ("refused", "refused"),
    Kind.WAITING: ("pending", "waits"),
    Kind.PROPOSED: ("pending", "proposed"),
    Kind.APPROVED: ("acting", "approved"),
    Kind.REJECTED: ("refused", "rejected"),
    Kind.EXPIRED: ("refused", "expired"),
    Kind.STARTED: ("acting", "started"),
    Kind.VERDICT: ("acting", "verdict"),
    Kind.UNDOING: ("acting", "undoing"),
    Kind.UNDONE: ("acting", "undone"),
    Kind.CONTAINED: ("contained", "contained"),
    Kind.GAVE_UP: ("refused", "gave up"),
    Kind.STEPPED_BACK: ("refused", "stepped back"),
    Kind.RECOVERED: ("healthy", "recovered"),
    Kind.RELAPSED: ("firing", "relapsed"),
    Kind.RESOLVED: ("healthy", "resolved"),
    Kind.CLOSED: ("quiet", "closed"),
    Kind.SENT: ("page", "told"),
    Kind.NOT_SENT: ("firing", "not told"),
    Kind.ACKED: ("quiet", "acknowledged"),
    Kind.ESCALATED: ("page", "escalated"),
    Kind.DAEMON: ("quiet", "fleetmend"),
    Kind.PIPELINE_CHANGE: ("quiet", "change"),
}


def stream(events: Sequence[Event]) -> list[Said]:
    """The last actions and refusals, newest first; a guardrail's yes is silent, its no is not."""
    found: list[Said] = []
    for event in sorted(events, key=lambda event: event.at, reverse=True):
        if event.kind not in _TOLD or (event.kind is Kind.GATES and event.data.get("allowed")):
            continue
        tone, word = _TOLD[event.kind]
        line = Said(event.at, tone, word, event.text, "" if event.incident == "-" else event.incident)
        if found and (found[-1].text, found[-1].incident) == (line.text, line.incident):
            continue
        found.append(line)
        if len(found) == STREAM:
            break
    return found
