"""Buttons in Slack's messages: a press is an order by the person whose Slack user it is, through the recorder.

Slack shows a press as failed when it is not answered within 3 s, and does not send it again. What came of it is told to
whoever pressed, after the answer; the message itself is changed when the order has taken effect.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Any

from anyio import fail_after, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask

from daemon.desk.orders import order_of
from daemon.desk.tokens import Caller, Role
from daemon.escalate.channels import slack_back
from daemon.escalate.channels.shared import SlackApp
from daemon.escalate.channels.slack_back import Press, Unreadable
from daemon.incidents.model import Incident
from daemon.incidents.records import Order
from daemon.store.unit import UnitOfWork
from daemon.web.keep import keep
from daemon.web.parts import Parts, parts_of
from daemon.web.presses import level_passed
from daemon.web.problems import Busy, problem, responses
from daemon.web.sessions import Link, LinkRefused
from remediations.ports import Http, PortError
from remediations.ports import Request as Sent

router = APIRouter(tags=["intake"])
PATH = "/api/v1/callbacks/slack"
KEPT_WITHIN = 2.0
"""Seconds for the order to be on disk: Slack waits 3."""
TOLD_WITHIN = 5.0
_BODY: dict[str, Any] = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {"payload": {"type": "string"}}, "required": ["payload"]}
            }
        },
    },
}  # fmt: skip


@router.post(PATH, openapi_extra=_BODY, responses=responses(400, 401, 404, 413, 503))
async def slack(request: Request) -> Response:
    """Who pressed a button in Slack did here what stands on it."""
    parts = parts_of(request)
    app = parts.shared().slack or SlackApp()
    if not app.secrets:
        return problem(request, HTTPStatus.NOT_FOUND, "channels.slack.signing_secret is not configured")
    body = await request.body()
    signature = request.headers.get(slack_back.SIGNATURE, "")
    timestamp = request.headers.get(slack_back.TIMESTAMP, "")
    if not slack_back.signed(app.secrets, body, signature, timestamp, parts.now):
        return problem(
            request, HTTPStatus.UNAUTHORIZED, f"no recent signature in {slack_back.SIGNATURE} fits"
        )
    try:
        press = slack_back.pressed(body)
    except Unreadable as why:
        return problem(request, HTTPStatus.BAD_REQUEST, str(why))
    if press is None:
        return Response()
    async with parts.presses.turn:
        if not parts.presses.is_first(signature, parts.now):
            return Response()
        told = await _carried_out(parts, app, press)
    return Response(background=BackgroundTask(_tell, parts, press.answer_at, told))


async def _carried_out(parts: Parts, app: SlackApp, press: Press) -> str:
    """Put the order in, if there is one; what whoever pressed is told. Raises `Busy`."""
    person = app.users.get(press.user)
    if person is None:
        return f"Nobody here is known as {press.user}: that id has to stand under channels.slack.users."
    try:
        link = parts.sessions.follow(press.token, parts.now)
    except LinkRefused as refused:
        name = refused.incident or "ID"
        return f"Not done: {refused}. At a terminal: fleetmend {press.order} {name}"
    incident, why_not = await to_thread.run_sync(_look, parts, link, press.order)
    if incident is None:
        return why_not
    caller = Caller(person, Role.OPERATOR, "slack")
    order = order_of(press.order, caller, {}, now=parts.now, incident=incident)
    await _kept(parts, order)
    return f"Taken: {press.order} of {incident.id} by {person}."


async def _kept(parts: Parts, order: Order) -> None:
    try:
        with fail_after(KEPT_WITHIN):
            await keep(parts, [order])
    except TimeoutError:
        raise Busy("not on disk in time; it may still be recorded: look before trying again") from None


def _look(parts: Parts, link: Link, order: str) -> tuple[Incident | None, str]:
    """The incident, or why the order makes no sense any more."""
    return parts.read(lambda uow: _judged(uow, link, order))


def _judged(uow: UnitOfWork, link: Link, order: str) -> tuple[Incident | None, str]:
    incident = uow.incidents.get(link.incident)
    if incident is None:
        return None, f"There is no incident {link.incident} any more."
    if incident.ended:
        return None, f"{incident.id} is over already."
    if order == "escalate" and level_passed(uow, incident.id, link.level):
        return None, f"{incident.id} is escalated already."
    return incident, ""


async def _tell(parts: Parts, address: str, text: str) -> None:
    """Tell whoever pressed, and nobody else; what does not arrive is not tried again."""
    if not address or parts.http is None:
        return
    sent = Sent("POST", address, {"Content-Type": "application/json"}, slack_back.answer(text))
    with suppress(PortError):
        deadline = parts.clock.monotonic() + TOLD_WITHIN
        await to_thread.run_sync(_sent, parts.http, sent, deadline, limiter=parts.presses.tellers)


def _sent(http: Http, request: Sent, deadline: float) -> None:
    http.send(request, deadline=deadline)
