"""What paging services tell back: somebody acknowledged or resolved there. An order like any other, through the recorder.

The sender has to be answered within 5 s, comes back after a 5xx, and gives up for a day after three other refusals: what
asks nothing of us is 200 too.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from daemon.desk.orders import order_of
from daemon.desk.tokens import Caller, Role
from daemon.escalate.channels.pagerduty_back import HEADER, Heard, Unreadable, heard, signed
from daemon.escalate.owed import dedup_key
from daemon.incidents.events import Kind
from daemon.incidents.model import Incident
from daemon.store.unit import UnitOfWork
from daemon.web.keep import keep
from daemon.web.parts import Parts, parts_of
from daemon.web.problems import problem, responses

router = APIRouter(tags=["intake"])
_BODY: dict[str, Any] = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "description": "A webhook v3 of PagerDuty."}}
        },
    },
}


@router.post(
    "/api/v1/callbacks/pagerduty",
    openapi_extra=_BODY,
    responses=responses(400, 401, 404, 413, 503),
)
async def pagerduty(request: Request) -> Response:
    """Who acknowledged or resolved a page in PagerDuty did so here."""
    parts = parts_of(request)
    secrets = parts.inbox().pagerduty.keys
    if not secrets:
        return problem(request, HTTPStatus.NOT_FOUND, "inbox.pagerduty.secret is not configured")
    body = await request.body()
    if not signed(secrets, body, request.headers.get(HEADER, "")):
        return problem(request, HTTPStatus.UNAUTHORIZED, f"no signature in {HEADER} fits")
    try:
        told = heard(body)
    except Unreadable as why:
        return problem(request, HTTPStatus.BAD_REQUEST, str(why))
    incident = None if told is None else await to_thread.run_sync(_about, parts, told)
    if told is not None and incident is not None and not incident.ended:
        caller = Caller(told.who, Role.OPERATOR, "pagerduty")
        args = {"reason": f"resolved in PagerDuty by {told.who}"} if told.kind == "resolve" else {}
        await keep(parts, [order_of(told.kind, caller, args, now=parts.now, incident=incident)])
    return Response(b'{"status":"success"}', media_type="application/json")


def _about(parts: Parts, told: Heard) -> Incident | None:
    """The incident whose pages went out under this key; None as well where it came back since, as its end of before is
    told again by whoever wrote it down, or late by PagerDuty, which tries for a day.
    """
    name = told.dedup_key.rpartition("/")[2]

    def look(uow: UnitOfWork) -> Incident | None:
        found = uow.incidents.get(name)
        if found is None or dedup_key(found.id) != told.dedup_key:
            return None
        again = (event.at for event in uow.timeline.of(name) if event.kind is Kind.RELAPSED)
        return None if told.at is not None and any(told.at < at for at in again) else found

    return parts.read(look)
