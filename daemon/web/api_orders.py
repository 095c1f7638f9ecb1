"""REST, orders: recorded before 202 is said, carried out by the loop within a second."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from daemon.desk import models
from daemon.desk.orders import RULES, order_of
from daemon.desk.tokens import Caller
from daemon.errors import NotFound
from daemon.incidents.model import Incident
from daemon.web.access import may_order
from daemon.web.bodies import body_of
from daemon.web.keep import keep
from daemon.web.parts import parts_of
from daemon.web.problems import responses

router = APIRouter(prefix="/api/v1", tags=["orders"])
Operator = Annotated[Caller, Depends(may_order)]
FAILS = responses(400, 401, 403, 404, 413, 422, 503)
GENERAL: Mapping[tuple[str, str], str] = {
    ("POST", "/pauses"): "pause",
    ("POST", "/silences"): "silence",
    ("POST", "/maintenance"): "maintenance",
    ("POST", "/unlock"): "unlock",
    ("POST", "/changes"): "change",
    ("POST", "/pages/test"): "page_test",
    ("POST", "/drills"): "drill",
}
LIFTED: Mapping[str, str] = {"/pauses": "pause", "/silences": "silence", "/maintenance": "maintenance"}
LIFTS = frozenset({"id", "scope", "reason"})
"""What a DELETE may say in its query as well: some senders drop the body of one."""


async def _arguments(request: Request) -> dict[str, Any]:
    """The body as a JSON object; none is an empty one. Raises 400."""
    body = await request.body()
    if not body.strip():
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    return found


async def _give(
    request: Request, kind: str, caller: Caller, args: Mapping[str, Any], incident: str | None = None
) -> Response:
    parts = parts_of(request)
    row: Incident | None = None
    if incident is not None:
        row = await to_thread.run_sync(parts.read, lambda uow: uow.incidents.get(incident))
        if row is None:
            raise NotFound(f"there is no incident {incident!r}")
    taken = await keep(parts, [order_of(kind, caller, args, now=parts.now, incident=row)])
    body = models.OrderTaken(order=taken[0]).json_text()
    return Response(body, HTTPStatus.ACCEPTED, {"Content-Type": "application/json"})


def _on_incident(kind: str) -> None:
    async def order(request: Request, incident_id: str, caller: Operator) -> Response:
        return await _give(request, kind, caller, await _arguments(request), incident_id)

    _add("POST", f"/incidents/{{incident_id}}/{kind}", order, kind, body_of(kind))


def _general(method: str, path: str, kind: str) -> None:
    async def order(request: Request, caller: Operator) -> Response:
        return await _give(request, kind, caller, await _arguments(request))

    _add(method, path, order, kind, body_of(kind))


def _lift(path: str, kind: str) -> None:
    async def order(request: Request, caller: Operator) -> Response:
        asked = {name: text for name, text in request.query_params.items() if name in LIFTS}
        return await _give(request, "unpause", caller, {**asked, **await _arguments(request), "kind": kind})

    _add("DELETE", path, order, f"lift_{kind}", body_of("unpause", without=frozenset({"kind"})))


def _add(method: str, path: str, endpoint: Any, name: str, body: dict[str, Any]) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        status_code=HTTPStatus.ACCEPTED,
        response_model=models.OrderTaken,
        responses=FAILS,
        operation_id=name,
        summary=name.replace("_", " ").capitalize(),
        openapi_extra=body,
    )


for _kind, _rule in RULES.items():
    if _rule.about_incident:
        _on_incident(_kind)
for (_method, _path), _name in GENERAL.items():
    _general(_method, _path, _name)
for _path, _name in LIFTED.items():
    _lift(_path, _name)
