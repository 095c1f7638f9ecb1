"""Who is on call, as a calendar: for programs with a token, and by a signed address that a calendar program can keep.

Calendar programs send no headers, so the address itself is the key: it shows turns of one schedule or person alone,
holds for as long as its signing key does, and is given only to those who may read.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from config.units import parse_duration
from daemon.desk import catalogue, feed
from daemon.web.access import may_read
from daemon.web.parts import Parts, parts_of
from daemon.web.problems import responses

router = APIRouter()


@router.get(
    "/api/v1/oncall.ics",
    tags=["reads"],
    dependencies=[Depends(may_read)],
    response_class=Response,
    responses={200: {"content": {feed.MEDIA: {}}}, **responses(401, 422, 503)},
)
def oncall(
    request: Request,
    schedule: Annotated[str, Query(max_length=100)] = "",
    person: Annotated[str, Query(max_length=200)] = "",
    ahead: Annotated[str, Query(alias="next", pattern=r"^[1-9]\d{0,2}d$")] = "90d",
) -> Response:
    """Turns as a calendar; of one schedule or person, or of all."""
    return _calendar(parts_of(request), parse_duration(ahead), schedule, person)


@router.get("/oncall/{token}.ics", include_in_schema=False)
def subscribed(request: Request, token: str) -> Response:
    """The calendar behind a signed address. Anything else is not there."""
    parts = parts_of(request)
    shown = parts.sessions.feed_of(token)
    if shown is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no calendar at this address any more")
    return _calendar(parts, feed.AHEAD, *shown)


def _calendar(parts: Parts, ahead: float, schedule: str, person: str) -> Response:
    now = parts.now
    model = parts.read(lambda uow: catalogue.oncall(uow, parts.known(), now, ahead))
    content = feed.calendar_of(model, now, schedule=schedule, person=person)
    return Response(content, media_type=f"{feed.MEDIA}; charset=utf-8")
