"""The console's pages. Each opens with a sentence, reads in one transaction, and changes nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from daemon.desk import queries, views
from daemon.desk.healing import helped_here
from daemon.desk.queries import Wanted
from daemon.document.charts import svg
from daemon.document.dossier import Dossier, load
from daemon.document.sentence import sentence, standing
from daemon.store.unit import UnitOfWork
from daemon.web.access import Visit, visit
from daemon.web.frames import frame_of, page, reader_of
from daemon.web.parts import Parts, parts_of
from daemon.web.views import buttons, incident, ladder, looks, overview
from daemon.web.views.reader import Reader
from remediations.spec import action_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Visitor = Annotated[Visit, Depends(visit)]
SHOWN = 12
"""Open incidents on the overview; the rest is counted."""
TAIL = 400
"""How far back, in rows of the timeline, the stream of the overview looks."""
CHANGES_BEFORE = 86_400.0


@router.get("/")
def overview_page(request: Request, visitor: Visitor) -> HTMLResponse:
    """The whole pipeline in one look."""
    parts = parts_of(request)
    reader = reader_of(request, parts)

    def build(uow: UnitOfWork) -> HTMLResponse:
        live = parts.snapshot()
        rows = queries.listed(uow, Wanted(only_open=True, limit=SHOWN + 1))
        dossiers = [found for row in rows if (found := load(uow, row.id)) is not None]
        status = queries.status(uow, parts.known(), live, reader.now)
        frame = frame_of(request, parts, uow, visitor, "overview", reader)
        events = [
            line.event for line in uow.timeline.tail(max(0, uow.timeline.last_seq() - TAIL), limit=TAIL)
        ]
        debts = [debt for debt in queries.debts(uow).debts if debt.state not in {"paid", "waived"}]
        return page(
            "overview.html",
            frame,
            headline=overview.headline(status, live, dossiers, reader),
            status=status,
            incidents=overview.open_incidents(dossiers[:SHOWN], reader),
            more=max(0, status.incidents.open - SHOWN),
            rows=overview.rows(live),
            stream=overview.stream(events),
            debts=debts[:8],
            due=live.due[:8] if live else (),
            sources=live.sources if live else (),
            orders=buttons.whole(any("of everything" in reason for reason in frame.paused)),
        )

    return parts.read(build)


@router.get("/incidents/{incident_id}")
def incident_page(
    request: Request,
    incident_id: str,
    visitor: Visitor,
    show: Annotated[str, Query(max_length=20)] = "all",
) -> HTMLResponse:
    """One incident: the sentence, the orders, the chart, the ladder, and everything that was recorded."""
    parts = parts_of(request)
    reader = reader_of(request, parts)

    def build(uow: UnitOfWork) -> HTMLResponse:
        found = queries.dossier(uow, incident_id)
        known = parts.known()
        model = views.incident(found, sentence(found, reader.now, reader.zone), known.ladders)
        current = model.run.rung if model.run else None
        book = known.playbooks.get((found.run.playbook if found.run else None) or "")
        rungs = (
            [ladder.Rung(rung.name, rung.kind, action_of(rung.do)[0]) for rung in book.ladder] if book else []
        )
        rows, older = incident.timeline(found.events, show)
        traces = views.explanations(found)
        names = {person: spec.name for person, spec in known.people.items()}
        return page(
            "incident.html",
            frame_of(request, parts, uow, visitor, "", reader),
            it=model,
            row=found.incident,
            look=looks.of_incident(found.incident, found.run),
            standing=standing(found),
            orders=buttons.buttons(found, current, reader, names),
            chart=_chart(parts, uow, found, reader),
            playbook=found.run.playbook if found.run else found.incident.playbook,
            begun=found.run is not None,
            steps=ladder.ladder(found, rungs, current),
            ahead=incident.ahead(found),
            line=ladder.reader_line,
            reason=found.run.reason if found.run else "",
            helped=helped_here(uow, known, found.incident, reader.now),
            findings=incident.grouped(found.incident.findings),
            evidence=incident.evidence(found),
            timeline=rows,
            older=older,
            show=show if show in incident.FILTERS else "all",
            filters=incident.FILTERS,
            traces=[*reversed(traces)][: incident.TRACES],
            traces_left=max(0, len(traces) - incident.TRACES),
            deliveries=found.deliveries,
        )

    return parts.read(build)


def _chart(parts: Parts, uow: UnitOfWork, found: Dossier, reader: Reader) -> dict[str, str] | None:
    """The chart of the deciding signal in two widths; None when no value of it is kept."""
    detectors = parts.known().detectors
    finding = incident.first_of(found, detectors.__contains__)
    if finding is None:
        return None
    window = incident.span(found, reader.now)
    values = parts.chart(finding.detector, found.incident.scope, *window)
    changes = uow.pipeline.recent(window[0])
    drawn = incident.chart(
        found, finding, values, detectors.get(finding.detector), changes, window, reader.zone
    )
    if drawn is None:
        return None
    return {
        "title": drawn.title,
        "wide": svg(drawn, width=840, height=260),
        "narrow": svg(incident.small(drawn), width=360, height=230),
        "words": incident.in_words(drawn),
    }
