"""What operations expects of a daemon: health, readiness, metrics, reload. The first three are open to everyone."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import choose_encoder

from daemon.desk.tokens import Caller
from daemon.web.access import may_administer
from daemon.web.parts import parts_of
from daemon.web.problems import problem, responses

router = APIRouter(tags=["operations"])


@router.get("/-/healthy", response_class=PlainTextResponse)
def healthy() -> str:
    """The process answers. Restart it when this does not."""
    return "healthy\n"


@router.get("/-/ready", response_class=PlainTextResponse, responses=responses(503))
def ready(request: Request) -> Response:
    """Whether it watches and takes orders; 503 with the reason while it starts or stops."""
    good, why = parts_of(request).ready()
    if not good:
        return problem(request, HTTPStatus.SERVICE_UNAVAILABLE, why)
    return PlainTextResponse(f"{why or 'ready'}\n")


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """The daemon's own metrics, in the format the scraper asks for."""
    encode, media = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(parts_of(request).registry), headers={"Content-Type": media})


@router.post("/-/reload", response_class=PlainTextResponse, responses=responses(401, 403, 422))
def reload(request: Request, caller: Annotated[Caller, Depends(may_administer)]) -> Response:
    """Load the configuration anew. What is wrong with it leaves the old one in force: 422, a problem a line."""
    del caller
    found = parts_of(request).reload()
    if found:
        return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "\n".join(found))
    return PlainTextResponse("reloaded\n")
