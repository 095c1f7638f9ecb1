"""Slack's incoming webhook: one message per delivery. It gives no message back, so nothing can be changed later.

Source of the wire contract: Slack developer docs, "Sending messages using incoming webhooks", "Block Kit: blocks",
"Formatting message text" and "Rate limits". Lengths are characters. Sent is only what is answered by 200 and `ok`.
"""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.wire import exchange, reference
from daemon.escalate.graphemes import cut, line, one_line, printable
from daemon.escalate.message import Message, Receipt, ReceiptKind
from remediations.ports import Request, Response

HEADER, SECTION, BUTTON, FOOT = 150, 3_000, 75, 500
MAX_TEXT = 12_000
"""Characters of the whole: a message of more than some 13 000 is refused in practice (slackapi/bolt-js#2509)."""
MAX_LINKS = 5
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""In `text`, which is read as Slack's own mark-up: then nothing in it is a mention, a link or a command."""


class SlackSpec(Section):
    """`url`: the webhook's address, which is all that is needed to write into the channel: a secret."""

    url: Secret

    @model_validator(mode="after")
    def _usable(self) -> SlackSpec:
        if not self.url.reveal().startswith(("https://", "http://")):
            raise Wrong(
                "the webhook's url is not http(s)", "copy it whole: https://hooks.slack.com/services/…"
            )
        return self


class Slack:
    kind = "slack"
    wakes = False
    tracks = False
    available = True
    local = False
    spec = SlackSpec

    def normal(self, settings: Any) -> Any:
        return settings if isinstance(settings, dict) and "url" in settings else {"url": settings}

    def doubts(self, spec: SlackSpec, shared: Shared) -> list[str]:
        del shared
        clear = spec.url.reveal().startswith("http://")
        return ["a page sent in the clear can be read on its way"] if clear else []

    def render(self, message: Message, *, short: bool = False) -> dict[str, Any]:
        """`text` is what a notification shows; the blocks are the message itself."""
        headline = one_line(message.headline) or "Fleetmend page"
        blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(line(headline, HEADER))}]
        if not short:
            blocks += [{"type": "section", "text": _plain(part)} for part in _paragraphs(message)]
            blocks += _buttons(message)
        foot = f"page {reference(message.key)} · {message.incident} · {message.source}"
        blocks.append({"type": "context", "elements": [_plain(line(foot, FOOT))]})
        return {"text": line(headline, HEADER).translate(_ESCAPES), "blocks": blocks}

    def send(
        self, message: Message, spec: SlackSpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        del shared
        body = orjson.dumps(self.render(message, short=short))
        headers = {"Content-Type": "application/json"}
        return exchange(Request("POST", spec.url.reveal(), headers, body), doors, deadline, _said_ok)


def _paragraphs(message: Message) -> list[str]:
    """The parts that fit, the first whole if possible: what comes last matters least."""
    room, kept = MAX_TEXT, []
    for part in message.parts:
        text = cut(printable(part), min(SECTION, room))
        if not text.strip():
            continue
        kept.append(text)
        room -= len(text)
        if room <= 0:
            break
    return kept


def _plain(text: str) -> dict[str, Any]:
    """Text as it is: nothing in it is a mention, a link or a mark."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _buttons(message: Message) -> list[dict[str, Any]]:
    """Links as buttons: opening one shows a page, which asks before it changes anything."""
    web = [(text, href) for text, href in message.links if href.startswith(("https://", "http://"))]
    elements = [
        {
            "type": "button",
            "text": _plain(line(text, BUTTON)),
            "url": href,
            "action_id": f"open-{place}",
        }
        for place, (text, href) in enumerate(web[:MAX_LINKS])
    ]
    return [{"type": "actions", "elements": elements}] if elements else []


def _said_ok(response: Response) -> Receipt | None:
    """A 200 that says anything but `ok` did not post."""
    said = response.body.decode("utf-8", "replace").strip()
    if said == "ok":
        return None
    return Receipt(ReceiptKind.TEMPORARY, f"{response.status} {said}", status=response.status)


def _fits(channel: Slack) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
