"""The frame of a page for one visitor: read once, with everything else of the page, in one transaction."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse

from daemon.desk import queries
from daemon.incidents.records import OrderState
from daemon.store.unit import UnitOfWork
from daemon.web.access import Visit, offers_wheel
from daemon.web.parts import Parts
from daemon.web.render import render
from daemon.web.views import frame as views
from daemon.web.views.frame import Frame
from daemon.web.views.reader import ZONE_COOKIE, Reader, zone_of


def reader_of(request: Request, parts: Parts) -> Reader:
    """When this page is looked at, and on whose clock."""
    return Reader(parts.now, zone_of(request.cookies.get(ZONE_COOKIE)))


def frame_of(
    request: Request, parts: Parts, uow: UnitOfWork, visitor: Visit, active: str, reader: Reader
) -> Frame:
    """What stands around every page."""
    live, known = parts.snapshot(), parts.known()
    autonomy = views.autonomy_of(known, live)
    return Frame(
        reader=reader,
        environment=live.environment if live else known.environment,
        version=known.version,
        autonomy=autonomy,
        leash=views.LEASH.get(autonomy, autonomy),
        paused=views.pauses(queries.mutes(uow, reader.now), live, reader),
        banners=views.banners(live, reader),
        fresh_at=live.at if live else None,
        poll=live.poll_interval if live else 15.0,
        caller=visitor.caller,
        form_token=visitor.form_token,
        active=active,
        said=_said(uow, request.query_params.get("taken", "")),
        login="" if visitor.form_token or not offers_wheel(request, parts) else login_from(request),
    )


def login_from(request: Request) -> str:
    """The address of the login that leads back here."""
    return f"/login?back={quote(request.url.path)}"


def _said(uow: UnitOfWork, taken: str) -> str:
    """What became of the order that led back to this page."""
    if not taken.isdigit() or len(taken) > 18:
        return ""
    order = uow.inbox.order(int(taken))
    if order is None:
        return ""
    what = f"{order.kind} by {order.who}"
    if order.state is OrderState.NEW:
        return f"Recorded: {what}. It is carried out within a second."
    refused = "refused" if order.state is OrderState.REFUSED else "done"
    return f"{what}: {refused}. {order.answer}"


def page(template: str, frame: Frame, **names: Any) -> HTMLResponse:
    """One page."""
    return HTMLResponse(render(template, frame=frame, **names))
