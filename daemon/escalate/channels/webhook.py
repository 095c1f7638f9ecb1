"""A signed webhook by the Standard Webhooks specification: the same id on every try, a signature per valid key.

Source of the wire contract: standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Annotated, Any, Self

import orjson
from pydantic import Field, model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from daemon.clock import rfc3339
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange
from daemon.escalate.graphemes import clean, cut, line, octets
from daemon.escalate.message import Message, Receipt
from remediations.ports import Request

PREFIX = "whsec_"
MIN_KEY, MAX_KEY = 24, 64
MAX_TEXT = 12_000
"""Bytes of running text, so that the whole stays under the 20 kB the specification advises."""
MAX_LINE, MAX_LINKS, MAX_IDS = 500, 10, 400
HOP = "Fleetmend-Hop"
"""Header that marks our own output: whoever feeds it back into our intake closes a loop, and can see it."""


class WebhookSpec(Section):
    """`url` is a secret where it carries a token. `secret`: `whsec_…`; two while rotating, the new one first."""

    url: Secret | Annotated[str, Field(pattern=r"^https?://\S+$")]
    secret: Secret | Annotated[tuple[Secret, ...], Field(min_length=1, max_length=4)]

    @property
    def address(self) -> str:
        return self.url.reveal() if isinstance(self.url, Secret) else self.url

    @property
    def keys(self) -> tuple[bytes, ...]:
        secrets = (self.secret,) if isinstance(self.secret, Secret) else self.secret
        return tuple(key_of(secret.reveal()) for secret in secrets)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.address.startswith(("https://", "http://")):
            raise Wrong("the webhook's url is not http(s)", "write https://host/path")
        try:
            lengths = [len(key) for key in self.keys]
        except ValueError:
            raise Wrong(
                "the webhook's secret is not whsec_ and base64", "make one: whsec_ + base64 of 32 bytes"
            ) from None
        if not all(MIN_KEY <= length <= MAX_KEY for length in lengths):
            raise Wrong(f"the webhook's key must have {MIN_KEY} to {MAX_KEY} bytes", "take 32 random bytes")
        return self


class Webhook:
    kind = "webhook"
    wakes = False
    tracks = False
    available = True
    local = False
    spec = WebhookSpec

    def normal(self, settings: Any) -> Any:
        return settings

    def doubts(self, spec: WebhookSpec, shared: Shared) -> list[str]:
        del shared
        return (
            ["a page sent in the clear can be read on its way"] if spec.address.startswith("http://") else []
        )

    def render(self, message: Message, *, short: bool = False) -> bytes:
        """The exact bytes that are signed and sent."""
        data: dict[str, Any] = {
            "incident": message.incident,
            "severity": message.severity,
            "level": message.level,
            "headline": line(message.headline, MAX_LINE),
            "text": "" if short else cut(message.body, MAX_TEXT, octets),
            "links": []
            if short
            else [{"text": clean(text), "href": href} for text, href in message.links[:MAX_LINKS]],
            "dedup_key": message.dedup_key,
            "note": message.note,
        }
        if not short:
            data["scope"] = line(message.source, MAX_LINE)
            if message.several:
                data["incidents"] = list(message.several[:MAX_IDS])
        return orjson.dumps(
            {"type": f"incident.{message.event}", "timestamp": rfc3339(message.at), "data": data}
        )

    def send(
        self,
        message: Message,
        spec: WebhookSpec,
        shared: Shared,
        doors: Doors,
        deadline: float,
        *,
        short: bool,
    ) -> Receipt:
        del shared
        body = self.render(message, short=short)
        at = int(doors.clock.now())
        identity = message_id(message.key)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(signature(key, identity, at, body) for key in spec.keys),
            HOP: "1",
        }
        return exchange(Request("POST", spec.address, headers, body), doors, deadline)


def key_of(secret: str) -> bytes:
    """The key behind `whsec_…`. Raises `ValueError`."""
    if not secret.startswith(PREFIX):
        raise ValueError("no whsec_ prefix")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def message_id(key: str) -> str:
    """The idempotency key of a delivery on the wire: no full stop in it, as the signed text is joined by them."""
    return f"msg_{hashlib.blake2s(key.encode(errors='replace'), digest_size=16).hexdigest()}"


def signature(key: bytes, identity: str, at: int, body: bytes) -> str:
    """`v1,<base64>` over `id.timestamp.body`."""
    signed = f"{identity}.{at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def _fits(channel: Webhook) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
