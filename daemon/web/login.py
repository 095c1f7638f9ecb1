"""Logging in with a token and out again. The token is checked and forgotten; the browser keeps a signed session.

Where a browser on this machine may order without a token, logging in is one button: an order still takes a session,
so that its form can be told from one that another site sent.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from daemon.web.access import LOCAL, fits, offers_wheel, own_form, session_of
from daemon.web.parts import Parts, parts_of
from daemon.web.render import render
from daemon.web.sessions import COOKIE, Session

router = APIRouter(include_in_schema=False)
LOGIN_WITHIN = 3_600.0


def inside(back: str) -> str:
    """A path of this console to go back to; the overview for anything else."""
    if len(back) > 300 or not back.startswith("/") or back.startswith("//") or "\\" in back:
        return "/"
    parts = urlsplit(back)
    return "/" if parts.scheme or parts.netloc or any(ord(char) < 33 for char in back) else back


@router.get("/login")
def login_page(request: Request, back: Annotated[str, Query()] = "/") -> HTMLResponse:
    """The form; its own short session binds it to this browser."""
    return _form(request, inside(back), "")


@router.post("/login", dependencies=[Depends(own_form)])
def log_in(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """A new session for the holder of a token, or for whoever may order here without; the form's own is over."""
    fits(request, csrf)
    parts = parts_of(request)
    tokens = parts.tokens()
    caller = LOCAL if offers_wheel(request, parts) else tokens.check(token.strip(), via="console")
    if caller is None:
        return _form(request, inside(back), "Nobody's token. Make one with: fleetmend token NAME")
    session = parts.sessions.open(parts.now, parts.limits.session, caller, tokens.seal(caller.name))
    answer = RedirectResponse(inside(back), HTTPStatus.SEE_OTHER)
    _give(request, parts, answer, session, parts.limits.session)
    return answer


@router.post("/logout", dependencies=[Depends(own_form)])
def log_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
    """Forget the session in this browser."""
    fits(request, csrf)
    answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_secure(request))
    return answer


def _form(request: Request, back: str, wrong: str) -> HTMLResponse:
    parts = parts_of(request)
    session = session_of(request, parts)
    fresh = session is None or bool(session.name)
    if session is None or session.name:
        session = parts.sessions.open(parts.now, LOGIN_WITHIN)
    status = HTTPStatus.FORBIDDEN if wrong else HTTPStatus.OK
    page = render(
        "login.html",
        back=back,
        wrong=wrong,
        form_token=parts.sessions.form_token(session),
        tokens=len(parts.tokens()),
        wheel=offers_wheel(request, parts),
    )
    answer = HTMLResponse(page, status)
    if fresh:
        _give(request, parts, answer, session, LOGIN_WITHIN)
    return answer


def _give(request: Request, parts: Parts, answer: Response, session: Session, holds: float) -> None:
    answer.set_cookie(
        COOKIE,
        parts.sessions.cookie(session),
        max_age=round(holds),
        path="/",
        httponly=True,
        samesite="strict",
        secure=_secure(request),
    )


def _secure(request: Request) -> bool:
    """Whether the browser came by HTTPS, as far as the public address tells."""
    public = urlsplit(parts_of(request).public_url())
    return request.url.scheme == "https" or (
        public.scheme == "https" and public.netloc == request.headers.get("host", "")
    )
