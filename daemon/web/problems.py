"""Errors as RFC 9457 problem documents for programs, as a plain page for people; never a traceback, never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from config.secrets import HIDDEN
from daemon.desk.arguments import BadOrder
from daemon.desk.models import Problem
from daemon.desk.orders import Forbidden
from daemon.errors import FleetmendError, NotFound, StoreError
from daemon.log import REQUEST_SERVED
from daemon.web.render import TEMPLATES

MEDIA = "application/problem+json"
RETRY_AFTER = "5"
_LONGEST = 2_000
_SCHEMA: Mapping[str, Any] = {"content": {MEDIA: {"schema": Problem.model_json_schema()}}}


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI part about errors of an operation."""
    return {code: {"description": HTTPStatus(code).phrase, **_SCHEMA} for code in codes}


class Busy(FleetmendError):
    """What was sent could not be kept now: 503, and the sender is to come back."""


class LoginNeeded(Exception):
    """A page that this visitor may see only after logging in."""


def problem(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error in the form the asker reads: a page for a browser on the console, else a problem document."""
    title = HTTPStatus(status).phrase
    said = detail[:_LONGEST] or title
    extra = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("Retry-After", RETRY_AFTER)
    if _is_page(request):
        page = TEMPLATES.get_template("problem.html").render(status=status, title=title, detail=said)
        return Response(page, status, extra, media_type="text/html")
    body = Problem(type="about:blank", title=title, status=status, detail=said, instance=request.url.path)
    return Response(body.json_text(), status, extra, media_type=MEDIA)


def _is_page(request: Request) -> bool:
    path = request.url.path
    return not path.startswith(
        ("/api/", "/-/", "/metrics", "/events")
    ) and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI) -> None:
    """Give every error its answer."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LoginNeeded, _login)
    app.add_exception_handler(FleetmendError, _known)
    app.add_exception_handler(Exception, _unknown)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(request, error.status_code, str(error.detail), error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}")


async def _login(request: Request, error: Exception) -> Response:
    del error
    back = request.url.path if request.method == "GET" else "/"
    return RedirectResponse(f"/login?back={quote(back)}", HTTPStatus.SEE_OTHER)


async def _known(request: Request, error: Exception) -> Response:
    return problem(request, _status(error), str(error))


def _status(error: Exception) -> int:
    match error:
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case Forbidden():
            return HTTPStatus.FORBIDDEN
        case BadOrder():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case Busy() | StoreError():
            return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.BAD_REQUEST


def _shown(request: Request) -> str:
    """The path without the token in it: whoever reads the log must not be able to use it."""
    path, token = str(request.scope["path"]), str(request.path_params.get("token", ""))
    return path.replace(token, HIDDEN) if token else path


async def _unknown(request: Request, error: Exception) -> Response:
    structlog.get_logger().error(
        REQUEST_SERVED, status=500, method=request.method, path=_shown(request), error=type(error).__name__
    )
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "An error of ours; it is in the daemon's log.")
