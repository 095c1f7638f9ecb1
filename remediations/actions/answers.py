"""What is expected of an HTTP answer, and which addresses may be called: shared by the kinds that speak HTTP."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from config.addresses import header_text, probe_address
from config.problems import Wrong, did_you_mean
from config.secrets import Secret
from config.templates import Expression, ExpressionText, TemplateError, TemplateText
from remediations.actions.action import Unrenderable
from remediations.ports import Response

MAX_ANSWER = 1_000_000
"""Bytes of an answer; a longer one is not read."""
_STATUS = re.compile(r"[1-5](xx|\d\d)")
_PORTS = {"http": 80, "https": 443}
_AMBIGUOUS = re.compile(r"[\\\s\x00-\x1f\x7f]|^[^/]*//[^/?#]*@")


def checked_expect(expect: Any) -> Any:
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


AboutTheAnswer = Annotated[ExpressionText, AfterValidator(_about_the_answer)]
"""An expression over `status` and `body`."""
Address = Annotated[TemplateText, AfterValidator(_http_address)]
Headers = dict[
    Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")],
    Secret | Annotated[TemplateText, AfterValidator(header_text)],
]


def accepted(expect: Any, response: Response) -> bool:
    """Whether an answer is as expected; a condition that cannot be decided is not met."""
    items = expect if isinstance(expect, list | tuple) else [expect]
    if all(_STATUS.fullmatch(str(item)) for item in items):
        status = str(response.status)
        return any(
            status == str(item) or (str(item)[1:] == "xx" and status[0] == str(item)[0]) for item in items
        )
    try:
        return bool(value(expect, response))
    except TemplateError:
        return False


def value(expression: str, response: Response) -> object:
    """What the expression gives for this answer; `body` is None when it is no JSON. Raises `TemplateError`."""
    return Expression(expression).evaluate({"status": response.status, "body": parsed(response)})


def parsed(response: Response) -> Any:
    """The body as JSON; None when it is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        return None


def said(response: Response) -> str:
    """The answer as it is kept."""
    return f"{response.status} {response.body.decode('utf-8', 'replace')}"


def sound_address(text: str) -> str:
    """A rendered address. Raises `Unrenderable` when it is none of http."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in _PORTS and parts.hostname and not re.search(r"\s", text)
    except ValueError:
        sound = False
    if not sound:
        raise Unrenderable(f"not an http address: {text!r}")
    return text


def same_place(one: str, other: str) -> bool:
    """Whether two addresses are of one scheme, host and port: a token for the one may be shown to the other.

    What two parsers could read as two hosts (a backslash, a user before an @) is the same as nothing.
    """
    try:
        return not _AMBIGUOUS.search(one) and _place(one) == _place(other)
    except ValueError:
        return False


def _place(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
