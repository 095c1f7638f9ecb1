"""The sentences on top of the further pages, and their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from config.section import FailureMode
from daemon.desk import ladders, models, reports
from daemon.desk.snapshot import Cell, Snapshot
from daemon.document.words import length
from daemon.incidents.model import Incident
from daemon.store.incidents import Cursor
from daemon.web.views.looks import Look, badness, of_detector
from daemon.web.views.overview import spark
from daemon.web.views.reader import Reader, human, labels, value

SCOPES = 40
"""Scopes of one detector on the page; the rest is counted."""
LONGEST_SECTION = 6_000


@dataclass(frozen=True, slots=True)
class Place:
    """What a detector says at one scope."""

    name: str
    look: Look
    value: str
    since: float | None
    spark: str


@dataclass(frozen=True, slots=True)
class Watching:
    """A detector with its scopes, the worst first."""

    spec: models.Detector
    places: tuple[Place, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class Past:
    """An incident as a line of the history."""

    row: Incident
    look: Look
    scope: str
    then: str


def about_detectors(rows: Sequence[models.Detector], live: Snapshot | None) -> str:
    firing = [row.name for row in rows if any(scope.state in {"firing", "clearing"} for scope in row.scopes)]
    blind = [row.name for row in rows if any(scope.state in {"no_data", "unknown"} for scope in row.scopes)]
    said = f"{len(rows)} detectors watch the pipeline: "
    said += f"{', '.join(firing[:4])} {'fires' if len(firing) == 1 else 'fire'}" if firing else "none fires"
    if blind:
        said += f", {len(blind)} {'does' if len(blind) == 1 else 'do'} not see everything"
    return said + ("." if live else ", as far as the store knows.")


def by_mode(rows: Sequence[models.Detector], live: Snapshot | None) -> list[tuple[str, str, list[Watching]]]:
    """(mode, its name, its detectors); modes in the domain's order, others after them."""
    cells = {
        (cell.detector, cell.scope): cell for group in (live.cells.values() if live else ()) for cell in group
    }
    order = [*FailureMode, *sorted({row.failure_mode for row in rows} - set(FailureMode))]
    return [
        (str(mode), human(mode), [_watching(row, cells) for row in rows if row.failure_mode == mode])
        for mode in order
    ]


def _watching(row: models.Detector, cells: Mapping[Any, Cell]) -> Watching:
    ordered = sorted(row.scopes, key=lambda scope: (badness(scope.state), sorted(scope.scope.items())))
    percent = row.signal.startswith(("ratio", "share_over"))
    places: list[Place] = []
    for scope in ordered[:SCOPES]:
        cell = cells.get((row.name, tuple(sorted(scope.scope.items()))))
        places.append(
            Place(
                labels(scope.scope),
                of_detector(scope.state, blind=bool(cell and cell.blind)),
                value(scope.value, percent=percent),
                scope.since,
                spark(cell) if cell and len(places) < 12 else "",
            )
        )
    return Watching(row, tuple(places), max(0, len(ordered) - SCOPES))


def about_playbooks(rows: Sequence[ladders.Playbook]) -> str:
    rungs = [rung for row in rows for rung in row.ladder]
    alone = sum(rung.autonomy == "auto" for rung in rungs)
    tried, helped = sum(rung.tried for rung in rungs), sum(rung.recovered for rung in rungs)
    record = f" So far {helped} of {tried} tries helped." if tried else " Nothing has been tried yet."
    odd = sum(rung.earned is not None and rung.earned.suggests is not None for rung in rungs)
    if odd:
        record += f" {odd} {'record suggests' if odd == 1 else 'records suggest'} another autonomy."
    free = f"{alone} of them may" if alone else "none of them may"
    return f"{len(rows)} playbooks with {len(rungs)} steps; {free} run without being asked about.{record}"


def about_pages(duties: Sequence[models.Duty], rows: Sequence[models.Page], reader: Reader) -> str:
    if not duties:
        who = "No schedule is configured"
    else:
        on = [f"{', '.join(duty.now) or 'nobody'} has {duty.schedule}" for duty in duties[:3]]
        until = duties[0].until
        who = "; ".join(on) + (f" until {reader.both(until)}" if len(duties) == 1 and until else "")
    waiting = sum(row.state in {"owed", "sending"} for row in rows)
    failed = sum(row.state == "failed" for row in rows)
    tail = f" {waiting} messages wait to be sent." if waiting else ""
    tail += f" {failed} of the last {len(rows)} could not be delivered." if failed else ""
    return f"{who[:1].upper()}{who[1:]}.{tail}"


def about_debts(rows: Sequence[models.Debt], reader: Reader) -> str:
    dated = [row for row in rows if row.due_at is not None]
    if not rows:
        return "Nothing is owed to the pipeline: every change was given back."
    late = [row for row in dated if row.due_at is not None and row.due_at <= reader.now]
    said = f"{len(rows)} {'change has' if len(rows) == 1 else 'changes have'} to be given back"
    if late:
        return f"{said}, {len(late)} of them {'is' if len(late) == 1 else 'are'} due now."
    if dated and dated[0].due_at is not None:
        return f"{said}, the first {reader.until(dated[0].due_at)}."
    return f"{said}, none with a date."


def about_week(report: reports.Report) -> str:
    if not report.incidents:
        return "No incident in the last seven days."
    said = (
        f"{report.incidents} {'incident' if report.incidents == 1 else 'incidents'} in the last seven days: "
        f"{report.mended} mended, {report.self_resolved} gone by themselves, {report.still_open} still open; "
        f"people were paged about {report.paged_incidents}."
    )
    if report.median_recovery_s is not None:
        said += f" Half recovered within {length(report.median_recovery_s)}."
    return said


def about_config(loaded: models.Config, reader: Reader) -> str:
    files = ", ".join(PurePath(file).name for file in loaded.files) or "no file"
    since = f" since {reader.both(loaded.loaded_at)}" if loaded.loaded_at is not None else ""
    if loaded.refused:
        return f"{files} is in force{since}; the last reload was refused for {len(loaded.refused)} reasons."
    return f"{files} is in force{since}."


def sections(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, its text), bounded; secrets are references already."""
    found = []
    for key, held in data.items():
        text = json.dumps(held, indent=2, ensure_ascii=False, default=str)
        cut = (
            text
            if len(text) <= LONGEST_SECTION
            else f"{text[:LONGEST_SECTION]}\n… GET /api/v1/config has it whole"
        )
        found.append((str(key), cut))
    return found


def cursor_of(text: str) -> Cursor | None:
    """Where a page of the history begins; None for the newest, and for what makes no sense."""
    at, colon, key = text.partition(":")
    try:
        return (float(at), key) if colon and 0 <= float(at) < 1e12 else None
    except ValueError:
        return None


def cursor_text(cursor: Cursor | None) -> str:
    return f"{cursor[0]!r}:{cursor[1]}" if cursor else ""
