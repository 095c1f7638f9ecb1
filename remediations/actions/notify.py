"""`notify {statuspage | webhook | slack}`: tells stakeholders, once per incident and rung. Nobody is woken by it.

It mends nothing: whatever comes of it the ladder goes on. What a label or a probe's answer brings into an address or a
text has to be a plain word, so nobody can be mentioned and no link be made by it; in a webhook's `json` it is only data.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.problems import Wrong
from config.scope import Scope, scope_key
from config.secrets import Secret
from config.section import Section
from config.templates import TemplateText
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal
from remediations.actions.answers import Address, Headers, accepted, said, sound_address
from remediations.actions.rendering import Renderer
from remediations.actions.sending import KEY, given, no_permit, send
from remediations.actions.statuspage import NotifyStatuspage, render_statuspage, tell_statuspage
from remediations.outcome import Outcome
from remediations.ports import Ports, Request

WAYS = ("statuspage", "webhook", "slack")
SLACK_TEXT = 12_000
"""Characters; a message of more than some 13 000 is refused in practice."""


class NotifyWebhook(Section):
    """Anything that takes JSON. The header `Idempotency-Key` names the decision."""

    url: Address
    headers: Headers = Field(default_factory=dict)
    body: Any = Field(default=None, alias="json")


class NotifySlack(Section):
    """An incoming webhook of Slack, or of what speaks like it. Told is only what is answered by 200 and `ok`."""

    url: Secret | Address
    """Whoever knows it can write into the channel: better a secret."""
    text: TemplateText


class NotifyArgs(Section):
    """Tells stakeholders, once per incident and rung; nobody is paged by it. It mends nothing and is not verified: when it
    fails, that is recorded and the ladder goes on.
    """

    statuspage: NotifyStatuspage | None = None
    webhook: NotifyWebhook | None = None
    slack: NotifySlack | None = None
    timeout: Annotated[Duration, Field(gt=0)] = 10.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [way for way in WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            raise Wrong(
                f"one of {', '.join(WAYS)} is told, got {' and '.join(ways) or 'none'}",
                "write a rung for each",
            )
        return self


class NotifyAction:
    """See the module. `reveal` finds a secret."""

    def __init__(self, reveal: Reveal) -> None:
        self._reveal = reveal

    def render(self, args: NotifyArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        rendered: dict[str, Any] = {"timeout": args.timeout}
        if args.statuspage is not None:
            rendered["statuspage"] = render_statuspage(args.statuspage, renderer, names)
        if args.webhook is not None:
            rendered["webhook"] = {
                "url": sound_address(renderer.place(args.webhook.url)),
                "headers": renderer.places_or_secrets(args.webhook.headers),
                "json": renderer.data(args.webhook.body),
            }
        if args.slack is not None:
            url = args.slack.url
            rendered["slack"] = {
                "url": dict(url.reference) if isinstance(url, Secret) else sound_address(renderer.place(url)),
                "text": renderer.text(args.slack.text),
            }
        return rendered

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The scope it is about; for the whole pipeline where it is told."""
        return frozenset({scope_key(scope) if scope else _place(rendered)})

    def disruptive(self, rendered: Rendered) -> bool:
        del rendered
        return False

    def idempotent(self, rendered: Rendered) -> bool:
        """Said twice is not said once."""
        del rendered
        return False

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        until = min(deadline, ports.clock.monotonic() + rendered["timeout"])
        if not permit.granted():
            return no_permit(_place(rendered), ports)
        if "statuspage" in rendered:
            page = {**rendered["statuspage"], "token": self._reveal(rendered["statuspage"]["token"])}
            return tell_statuspage(page, ports, until=until, permit=permit, key=key)
        if "slack" in rendered:
            return self._slack(rendered["slack"], ports, until, key)
        return self._webhook(rendered["webhook"], ports, until, key)

    def _webhook(self, hook: Rendered, ports: Ports, until: float, key: str) -> Outcome:
        headers = {
            **given(hook["headers"], self._reveal),
            "Content-Type": "application/json",
            KEY: key,
        }
        body = json.dumps(hook["json"], ensure_ascii=False).encode()
        request = Request("POST", hook["url"], headers=headers, body=body)
        return send(
            request, ports, f"POST {hook['url']}", until=until, good=lambda answer: accepted("2xx", answer)
        )

    def _slack(self, slack: Rendered, ports: Ports, until: float, key: str) -> Outcome:
        url = self._reveal(slack["url"]) if isinstance(slack["url"], dict) else slack["url"]
        body = json.dumps({"text": slack["text"][:SLACK_TEXT]}, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", KEY: key}
        request = Request("POST", url, headers=headers, body=body)
        return send(
            request,
            ports,
            "the Slack channel",
            until=until,
            good=lambda answer: answer.status == 200 and said(answer) == "200 ok",
        )


def _place(rendered: Rendered) -> str:
    """Where it is told, without what is secret about it."""
    if "statuspage" in rendered:
        return f"statuspage {rendered['statuspage']['page']}"
    url = rendered.get("webhook", rendered.get("slack", {}))["url"]
    return "slack" if isinstance(url, dict) else urlsplit(url).netloc


def _fits(action: NotifyAction) -> Action[NotifyArgs]:
    """The type checker proves here that this kind is an action."""
    return action
