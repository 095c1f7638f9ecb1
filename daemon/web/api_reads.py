"""REST, reads about incidents and the whole: what `--json` prints, at `/api/v1`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from config.section import FailureMode
from daemon.desk import models, queries, reports
from daemon.desk.arguments import BadOrder
from daemon.desk.known import Known
from daemon.desk.postmortems import Postmortem
from daemon.desk.queries import Wanted
from daemon.desk.snapshot import Snapshot
from daemon.store.unit import UnitOfWork
from daemon.web.access import may_read
from daemon.web.parts import parts_of
from daemon.web.problems import responses

M = TypeVar("M", bound=models.Model)

FAILS = responses(401, 503)
FINDS = responses(401, 404, 422, 503)
router = APIRouter(prefix="/api/v1", tags=["reads"], dependencies=[Depends(may_read)])
LAST_INSTANT = 253_402_300_799.0

Limit = Annotated[int, Query(ge=1, le=200)]
Instant = Annotated[AwareDatetime | None, Query(description="RFC 3339 with an offset.")]


@dataclass(frozen=True, slots=True)
class Asking:
    """What a question may be answered from."""

    uow: UnitOfWork
    known: Known
    live: Snapshot | None
    now: float


def answer(request: Request, ask: Callable[[Asking], M]) -> Response:
    """A model as the contract's JSON, field by field in its order."""
    parts = parts_of(request)
    said = parts.read(lambda uow: ask(Asking(uow, parts.known(), parts.snapshot(), parts.now)).json_text())
    return Response(said, headers={"Content-Type": "application/json"})


def unix(name: str, moment: AwareDatetime | None) -> float | None:
    """Unix seconds, within what can be written back as text."""
    if moment is None:
        return None
    try:
        at = moment.timestamp()
    except (OverflowError, ValueError):
        at = -1.0
    if not 0 <= at <= LAST_INSTANT:
        raise BadOrder(name, "expected a time from 1970 to 9999")
    return at


@router.get("/status", response_model=models.Status, responses=FAILS)
def status(request: Request) -> Response:
    """The whole in one look."""
    return answer(request, lambda it: queries.status(it.uow, it.known, it.live, it.now))


@router.get("/incidents", response_model=models.Incidents, responses=responses(401, 422, 503))
def incidents(
    request: Request,
    *,
    only_open: Annotated[bool, Query(alias="open")] = False,
    mode: Annotated[
        str, Query(max_length=300, description=f"Comma-separated: {', '.join(FailureMode)}.")
    ] = "",
    since: Instant = None,
    until: Instant = None,
    limit: Limit = 50,
) -> Response:
    """Open ones worst first, else newest first."""
    modes = tuple(sorted({name.strip() for name in mode.split(",") if name.strip()}))
    wanted = Wanted(only_open, modes, unix("since", since), unix("until", until), limit=limit)
    return answer(request, lambda it: queries.incidents(it.uow, it.known, wanted, it.now))


@router.get("/incidents/{incident_id}", response_model=models.IncidentWithTimeline, responses=FINDS)
def incident(request: Request, incident_id: str) -> Response:
    """One incident with its timeline."""
    return answer(request, lambda it: queries.incident(it.uow, it.known, incident_id, it.now))


@router.get("/incidents/{incident_id}/explain", response_model=models.Explanation, responses=FINDS)
def explain(request: Request, incident_id: str, at: Instant = None) -> Response:
    """Why it was or was not acted upon, the last time the guardrails were asked (up to `at`)."""
    when = unix("at", at)
    return answer(request, lambda it: queries.explain(it.uow, incident_id, when))


@router.get("/incidents/{incident_id}/postmortem", response_model=Postmortem, responses=FINDS)
def postmortem(request: Request, incident_id: str) -> Response:
    """The draft of the document, as data and as Markdown."""
    return answer(request, lambda it: queries.postmortem(it.uow, incident_id))


@router.get("/explain", response_model=models.Explanation, responses=FINDS)
def explain_target(
    request: Request, target: Annotated[str, Query(min_length=1, max_length=300)], at: Instant = None
) -> Response:
    """The last decision up to `at` that concerned a target: a unit, an address, a scope."""
    when = unix("at", at)
    return answer(
        request,
        lambda it: queries.explain_target(it.uow, target, it.now if when is None else when),
    )


@router.get("/report", response_model=reports.Report, responses=responses(401, 422, 503))
def report(request: Request, since: Instant = None, until: Instant = None) -> Response:
    """What was done, refused and told; the last seven days when left out."""
    start, end = unix("since", since), unix("until", until)

    def ask(it: Asking) -> reports.Report:
        to = it.now if end is None else end
        begin = max(0.0, to - 7 * 86_400) if start is None else start
        if begin > to:
            raise BadOrder("since", "later than until")
        return queries.report(it.uow, it.known, begin, to)

    return answer(request, ask)
