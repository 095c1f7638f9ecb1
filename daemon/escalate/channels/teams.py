"""Microsoft Teams through a Workflows webhook ("post to a channel when a webhook request is received").

Source of the wire contract: Microsoft Learn, "Create incoming webhooks with Workflows" and the Adaptive Cards schema
1.2. A card of more than 28 KB *after expansion* is refused (MicrosoftDocs/msteams-docs#11274): ours stays under 16 KB.
A 2xx may carry an error of the flow in its body (#1810, #7425), and what fails later inside the flow is never told: a
level must not rest on this channel alone.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from pydantic import model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange, reference
from daemon.escalate.graphemes import cut, line, octets, printable
from daemon.escalate.message import Message, Receipt, ReceiptKind
from remediations.ports import Request, Response

MAX_TEXT, MAX_BLOCKS = 5_000, 20
"""Bytes of running text, and paragraphs of it with a block of their own: escaped as JSON it may double, each block is
wrapped, and the flow's own wrapping comes on top.
"""
HEADLINE, LABEL, MAX_LINKS = 250, 60, 4
_STATUS = re.compile(r"HTTP error (\d{3})")


class TeamsSpec(Section):
    """`url`: the flow's address; its `sig` is all that guards it: a secret."""

    url: Secret

    @model_validator(mode="after")
    def _usable(self) -> TeamsSpec:
        if not self.url.reveal().startswith(("https://", "http://")):
            raise Wrong("the flow's url is not http(s)", "copy it whole from the Workflows app")
        if "webhook.office.com" in self.url.reveal():
            raise Wrong(
                "Office 365 connectors have been retired",
                "make a flow in the Workflows app, and take its url",
            )
        return self


class Teams:
    kind = "teams"
    wakes = False
    tracks = False
    available = True
    local = False
    spec = TeamsSpec

    def normal(self, settings: Any) -> Any:
        return settings if isinstance(settings, dict) and "url" in settings else {"url": settings}

    def doubts(self, spec: TeamsSpec, shared: Shared) -> list[str]:
        del shared
        clear = spec.url.reveal().startswith("http://")
        return ["a page sent in the clear can be read on its way"] if clear else []

    def render(self, message: Message, *, short: bool = False) -> dict[str, Any]:
        """The message with its one Adaptive Card."""
        foot = f"{message.incident}, page {reference(message.key)}"
        blocks = [_text(line(message.headline, HEADLINE) or "Fleetmend page", weight="Bolder", size="Medium")]
        if not short:
            text = cut(printable(message.body[: 8 * MAX_TEXT]), MAX_TEXT, octets)
            blocks += [_text(part) for part in text.split("\n\n", MAX_BLOCKS) if part.strip()]
        blocks.append(_text(foot, isSubtle=True, size="Small"))
        card: dict[str, Any] = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.2",
            "msteams": {"width": "full"},
            "body": blocks,
        }
        web = [(text, href) for text, href in message.links if href.startswith(("https://", "http://"))]
        if web and not short:
            card["actions"] = [
                {"type": "Action.OpenUrl", "title": line(label, LABEL), "url": href}
                for label, href in web[:MAX_LINKS]
            ]
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        return {"type": "message", "attachments": [attachment]}

    def send(
        self, message: Message, spec: TeamsSpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        del shared
        body = orjson.dumps(self.render(message, short=short))
        headers = {"Content-Type": "application/json"}
        return exchange(Request("POST", spec.url.reveal(), headers, body), doors, deadline, _said_so)


def _text(text: str, **style: Any) -> dict[str, Any]:
    """A line break in a TextBlock takes two of them. It reads Markdown: no text from outside may make a link of it."""
    lines = [one for one in printable(text).replace("](", "]\u200b(").split("\n") if one.strip()]
    shown = "\n\n".join(lines)
    return {"type": "TextBlock", "text": shown, "wrap": True, **style}


def _said_so(response: Response) -> Receipt | None:
    """An error inside a 2xx: too large is worth a shorter try, anything else a later one."""
    said = response.body[:2_000].decode("utf-8", "replace")
    found = _STATUS.search(said)
    if found is None and "error" not in said.lower():
        return None
    status = int(found[1]) if found else response.status
    kind = ReceiptKind.PERMANENT if status in {400, 413} else ReceiptKind.TEMPORARY
    return Receipt(kind, f"{response.status} with {said}", status=status)


def _fits(channel: Teams) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
