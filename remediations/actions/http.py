"""`http {method, url, headers, json, expect, poll}`: one HTTP call, sent at most once."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from config.addresses import header_text, probe_address
from config.problems import Wrong, did_you_mean
from config.scope import Scope, scope_key
from config.secrets import Secret
from config.section import Section
from config.templates import Expression, ExpressionText, TemplateError, TemplateText
from config.units import Duration
from remediations.actions.action import Action, Names, Permit, Rendered, Reveal, Unrenderable
from remediations.actions.rendering import Renderer
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ambiguous, PortError, Ports, Request, Response, TooLarge, Unreachable

SAFE = frozenset({"GET", "HEAD"})
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
MAX_ANSWER = 1_000_000
POLL_TIMEOUT = 10.0
_STATUS = re.compile(r"[1-5](xx|\d\d)")


def _checked_expect(expect: Any) -> Any:
    """Status codes (`2xx`, 409, or a list of them), or a condition on `status` and `body`."""
    for item in expect if isinstance(expect, tuple) else (expect,):
        text = str(item)
        if _STATUS.fullmatch(text):
            continue
        if isinstance(expect, tuple) or isinstance(item, int):
            raise Wrong(f"{text} is no status code", "write 2xx, 200 or a condition such as status == 200")
        try:
            _about_the_answer(text)
        except TemplateError as error:
            raise Wrong(
                f"neither a status code nor a condition: {error}", "write 2xx or status == 200"
            ) from None
    if expect in ((), ""):
        raise Wrong("nothing is expected, so nothing could succeed", "write 2xx, 200 or [200, 409]")
    return expect


def _about_the_answer(text: str) -> str:
    """A condition on the answer can see its status and its body. Raises `TemplateError`, `Wrong`."""
    unknown = sorted(Expression(text).names - {"status", "body"})
    if unknown:
        raise Wrong(
            f"nothing is named {unknown[0]!r} here",
            did_you_mean(unknown[0], ("status", "body")) or "known are status and body",
        )
    return text


def _http_address(text: str) -> str:
    if urlsplit(text).scheme == "unix":
        raise Wrong(f"not an http address: {text}", "start it with http:// or https://")
    return probe_address(text)


Address = Annotated[TemplateText, AfterValidator(_http_address)]


class Poll(Section):
    """After the call was accepted: ask this address until the condition on `status` and `body` holds."""

    url: Address
    until: Annotated[ExpressionText, AfterValidator(_about_the_answer)]
    every: Annotated[Duration, Field(ge=0.1)] = 2.0
    within: Duration = 60.0


class HttpArgs(Section):
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: Address
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")],
        Secret | Annotated[TemplateText, AfterValidator(header_text)],
    ] = Field(default_factory=dict)
    body: Any = Field(default=None, alias="json")
    expect: Annotated[str | int | tuple[str | int, ...], AfterValidator(_checked_expect)] = "2xx"
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
            "url": _address(renderer.place(args.url)),
            "headers": renderer.places_or_secrets(args.headers),
            "json": renderer.data(args.body),
            "expect": list(args.expect) if isinstance(args.expect, tuple) else args.expect,
            "timeout": args.timeout,
            "disruptive": args.method not in SAFE if args.disruptive is None else args.disruptive,
        }
        if args.poll is not None:
            rendered["poll"] = {**args.poll.model_dump(), "url": _address(renderer.place(args.poll.url))}
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
        request = self._request(rendered, key)
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
        output = f"{response.status} {response.body.decode('utf-8', 'replace')}"
        if not accepted(rendered["expect"], response):
            return _outcome(OutcomeState.FAILED, f"{what}: answered {response.status}", ports, output)
        if rendered.get("poll"):
            return self._await(what, rendered["poll"], ports, deadline)
        return _outcome(OutcomeState.DONE, f"{what}: answered {response.status}", ports, output)

    def _request(self, rendered: Rendered, key: str) -> Request:
        headers = {
            name: self._reveal(value) if isinstance(value, dict) else value
            for name, value in rendered["headers"].items()
        }
        headers["Idempotency-Key"] = key
        body = None
        if rendered["json"] is not None:
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(rendered["json"], ensure_ascii=False).encode()
        return Request(rendered["method"], rendered["url"], headers=headers, body=body)

    def _await(self, what: str, poll: dict[str, Any], ports: Ports, deadline: float) -> Outcome:
        """Ask until the condition holds; an answer that cannot be had counts as "not yet"."""
        until = min(deadline, ports.clock.monotonic() + poll["within"])
        last = "never answered"
        while (now := ports.clock.monotonic()) < until:
            try:
                response = ports.http.send(
                    Request("GET", poll["url"]), deadline=min(until, now + POLL_TIMEOUT), max_bytes=MAX_ANSWER
                )
                last = f"{response.status} {response.body.decode('utf-8', 'replace')}"
                if accepted(poll["until"], response):
                    return _outcome(OutcomeState.DONE, f"{what}: accepted and finished", ports, last)
            except PortError as error:
                last = str(error)
            self._pause(min(poll["every"], max(0.0, until - ports.clock.monotonic())))
        return _outcome(OutcomeState.UNKNOWN, f"{what}: accepted, not seen to finish", ports, last)


def accepted(expect: Any, response: Response) -> bool:
    """Whether an answer is as expected; a condition that cannot be decided is not met."""
    items = expect if isinstance(expect, list | tuple) else [expect]
    if all(_STATUS.fullmatch(str(item)) for item in items):
        status = str(response.status)
        return any(
            status == str(item) or (str(item)[1:] == "xx" and status[0] == str(item)[0]) for item in items
        )
    try:
        body = json.loads(response.body)
    except ValueError:
        body = None
    try:
        return bool(Expression(expect).evaluate({"status": response.status, "body": body}))
    except TemplateError:
        return False


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and parts.hostname and not re.search(r"\s", text)
    except ValueError:
        sound = False
    if not sound:
        raise Unrenderable(f"not an http address: {text!r}")
    return text


def _outcome(state: OutcomeState, effect: str, ports: Ports, output: str = "") -> Outcome:
    return Outcome(state, effect, output, ports.clock.now())


def _fits(action: HttpAction) -> Action[HttpArgs]:
    """The type checker proves here that this kind is an action."""
    return action
