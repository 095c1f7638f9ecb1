"""REST, reads of lists: what is configured, owed and told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from config.units import parse_duration
from daemon.desk import catalogue, drills, ladders, models, queries
from daemon.incidents.records import MuteKind
from daemon.web.access import may_read
from daemon.web.api_reads import FAILS, FINDS, Limit, answer
from daemon.web.problems import responses

router = APIRouter(prefix="/api/v1", tags=["reads"], dependencies=[Depends(may_read)])


@router.get("/detectors", response_model=models.Detectors, responses=FAILS)
def detectors(request: Request) -> Response:
    """Every detector and what it says at each scope."""
    return answer(request, lambda it: catalogue.detectors(it.uow, it.known, it.live))


@router.get("/playbooks", response_model=ladders.Playbooks, responses=FAILS)
def playbooks(request: Request) -> Response:
    """Every ladder, what may be done by itself, and how it has fared."""
    return answer(request, lambda it: catalogue.playbooks(it.uow, it.known, it.now))


@router.get("/drills", response_model=drills.Drills, responses=responses(401, 422, 503))
def all_drills(request: Request, playbook: str | None = None, limit: Limit = 20) -> Response:
    """The newest drills, of one playbook or of all."""
    return answer(request, lambda it: drills.newest(it.uow, playbook, limit))


@router.get("/drills/{drill_id}", response_model=drills.Drill, responses=FINDS)
def one_drill(request: Request, drill_id: str) -> Response:
    """One drill: what was asked, and what each answer is worth."""
    return answer(request, lambda it: drills.one(it.uow, drill_id))


@router.get("/pages", response_model=models.Pages, responses=responses(401, 422, 503))
def pages(request: Request, limit: Limit = 100) -> Response:
    """The newest messages to people."""
    return answer(request, lambda it: queries.pages(it.uow, limit=limit))


@router.get("/debts", response_model=models.Debts, responses=FAILS)
def debts(request: Request) -> Response:
    """What has to be given back."""
    return answer(request, lambda it: queries.debts(it.uow))


@router.get("/config", response_model=models.Config, responses=FAILS)
def config(request: Request) -> Response:
    """What is loaded; secrets as references only."""
    return answer(request, lambda it: catalogue.config(it.known, it.live))


@router.get("/oncall", response_model=models.Oncall, responses=responses(401, 422, 503))
def oncall(
    request: Request, ahead: Annotated[str, Query(alias="next", pattern=r"^\d{1,3}d$")] = "0d"
) -> Response:
    """Who has each schedule now, and who follows; with `next=90d` every turn for so long."""
    return answer(request, lambda it: catalogue.oncall(it.uow, it.known, it.now, parse_duration(ahead)))


@router.get("/pauses", response_model=models.Mutes, responses=FAILS)
def pauses(request: Request) -> Response:
    """Pauses in force or to come."""
    return answer(request, lambda it: queries.mutes(it.uow, it.now, MuteKind.PAUSE))


@router.get("/silences", response_model=models.Mutes, responses=FAILS)
def silences(request: Request) -> Response:
    """Silences in force or to come."""
    return answer(request, lambda it: queries.mutes(it.uow, it.now, MuteKind.SILENCE))


@router.get("/maintenance", response_model=models.Mutes, responses=FAILS)
def maintenance(request: Request) -> Response:
    """Maintenance in force or planned."""
    return answer(request, lambda it: queries.mutes(it.uow, it.now, MuteKind.MAINTENANCE))
