"""Links in pages that acknowledge: looking at one changes nothing, pressing its button acts.

Mail scanners and chat previews fetch every link they see, so only a POST counts. A link is signed, meant for one
person and one incident, and holds for 24 hours; using it twice does no harm.
"""

from __future__ import annotations

from http import HTTPStatus

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from daemon.desk.orders import order_of
from daemon.desk.tokens import Caller, Role
from daemon.document.dossier import Dossier, load
from daemon.document.sentence import next_level, sentence
from daemon.errors import NotFound
from daemon.web.access import own_form
from daemon.web.frames import reader_of
from daemon.web.keep import keep
from daemon.web.parts import Parts, parts_of
from daemon.web.render import render
from daemon.web.sessions import Link, LinkRefused
from daemon.web.views.reader import Reader

router = APIRouter(include_in_schema=False)


@router.get("/a/{token}")
def look(request: Request, token: str) -> HTMLResponse:
    """What the link would do, with the button that does it."""
    parts = parts_of(request)
    reader = reader_of(request, parts)
    try:
        link = parts.sessions.follow(token, reader.now)
    except LinkRefused as refused:
        return _refused(refused)
    return _page(_about(parts, link), link, reader, token=token)


@router.post("/a/{token}", dependencies=[Depends(own_form)])
async def act(request: Request, token: str) -> HTMLResponse:
    """Acknowledge for the person whom the link was sent to."""
    parts = parts_of(request)
    reader = reader_of(request, parts)
    try:
        link = parts.sessions.follow(token, reader.now)
    except LinkRefused as refused:
        return _refused(refused)
    found = await to_thread.run_sync(_about, parts, link)
    caller = Caller(link.person, Role.OPERATOR, "link")
    await keep(parts, [order_of("ack", caller, {}, now=reader.now, incident=found.incident)])
    return _page(found, link, reader, done=True)


def _about(parts: Parts, link: Link) -> Dossier:
    found = parts.read(lambda uow: load(uow, link.incident))
    if found is None:
        raise NotFound(f"there is no incident {link.incident!r} any more")
    return found


def _page(found: Dossier, link: Link, reader: Reader, *, token: str = "", done: bool = False) -> HTMLResponse:
    escalation = found.escalation
    at = escalation.next_level_at if escalation and not found.incident.ended else None
    return HTMLResponse(
        render(
            "link.html",
            sentence=sentence(found, reader.now, reader.zone),
            incident=found.incident.id,
            person=link.person,
            token=token,
            done=done,
            still=f"L{next_level(found)} still {reader.both(at)}" if at is not None else "",
        )
    )


def _refused(refused: LinkRefused) -> HTMLResponse:
    page = render("link_refused.html", why=str(refused), incident=refused.incident)
    return HTMLResponse(page, HTTPStatus.FORBIDDEN)
