"""Links in pages that acknowledge, or answer a proposal: looking at one changes nothing, pressing its button acts.

Mail scanners and chat previews fetch every link they see, so only a POST counts. A link is signed, meant for one
person and one incident, and holds for 24 hours; using it twice does no harm: an answer counts only for the rung that
stood on the button, while that rung is proposed, and the fault is looked for again before it runs.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from daemon.desk.orders import order_of
from daemon.desk.tokens import Caller, Role
from daemon.desk.views import rung_of
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
from remediations.run import RunState

router = APIRouter(include_in_schema=False)
ACK = "ack"
ANSWERS = frozenset({"approve", "reject"})
"""What else its buttons may ask for."""


@router.api_route("/a/{token}", methods=["GET", "HEAD"])
def look(request: Request, token: str) -> HTMLResponse:
    """What the link would do, with the button that does it."""
    parts = parts_of(request)
    reader = reader_of(request, parts)
    try:
        link = parts.sessions.follow(token, reader.now)
    except LinkRefused as refused:
        return _refused(refused)
    return _page(parts, _about(parts, link), link, reader, token=token)


@router.post("/a/{token}", dependencies=[Depends(own_form)])
async def act(request: Request, token: str) -> HTMLResponse:
    """Acknowledge, approve or reject for the person whom the link was sent to."""
    parts = parts_of(request)
    reader = reader_of(request, parts)
    try:
        link = parts.sessions.follow(token, reader.now)
    except LinkRefused as refused:
        return _refused(refused)
    async with request.form(max_files=0, max_fields=4) as form:
        asked, rung = str(form.get("do", ACK)), str(form.get("rung", ""))
    found = await to_thread.run_sync(_about, parts, link)
    kind = asked if asked in ANSWERS else ACK
    if kind != ACK and rung != _proposed(parts, found):
        return _page(parts, found, link, reader, token=token, late=rung)
    caller, args = Caller(link.person, Role.OPERATOR, "link"), {} if kind == ACK else {"rung": rung}
    await keep(parts, [order_of(kind, caller, args, now=reader.now, incident=found.incident)])
    return _page(parts, found, link, reader, done=kind, rung=rung)


def _about(parts: Parts, link: Link) -> Dossier:
    found = parts.read(lambda uow: load(uow, link.incident))
    if found is None:
        raise NotFound(f"there is no incident {link.incident!r} any more")
    return found


def _proposed(parts: Parts, found: Dossier) -> str:
    """The rung that waits for a person's word; empty when none does."""
    if found.run is None or found.run.state is not RunState.PROPOSED:
        return ""
    return rung_of(found, parts.known().ladders) or ""


def _page(
    parts: Parts,
    found: Dossier,
    link: Link,
    reader: Reader,
    *,
    token: str = "",
    done: str = "",
    rung: str = "",
    late: str = "",
) -> HTMLResponse:
    """`done`: the order that was given; `late`: the rung whose answer came after it was proposed."""
    reader, escalation = _theirs(parts, link, reader), found.escalation
    at = escalation.next_level_at if escalation and not found.incident.ended else None
    return HTMLResponse(
        render(
            "link.html",
            sentence=sentence(found, reader.now, reader.zone),
            incident=found.incident.id,
            person=link.person,
            token=token,
            done=done,
            rung=rung or _proposed(parts, found),
            late=late,
            over=found.incident.ended,
            still=f"L{next_level(found)} still {reader.both(at)}" if at is not None else "",
        )
    )


def _theirs(parts: Parts, link: Link, reader: Reader) -> Reader:
    """The clock of the person whom it was sent to, where the browser does not tell its own: it never saw a console."""
    person = parts.known().people.get(link.person)
    return reader if person is None or reader.zone != "UTC" else replace(reader, zone=person.timezone)


def _refused(refused: LinkRefused) -> HTMLResponse:
    page = render("link_refused.html", why=str(refused), incident=refused.incident)
    return HTMLResponse(page, HTTPStatus.FORBIDDEN)
