"""Who asks, and whether they may: bearer tokens for programs, a signed session for people in a browser.

With tokens configured, reading takes a viewer and ordering an operator. Without any, only this machine may read, by
a loopback address *and* a loopback name (so that no web page gets in by rebinding a name), and nobody may order: the
terminal does that, or, where `local_operator` is set, a browser on this machine that took the wheel. The dependencies
are coroutines, though they wait for nothing, to spare a change of thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from daemon.desk.loopback import is_loopback
from daemon.desk.tokens import Caller, Role
from daemon.web.parts import Parts, parts_of
from daemon.web.problems import LoginNeeded
from daemon.web.sessions import COOKIE, Session

ANYONE = Caller("anyone on this machine", Role.VIEWER, "console")
LOCAL = Caller("someone on this machine", Role.OPERATOR, "console")
"""Who took the wheel without a token. No token can have this name: it has spaces."""
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
"""Headers by which a proxy says that it only passes on what somebody else asked."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="fleetmend"'}
NO_TOKENS = (
    "no tokens are configured: add `tokens:` to order from here, or use the fleetmend command on its machine"
)

bearer = HTTPBearer(auto_error=False, description="A token made by `fleetmend token NAME`.")


@dataclass(frozen=True, slots=True)
class Visit:
    """Someone at the console. `form_token` is empty for those who may order nothing."""

    caller: Caller
    session: Session | None
    form_token: str


def bearer_of(request: Request) -> str | None:
    """The token of an Authorization header; None when there is no such header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def on_loopback(request: Request) -> bool:
    """Whether it comes from this machine itself, addressed by a name that cannot belong to anyone else."""
    if any(name in FORWARDED for name, _ in request.scope["headers"]):
        return False
    client = request.client.host if request.client else ""
    return is_loopback(client) and is_loopback(_name_in(request.headers.get("host", "")))


@lru_cache(maxsize=256)
def _name_in(host: str) -> str:
    """The name of a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def session_of(request: Request, parts: Parts) -> Session | None:
    return parts.sessions.read(request.cookies.get(COOKIE), parts.now)


def offers_wheel(request: Request, parts: Parts) -> bool:
    """Whether this browser may order without a token: configured so, no tokens, and on this machine."""
    return parts.local_operator() and not len(parts.tokens()) and on_loopback(request)


def _logged_in(request: Request, parts: Parts, session: Session | None) -> Caller | None:
    """Whose session it is, judged by what is configured now."""
    if session is not None and session.name == LOCAL.name:
        return LOCAL if offers_wheel(request, parts) else None
    return parts.sessions.caller(session, parts.tokens())


def _reader(request: Request, parts: Parts) -> Caller | None:
    """Who reads, None when they may not."""
    tokens = parts.tokens()
    given = bearer_of(request)
    if given is not None:
        return tokens.check(given)
    known = _logged_in(request, parts, session_of(request, parts))
    if known is not None:
        return known
    return ANYONE if not len(tokens) and on_loopback(request) else None


async def may_read(request: Request, shown: Annotated[object, Depends(bearer)] = None) -> Caller:
    """For JSON: a viewer's token, or a session. Raises 401."""
    del shown
    caller = _reader(request, parts_of(request))
    if caller is None:
        raise _unauthorised("this takes a token: Authorization: Bearer …")
    return caller


async def may_order(request: Request, shown: Annotated[object, Depends(bearer)] = None) -> Caller:
    """For JSON that changes state: an operator's bearer token. A cookie is not enough: other sites can send it along."""
    del shown
    return _ordering(request, Role.OPERATOR)


async def may_administer(request: Request, shown: Annotated[object, Depends(bearer)] = None) -> Caller:
    """As `may_order`, for an admin."""
    del shown
    return _ordering(request, Role.ADMIN)


def _ordering(request: Request, needed: Role) -> Caller:
    tokens = parts_of(request).tokens()
    caller = tokens.check(bearer_of(request) or "")
    if caller is None:
        raise _unauthorised(f"this takes the token of an {needed}" if len(tokens) else NO_TOKENS)
    if not caller.role.may(needed):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, f"this takes the role {needed}; {caller.name} is {caller.role}"
        )
    return caller


async def visit(request: Request) -> Visit:
    """For pages. Raises `LoginNeeded`."""
    parts = parts_of(request)
    session = session_of(request, parts)
    caller = _logged_in(request, parts, session)
    if caller is not None and session is not None:
        return Visit(caller, session, parts.sessions.form_token(session))
    read = _reader(request, parts)
    if read is None:
        raise LoginNeeded
    return Visit(read, None, "")


async def own_form(request: Request) -> None:
    """Refuse a form that was not sent from one of our own pages, as far as the browser tells. Raises 403."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    if site not in {None, "same-origin", "none"}:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form was sent by another site")
    if origin is None:
        return
    public = parts_of(request).public_url()
    ours = {request.headers.get("host", ""), urlsplit(public).netloc if public else ""} - {""}
    try:
        theirs = urlsplit(origin).netloc
    except ValueError:
        theirs = ""
    if theirs not in ours:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form was sent by another site")


def fits(request: Request, given: str) -> Session:
    """The session a form belongs to. Raises 403 when its token is not that session's."""
    parts = parts_of(request)
    session = session_of(request, parts)
    if session is None or not parts.sessions.form_fits(session, given):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "this form is from another login or too old: reload its page"
        )
    return session


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, _CHALLENGE)
