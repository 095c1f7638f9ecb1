"""ntfy: a push message to a phone, as JSON, with the console and the acknowledgement one tap away.

Source of the wire contract: ntfy documentation, "Publishing" (publish as JSON, priorities, action buttons) and the
server's own limits: a message of more than 4 096 bytes silently becomes an attachment, so ours never is.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from pydantic import Field, model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange, reference
from daemon.escalate.graphemes import cut, line, octets, printable
from daemon.escalate.message import Message, Receipt
from daemon.incidents.records import PageEvent
from remediations.ports import Request

MAX_MESSAGE = 4_096
"""Bytes."""
TITLE, LABEL, MAX_ACTIONS = 250, 60, 3
_PRIORITY = {"critical": 5, "high": 4, "medium": 3, "low": 2}
_CALM = 3
_WAKING = frozenset({PageEvent.TRIGGER, PageEvent.ESCALATE, PageEvent.REMIND})
_TOPIC = r"[-_A-Za-z0-9]{1,64}"


class NtfySpec(Section):
    """`url`: of the topic, `https://ntfy.example.org/TOPIC`; a secret where the topic's name is all that guards it."""

    url: Secret | Annotated[str, Field(pattern=rf"^https?://[^\s/]+(/\S+)*/{_TOPIC}$", max_length=500)]
    token: Secret | None = None

    @property
    def address(self) -> str:
        return self.url.reveal() if isinstance(self.url, Secret) else self.url

    @property
    def place(self) -> tuple[str, str]:
        """(where the server takes JSON, topic)."""
        base, _, topic = self.address.rpartition("/")
        return f"{base}/", topic

    @model_validator(mode="after")
    def _usable(self) -> NtfySpec:
        parts = urlsplit(self.address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not self.place[1]:
            raise Wrong("the url names no topic", "write https://HOST/TOPIC")
        return self


class Ntfy:
    kind = "ntfy"
    wakes = True
    tracks = False
    available = True
    local = False
    spec = NtfySpec

    def normal(self, settings: Any) -> Any:
        return {"url": settings} if isinstance(settings, str) else settings

    def doubts(self, spec: NtfySpec, shared: Shared) -> list[str]:
        del shared
        doubts = (
            ["a page sent in the clear can be read on its way"] if spec.address.startswith("http:") else []
        )
        if spec.token is None and not isinstance(spec.url, Secret):
            doubts.append(
                "whoever knows this topic's name can read its pages: use a token, or make the url a secret"
            )
        return doubts

    def render(self, message: Message, topic: str, *, short: bool = False) -> dict[str, Any]:
        """What the server takes as JSON."""
        foot = f"\n\n{message.incident}, page {reference(message.key)}"
        text = "" if short else printable(message.body[: 8 * MAX_MESSAGE])
        body: dict[str, Any] = {
            "topic": topic,
            "title": line(message.headline, TITLE) or "Fleetmend page",
            "message": cut(text, MAX_MESSAGE - octets(foot), octets) + foot,
            "priority": _PRIORITY.get(message.severity, _CALM) if message.event in _WAKING else _CALM,
            "tags": ["white_check_mark" if message.event is PageEvent.RESOLVE else "rotating_light"],
        }
        web = [(text, href) for text, href in message.links if href.startswith(("https://", "http://"))]
        if web:
            body["click"] = web[0][1]
            body["actions"] = [_action(label, href, message.ack_link) for label, href in web[:MAX_ACTIONS]]
        return body

    def send(
        self, message: Message, spec: NtfySpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        del shared
        server, topic = spec.place
        headers = {"Content-Type": "application/json"}
        if spec.token is not None:
            headers["Authorization"] = f"Bearer {spec.token.reveal()}"
        body = orjson.dumps(self.render(message, topic, short=short))
        return exchange(Request("POST", server, headers, body), doors, deadline)


def _action(label: str, href: str, ack: str) -> dict[str, Any]:
    """A button that opens a page; the one that acknowledges does so itself, from the notification, by a POST."""
    text = line(label, LABEL)
    if href == ack:
        return {"action": "http", "label": text, "url": href, "method": "POST", "clear": True}
    return {"action": "view", "label": text, "url": href}


def _fits(channel: Ntfy) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
