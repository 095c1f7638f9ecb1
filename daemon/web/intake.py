"""Intake of alerts: Alertmanager and Grafana post here, as they would to an Alertmanager.

The sender tries again only after a 5xx: so rows first, then 200; 503 when they cannot be kept now; 400 for what makes
no sense, whose raw body is kept for people to look at. Never 429, which is not retried.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from config.cutting import whole_words
from daemon.desk.tokens import Role
from daemon.detect.inbox import Malformed, parse_alerts
from daemon.escalate.channels.webhook import HOP
from daemon.incidents.records import Alert
from daemon.log import ALERT_RETURNED, ALERT_TAKEN
from daemon.web.access import bearer_of, on_loopback
from daemon.web.keep import keep
from daemon.web.parts import Parts, parts_of
from daemon.web.problems import problem, responses

router = APIRouter(tags=["intake"])
MALFORMED = "malformed"
"""Status of a row that keeps a body nobody could read: it fires nothing."""
KEPT, KEPT_EACH = 100_000, 4_000
"""Characters of a body, and of one alert in it, that are kept."""
LETTERS = 20
"""Odd alerts of one body that are kept."""
_BODY: dict[str, Any] = {
    "security": [{"HTTPBearer": []}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "description": "Alertmanager webhook v4, a list of alerts as its API v2 has it, or a webhook of Grafana.",
                    "anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}],
                }
            }
        },
    },
}


def _demand_sender(request: Request, parts: Parts) -> None:
    """The inbox's own token, or an operator's. Where none is configured: programs of this machine. Raises 401.

    Called and not declared: resolving a dependency would cost as much as taking the alert.
    """
    given = bearer_of(request)
    wanted = parts.inbox().alertmanager.token
    if given is not None:
        if wanted is not None and hmac.compare_digest(given.encode(), wanted.reveal().encode()):
            return
        caller = parts.tokens().check(given)
        if caller is not None and caller.role.may(Role.OPERATOR):
            return
    elif wanted is None and on_loopback(request) and "origin" not in request.headers:
        return  # a browser sends an origin with whatever a web page makes it post
    raise HTTPException(
        HTTPStatus.UNAUTHORIZED, "this takes the inbox's token", {"WWW-Authenticate": "Bearer"}
    )


@router.post(
    "/api/v1/inbox/alertmanager",
    openapi_extra=_BODY,
    responses=responses(400, 401, 413, 503),
)
@router.post(
    "/api/v2/alerts",
    openapi_extra=_BODY,
    responses=responses(400, 401, 413, 503),
    operation_id="take_as_alertmanager",
)
async def take(request: Request) -> Response:
    """200 once every alert of the body is on disk."""
    parts = parts_of(request)
    _demand_sender(request, parts)
    if HOP in request.headers:  # refused, so that whoever was to be paged by it is paged by the next channel
        structlog.get_logger().warning(ALERT_RETURNED, alerts=1)
        return problem(request, HTTPStatus.BAD_REQUEST, "this is our own output: a channel leads back here")
    body = await request.body()
    try:
        parsed = parse_alerts(body, parts.now)
    except Malformed as why:
        return await _dead_letter(request, parts, body, str(why))
    if parsed.echoes:  # our output is wired to our input: dropped, or it would never end
        structlog.get_logger().warning(ALERT_RETURNED, alerts=parsed.echoes)
    rows = [*_with_hidden(parsed.alerts, parsed.hidden), *_refused(parsed.refused, parts.now)]
    if rows:
        await keep(parts, alerts=rows)
    if parsed.refused and not parsed.alerts:
        return problem(request, HTTPStatus.BAD_REQUEST, parsed.refused[0][1])
    taken = b'{"status":"success","alerts":%d}' % len(parsed.alerts)
    return Response(taken, media_type="application/json")


def _with_hidden(alerts: Sequence[Alert], hidden: int) -> Sequence[Alert]:
    """Alerts that the sender cut off are told of beside those it sent."""
    if not hidden:
        return alerts
    note = {"hidden": f"{hidden} more alerts of this group were cut off"}
    return [replace(alert, annotations={**alert.annotations, **note}) for alert in alerts]


def _refused(items: Sequence[tuple[Any, str]], now: float) -> list[Alert]:
    """One odd alert must not take the good ones of its body with it: it is kept for people to look at."""
    if items:
        structlog.get_logger().warning(
            ALERT_TAKEN, status=400, error=whole_words(items[0][1], 200), refused=len(items)
        )
    letters = [_letter(_written(item, why), KEPT_EACH, why, now) for item, why in items[:LETTERS]]
    return list({letter.fingerprint: letter for letter in letters}.values())


def _written(item: Any, why: str) -> bytes:
    """The item as it came. What can be read may be nested deeper than can be written."""
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:
        return f"(nested too deeply to be kept: {why})".encode()


def _letter(body: bytes, most: int, why: str, now: float) -> Alert:
    """`most`: characters of the body that are kept."""
    text = whole_words(body.decode("utf-8", "backslashreplace").replace("\x00", "\\x00"), most)
    return Alert(
        id=0,
        at=now,
        fingerprint=f"malformed-{hashlib.blake2s(body, digest_size=8).hexdigest()}",
        status=MALFORMED,
        labels={},
        annotations={"error": whole_words(why, 1000), "body": text},
        starts_at=now,
        ends_at=None,
        source="alertmanager",
    )


async def _dead_letter(request: Request, parts: Parts, body: bytes, why: str) -> Response:
    """Keep the raw body, then say 400."""
    await keep(parts, alerts=[_letter(body, KEPT, why, parts.now)])
    structlog.get_logger().warning(ALERT_TAKEN, status=400, error=whole_words(why, 200), bytes=len(body))
    return problem(request, HTTPStatus.BAD_REQUEST, why)
