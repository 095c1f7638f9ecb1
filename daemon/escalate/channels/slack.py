"""Slack: an incoming webhook, which gives no message back, so nothing can be changed later; or a bot (`slack_bot`).

Source of the wire contract: Slack developer docs, "Sending messages using incoming webhooks" and "Rate limits". Sent
through a webhook is only what is answered by 200 and `ok`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from pydantic import Field, model_validator

from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.shared import Shared, SlackApp
from daemon.escalate.channels.slack_blocks import posted
from daemon.escalate.channels.slack_bot import Bot
from daemon.escalate.channels.wire import exchange
from daemon.escalate.message import Message, Receipt, ReceiptKind
from remediations.ports import Request, Response

_ID = re.compile(r"^[CDGUW][A-Z0-9]{5,20}$")
"""A channel's or a user's id, as Slack shows it at the end of its details."""


class SlackSpec(Section):
    """A webhook's `url`, or the `channel` that a bot writes to.

    `url`: all that is needed to write into a channel: a secret. `channel`: a channel's id (`C…`) or a person's (`U…`).
    `token`: the bot's (`xoxb-…`), where it is not that of `channels.slack`.
    """

    url: Secret | None = None
    channel: Annotated[str, Field(pattern=_ID.pattern)] | None = None
    token: Secret | None = None

    @model_validator(mode="after")
    def _usable(self) -> SlackSpec:
        if (self.url is None) == (self.channel is None):
            raise Wrong(
                "give a webhook's url, or a channel for a bot", "url: {env: …}, or channel: C0123456789"
            )
        if self.url is not None and self.token is not None:
            raise Wrong("a webhook takes no token", "give the channel's id in place of the url")
        if self.url is not None and not self.url.reveal().startswith(("https://", "http://")):
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
        if isinstance(settings, str) and _ID.fullmatch(settings):
            return {"channel": settings}
        known = isinstance(settings, dict) and settings.keys() & SlackSpec.model_fields.keys()
        return settings if known else {"url": settings}

    def doubts(self, spec: SlackSpec, shared: Shared) -> list[str]:
        if spec.url is not None:
            clear = spec.url.reveal().startswith("http://")
            return ["a page sent in the clear can be read on its way"] if clear else []
        token = _token(spec, shared)
        if token is None:
            return ["a bot needs its token: add token here, or channels.slack"]
        doubts = [] if token.startswith("xoxb-") else ["a bot's token begins with xoxb-"]
        if (shared.slack or SlackApp()).url.startswith("http://"):
            doubts.append("the bot's token is sent in the clear")
        return doubts

    def render(self, message: Message, *, short: bool = False) -> dict[str, Any]:
        """What a webhook is given."""
        return posted(message, short=short)

    def send(
        self, message: Message, spec: SlackSpec, shared: Shared, doors: Doors, deadline: float, *, short: bool
    ) -> Receipt:
        if spec.url is not None:
            body = orjson.dumps(self.render(message, short=short))
            headers = {"Content-Type": "application/json"}
            return exchange(Request("POST", spec.url.reveal(), headers, body), doors, deadline, _said_ok)
        app, token = shared.slack or SlackApp(), _token(spec, shared)
        if token is None or spec.channel is None:
            return Receipt(ReceiptKind.PERMANENT, "no bot's token is configured")
        bot = Bot(app.url, token, bool(app.secrets), doors, deadline)
        return bot.tell(message, spec.channel, short=short)


def _token(spec: SlackSpec, shared: Shared) -> str | None:
    token = spec.token or (shared.slack.token if shared.slack else None)
    return None if token is None else token.reveal()


def _said_ok(response: Response) -> Receipt | None:
    """A 200 that says anything but `ok` did not post."""
    said = response.body.decode("utf-8", "replace").strip()
    if said == "ok":
        return None
    return Receipt(ReceiptKind.TEMPORARY, f"{response.status} {said}", status=response.status)


def _fits(channel: Slack) -> Channel:
    """The type checker proves here that this is a channel."""
    return channel
