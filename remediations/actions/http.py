"""`http {method, url, headers, json, expect, poll}`: one HTTP call, sent at most once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from config.scope import Scope, scope_key
from config.section import Section
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal
from remediations.actions.answers import (
    Address,
    Headers,
    accepted,
    checked_expect,
    said,
    same_place,
    sound_address,
)
from remediations.actions.polling import HOW, Astray, Poll, ended, follow, render_poll, where_to_ask
from remediations.actions.rendering import Renderer
from remediations.actions.sending import KEY, SAFE, Sent, asked, given, no_permit, outcome
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports, Request, Response

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class HttpArgs(Section):
    """One call, sent at most once; with `poll` it is followed to its end.

    Every call carries the header `Idempotency-Key`: the same when it is repeated for one decision (`on_interrupt: rerun`),
    another for each new decision.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: Address
    headers: Headers = Field(default_factory=dict)
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
        headers = given(rendered["headers"], self._reveal)
        request = _request(rendered, headers, key)
        if not permit.granted():
            return no_permit(what, ports)
        until = min(deadline, ports.clock.monotonic() + rendered["timeout"])
        try:
            response = asked(
                request, ports, what, until=until, good=lambda answer: accepted(rendered["expect"], answer)
            )
        except Sent as sent:
            return sent.outcome
        if rendered.get("poll"):
            return self._await(rendered, headers, response, ports, deadline)
        return outcome(OutcomeState.DONE, f"{what}: answered {response.status}", ports, said(response))

    def _await(
        self, rendered: Rendered, headers: dict[str, str], answer: Response, ports: Ports, deadline: float
    ) -> Outcome:
        """Accepted: ask until it has ended. The call's own headers go along to the place that was called only."""
        what, poll = f"{rendered['method']} {rendered['url']}", rendered["poll"]
        try:
            address = where_to_ask(poll, rendered["url"], answer)
        except Astray as error:
            text = f"{what}: accepted and cannot be followed: {error}"
            return outcome(OutcomeState.UNKNOWN, text, ports, said(answer))
        shown = headers if same_place(address, rendered["url"]) else {}
        state, last = follow(
            lambda: Request("GET", address, headers=shown),
            lambda response: ended(poll, response),
            ports,
            self._pause,
            every=poll["every"],
            until=min(deadline, ports.clock.monotonic() + poll["within"]),
        )
        return outcome(state, f"{what}: accepted, {HOW[state]}", ports, last)


def _request(rendered: Rendered, headers: dict[str, str], key: str) -> Request:
    headers = {**headers, KEY: key}
    body = None
    if rendered["json"] is not None:
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(rendered["json"], ensure_ascii=False).encode()
    return Request(rendered["method"], rendered["url"], headers=headers, body=body)


def _fits(action: HttpAction) -> Action[HttpArgs]:
    """The type checker proves here that this kind is an action."""
    return action
