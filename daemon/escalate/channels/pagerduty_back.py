"""What PagerDuty tells back: webhooks v3, signed. Pure.

Source of the wire contract: PagerDuty developer docs, "Webhooks v3 overview" and "Verifying webhook signatures": the
header `X-PagerDuty-Signature` holds `v1=<hex HMAC-SHA256 of the raw body>`, several while secrets rotate.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from daemon.clock import parse_rfc3339
from daemon.escalate.graphemes import line

HEADER = "X-PagerDuty-Signature"
SCHEME = "v1="
PERSON = "user_reference"
"""Who acted: a person. Events that our own calls cause come back under the name of an integration."""
ORDERS = {"incident.acknowledged": "ack", "incident.resolved": "resolve"}
MAX_NAME = 100


class Unreadable(Exception):
    """The body is none of PagerDuty's; the message says why."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a person did there. `kind`: of our order. `dedup_key`: the one that the page was sent under.

    `at`: when they did it, by PagerDuty's clock; None when it does not say. Its signature has no time in it.
    """

    kind: str
    dedup_key: str
    who: str
    at: float | None = None


def signed(secrets: Sequence[str], body: bytes, header: str) -> bool:
    """Whether any of the signatures is that of any of the secrets; compared in constant time."""
    offered = [
        part.strip().removeprefix(SCHEME) for part in header.split(",") if part.strip().startswith(SCHEME)
    ]
    wanted = [hmac.digest(secret.encode(), body, "sha256").hex() for secret in secrets]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in offered for other in wanted)


def heard(body: bytes) -> Heard | None:
    """What to do about it; None for events that ask nothing of us. Raises `Unreadable`."""
    try:
        event = orjson.loads(body)["event"]
        kind, data, agent = event["event_type"], event["data"], event.get("agent") or {}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"no event of webhooks v3: {type(error).__name__}") from None
    order = ORDERS.get(kind) if isinstance(kind, str) else None
    key = data.get("incident_key") if isinstance(data, dict) else None
    if (
        order is None
        or not isinstance(key, str)
        or not isinstance(agent, dict)
        or agent.get("type") != PERSON
    ):
        return None
    return Heard(order, key, _name(agent), _instant(event.get("occurred_at")))


def _instant(text: object) -> float | None:
    try:
        return parse_rfc3339(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _name(agent: dict[str, Any]) -> str:
    return line(str(agent.get("summary") or agent.get("id") or "somebody"), MAX_NAME)
