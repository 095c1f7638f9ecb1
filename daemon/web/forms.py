"""Orders given in the console: a form becomes a row, and the browser goes back to where it was."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from daemon.desk.orders import order_of
from daemon.incidents.model import Incident
from daemon.web.access import Visit, fits, own_form, visit
from daemon.web.keep import keep
from daemon.web.login import inside
from daemon.web.parts import parts_of

router = APIRouter(include_in_schema=False)
OWN = frozenset({"csrf", "back", "incident"})
"""Fields of the form itself; all others are arguments of the order."""


@router.post("/orders/{kind}", dependencies=[Depends(own_form)])
async def order(request: Request, kind: str, visitor: Annotated[Visit, Depends(visit)]) -> RedirectResponse:
    """Record an order of whoever is logged in. The same checks as everywhere: `daemon.desk.orders`."""
    parts = parts_of(request)
    async with request.form(max_files=0, max_fields=20) as form:
        given = _texts(form)
    fits(request, given.get("csrf", ""))
    about = given.get("incident", "")
    row: Incident | None = None
    if about:
        row = await to_thread.run_sync(parts.read, lambda uow: uow.incidents.get(about))
    args = {name: text for name, text in given.items() if name not in OWN}
    taken = await keep(parts, [order_of(kind, visitor.caller, args, now=parts.now, incident=row)])
    back = inside(given.get("back", "/"))
    return RedirectResponse(f"{back}?taken={taken[0]}", HTTPStatus.SEE_OTHER)


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
