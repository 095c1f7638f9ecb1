"""`http {method, url, headers, json, expect, poll}`: one HTTP call, sent at most once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from config.addresses import header_text
from config.scope import Scope, scope_key
from config.secrets import Secret
from config.section import Section
from config.templates import TemplateText
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal
from remediations.actions.answers import (
    MAX_ANSWER,
    Address,
    accepted,
    checked_expect,
    said,
    same_place,
    sound_address,
)
from remediations.actions.polling import Astray, Poll, ended, follow, render_poll, where_to_ask
from remediations.actions.rendering import Renderer
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, Ports, Request, Response, TooLarge, Unreachable

SAFE = frozenset({"GET", "HEAD"})
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
KEY = "Idempotency-Key"


class HttpArgs(Section):
    """One call, sent at most once; with `poll` it is followed to its end.

    Every call carries the header `Idempotency-Key`: the same when it is repeated for one decision (`on_interrupt: rerun`),
    another for each new decision.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: Address
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")],
        Secret | Annotated[TemplateText, AfterValidator(header_text)],
    ] = Field(default_factory=dict)
    body: Any = Field(default=None, alias="json")
    expect: Annotated[str | int | tuple[str | int, ...], AfterValidator(checked_expect)] = "2xx"
    poll: Poll | None = None
    timeout: Annotated[Duration, Field(gt=0)] = 10.0
    """For the call itself; the rung's deadline still rules."""
    disruptive: bool | None = None
    """Left out: everything but GET and HEAD is."""


class HttpAction:
    """See the module. `reveal` finds a header's secret; `pause` waits between polls."""

    def __init__(self, reveal: Reveal, pause: Callable[[float], object] | None = None) -> None:
        self._reveal = reveal
        self._pause = pause or threading.Event().wait

    def render(self, args: HttpArgs, names: Names) -> dict[str, Any]:
        renderer = Renderer(names)
        rendered: dict[str, Any] = {
            "method": args.method,
            "url": sound_address(renderer.place(args.url)),
            "headers": renderer.places_or_secrets(args.headers),
            "json": renderer.data(args.body),
            "expect": list(args.expect) if isinstance(args.expect, tuple) else args.expect,
            "timeout": args.timeout,
            "disruptive": args.method not in SAFE if args.disruptive is None else args.disruptive,
        }
        if args.poll is not None:
            rendered["poll"] = render_poll(args.poll, renderer)
        return rendered

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The scope; for the whole pipeline the host that is called."""
        return frozenset({scope_key(scope) if scope else urlsplit(rendered["url"]).netloc})

    def disruptive(self, rendered: Rendered) -> bool:
        return bool(rendered["disruptive"])

    def idempotent(self, rendered: Rendered) -> bool:
        return rendered["method"] in IDEMPOTENT

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        what = f"{rendered['method']} {rendered['url']}"
        headers = self._headers(rendered)
        request = _request(rendered, headers, key)
        if not permit.granted():
            return _outcome(OutcomeState.NOT_DONE, f"{what}: no permit, nothing was sent", ports)
        until = min(deadline, ports.clock.monotonic() + rendered["timeout"])
        try:
            response = ports.http.send(request, deadline=until, max_bytes=MAX_ANSWER)
        except Unreachable as error:
            return _outcome(OutcomeState.FAILED, f"{what}: nothing was sent", ports, str(error))
        except (Ambiguous, TooLarge) as error:
            state = OutcomeState.FAILED if rendered["method"] in SAFE else OutcomeState.UNKNOWN
            return _outcome(state, f"{what}: sent, and not known to have taken effect", ports, str(error))
        if not accepted(rendered["expect"], response):
            return _outcome(OutcomeState.FAILED, f"{what}: answered {response.status}", ports, said(response))
        if rendered.get("poll"):
            return self._await(rendered, headers, response, ports, deadline)
        return _outcome(OutcomeState.DONE, f"{what}: answered {response.status}", ports, said(response))

    def _headers(self, rendered: Rendered) -> dict[str, str]:
        return {
            name: self._reveal(value) if isinstance(value, dict) else value
            for name, value in rendered["headers"].items()
        }

    def _await(
        self, rendered: Rendered, headers: dict[str, str], answer: Response, ports: Ports, deadline: float
    ) -> Outcome:
        """Accepted: ask until it has ended. The call's own headers go along to the place that was called only."""
        what, poll = f"{rendered['method']} {rendered['url']}", rendered["poll"]
        try:
            address = where_to_ask(poll, rendered["url"], answer)
        except Astray as error:
            state = OutcomeState.UNKNOWN
            return _outcome(state, f"{what}: accepted and cannot be followed: {error}", ports, said(answer))
        shown = headers if same_place(address, rendered["url"]) else {}
        state, last = follow(
            Request("GET", address, headers=shown),
            lambda response: ended(poll, response),
            ports,
            self._pause,
            every=poll["every"],
            until=min(deadline, ports.clock.monotonic() + poll["within"]),
        )
        return _outcome(state, f"{what}: accepted, {_HOW[state]}", ports, last)


_HOW = {
    OutcomeState.DONE: "and finished",
    OutcomeState.FAILED: "and failed",
    OutcomeState.UNKNOWN: "not seen to finish",
}


def _request(rendered: Rendered, headers: dict[str, str], key: str) -> Request:
    headers = {name: value for name, value in headers.items() if name.lower() != KEY.lower()} | {KEY: key}
    body = None
    if rendered["json"] is not None:
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(rendered["json"], ensure_ascii=False).encode()
    return Request(rendered["method"], rendered["url"], headers=headers, body=body)


def _outcome(state: OutcomeState, effect: str, ports: Ports, output: str = "") -> Outcome:
    return Outcome(state, effect, output, ports.clock.now())


def _fits(action: HttpAction) -> Action[HttpArgs]:
    """The type checker proves here that this kind is an action."""
    return action
