"""What Slack tells back: somebody pressed a button of ours. Pure.

Source of the wire contract: Slack developer docs, "Verifying requests from Slack" (version v0 of the signature, five
minutes of tolerance) and "block_actions payloads".
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from daemon.escalate.channels.slack_blocks import ACK, ESCALATE
from daemon.escalate.graphemes import line

SIGNATURE, TIMESTAMP = "X-Slack-Signature", "X-Slack-Request-Timestamp"
TOLERANCE = 300.0
"""Seconds for which a request may be under way; older ones are played back."""
ORDERS = {ACK: "ack", ESCALATE: "escalate"}
"""Name of a button to the kind of order that a press of it is."""
ANSWERED_AT = "hooks.slack.com"
_MAX_TEXT = 2_000


class Unreadable(Exception):
    """The body is none of Slack's; the message says why."""


@dataclass(frozen=True, slots=True)
class Press:
    """`order`: kind of ours. `token`: what stood behind the button. `user`: Slack's id of who pressed it.

    `answer_at`: where that user alone can be told what came of it; empty when nobody can.
    """

    order: str
    token: str
    user: str
    answer_at: str


def signed(secrets: Sequence[str], body: bytes, signature: str, timestamp: str, now: float) -> bool:
    """Whether the signature is that of any of the secrets, and recent; compared in constant time."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    text = b"v0:" + timestamp.encode() + b":" + body
    wanted = ["v0=" + hmac.digest(secret.encode(), text, "sha256").hex() for secret in secrets]
    offered = signature.encode()
    return any(hmac.compare_digest(one.encode(), offered) for one in wanted)


def pressed(body: bytes) -> Press | None:
    """Which button of ours was pressed; None for what asks nothing of us. Raises `Unreadable`."""
    try:
        form = parse_qs(body.decode("utf-8"), strict_parsing=True, max_num_fields=10)
        payload = orjson.loads(form["payload"][0])
        kind, user, actions = payload["type"], payload.get("user"), payload.get("actions")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"no payload of Slack's: {type(error).__name__}") from None
    if kind != "block_actions" or not isinstance(user, dict) or not isinstance(actions, list):
        return None
    for action in actions[:1]:  # a press is one action
        order = ORDERS.get(_text(action, "action_id")) if isinstance(action, dict) else None
        if order is not None:
            address = _text(payload, "response_url")
            return Press(
                order, _text(action, "value"), line(_text(user, "id"), 30), address if is_slacks(address) else ""
            )  # fmt: skip
    return None


def is_slacks(address: str) -> bool:
    """Whether an answer may be sent there: to Slack, by TLS, and nowhere else."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    own = parts.username is None and parts.password is None and port in {None, 443}
    return parts.scheme == "https" and parts.hostname == ANSWERED_AT and own and address.isascii()


def answer(text: str) -> bytes:
    """What is posted to `answer_at`: told to that user alone; the message they pressed stays as it is."""
    return orjson.dumps({"response_type": "ephemeral", "replace_original": False, "text": text})


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT else ""
