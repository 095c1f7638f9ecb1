"""The console's further pages: detectors, playbooks, pages, debts, history, configuration, post-mortem."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from daemon.desk import catalogue, queries
from daemon.desk.snapshot import Snapshot
from daemon.document.dossier import load
from daemon.document.sentence import sentence
from daemon.document.words import complaint, scope_text
from daemon.store.unit import UnitOfWork
from daemon.web.access import Visit, visit
from daemon.web.frames import frame_of, page, reader_of
from daemon.web.parts import Parts, parts_of
from daemon.web.views import lists, looks, returns
from daemon.web.views.drills import last_of_each
from daemon.web.views.reader import Reader

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Visitor = Annotated[Visit, Depends(visit)]
WEEK = 7 * 86_400.0
PER_PAGE = 50


def _show(request: Request, visitor: Visit, active: str, template: str, build: Any) -> HTMLResponse:
    parts = parts_of(request)
    reader = reader_of(request, parts)

    def within(uow: UnitOfWork) -> HTMLResponse:
        names = build(uow, parts, reader)
        return page(template, frame_of(request, parts, uow, visitor, active, reader), **names)

    return parts.read(within)


@router.get("/detectors")
def detectors(request: Request, visitor: Visitor) -> HTMLResponse:
    """Every detector, its thresholds, and what it says where."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        del reader
        live: Snapshot | None = parts.snapshot()
        rows = catalogue.detectors(uow, parts.known(), live).detectors
        return {"headline": lists.about_detectors(rows, live), "modes": lists.by_mode(rows, live)}

    return _show(request, visitor, "detectors", "detectors.html", build)


DRILLS = 100
"""Drills among which the newest of each playbook is looked for."""


@router.get("/playbooks")
def playbooks(request: Request, visitor: Visitor) -> HTMLResponse:
    """Every ladder, how far it may go by itself, and how it has fared."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        rows = catalogue.playbooks(uow, parts.known(), reader.now).playbooks
        return {
            "headline": lists.about_playbooks(rows),
            "books": rows,
            "drills": last_of_each(uow.drills.newest(limit=DRILLS)),
            "locks": uow.locks.listed(reader.now),
        }

    return _show(request, visitor, "playbooks", "playbooks.html", build)


@router.get("/pages")
def pages(request: Request, visitor: Visitor) -> HTMLResponse:
    """Who is on call, who follows, and what was sent to whom."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        duties = catalogue.oncall(uow, parts.known(), reader.now).oncall
        found = queries.pages(uow, limit=60)
        rows = found.pages
        return {
            "headline": lists.about_pages(duties, rows, reader),
            "duties": duties,
            "feeds": {duty.schedule: parts.sessions.feed(schedule=duty.schedule) for duty in duties},
            "mine": [
                (spec.name, token)
                for person, spec in sorted(parts.known().people.items())
                if duties and (token := parts.sessions.feed(person=person)) is not None
            ],
            "pages": rows,
            "proved": found.proved,
            "people": sorted(parts.known().people),
        }

    return _show(request, visitor, "pages", "pages.html", build)


@router.get("/debts")
def debts(request: Request, visitor: Visitor) -> HTMLResponse:
    """What was borrowed from the pipeline and when it is given back."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        del parts
        rows = queries.debts(uow).debts
        return {
            "headline": lists.about_debts(rows, reader),
            "debts": rows,
            "asking": returns.asking(rows),
            "locks": uow.locks.listed(reader.now),
            "mutes": queries.mutes(uow, reader.now).mutes,
        }

    return _show(request, visitor, "debts", "debts.html", build)


@router.get("/history")
def history(
    request: Request,
    visitor: Visitor,
    before: Annotated[str, Query(max_length=60)] = "",
) -> HTMLResponse:
    """Incidents, newest first, and what the last seven days came to."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        found = uow.incidents.search(after=lists.cursor_of(before), limit=PER_PAGE)
        report = queries.report(uow, parts.known(), reader.now - WEEK, reader.now)
        return {
            "headline": lists.about_week(report),
            "report": report,
            "rows": [
                lists.Past(row, looks.of_incident(row, None), scope_text(row.scope), complaint(row).then)
                for row in found.incidents
            ],
            "older": lists.cursor_text(found.next),
        }

    return _show(request, visitor, "history", "history.html", build)


@router.get("/config")
def config(request: Request, visitor: Visitor) -> HTMLResponse:
    """What is loaded, from where, since when, and why the last reload was refused."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        loaded = catalogue.config(parts.known(), parts.snapshot())
        return {
            "headline": lists.about_config(loaded, reader),
            "config": loaded,
            "sections": lists.sections(loaded.data),
            "moments": [*reversed(queries.daemon_timeline(uow, limit=20))],
        }

    return _show(request, visitor, "config", "config.html", build)


@router.get("/incidents/{incident_id}/postmortem")
def postmortem(request: Request, incident_id: str, visitor: Visitor) -> HTMLResponse:
    """The draft, to read and to take along."""

    def build(uow: UnitOfWork, parts: Parts, reader: Reader) -> dict[str, Any]:
        del parts
        document = queries.postmortem(uow, incident_id)
        found = load(uow, incident_id)
        said = sentence(found, reader.now, reader.zone) if found else ""
        return {"document": document, "said": said}

    return _show(request, visitor, "history", "postmortem.html", build)
