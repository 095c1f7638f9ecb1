"""A strict incoming webhook of Slack: refuses what its documentation of blocks and messages does not allow."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

URL = "https://hooks.slack.com/services/T0000/B0000/x1y2z3secret"
MAX_BLOCKS, WHOLE = 50, 13_000
_MENTION = re.compile(r"<[!@#]|<https?:")


@dataclass
class FakeSlack(Scripted):
    """`posted`: messages as they stand in the channel."""

    script: list[Response | PortError] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)

    def _take(self, request: Request) -> Response:
        try:
            message = json.loads((request.body or b"").decode("utf-8"))
        except ValueError:
            return answer(400, "invalid_payload")
        problems = problems_of(message)
        if request.method != "POST" or request.headers.get("Content-Type") != "application/json" or problems:
            return answer(400, f"invalid_payload {problems}")
        self.posted.append(message)
        return answer(200, "ok")


def problems_of(message: Any) -> list[str]:
    """What of the documented rules is broken."""
    if not isinstance(message, dict) or message.keys() - {"text", "blocks"}:
        return ["unknown fields"]
    return content_problems(message)


def content_problems(message: dict[str, Any]) -> list[str]:
    """Of a message's text and blocks."""
    problems = []
    if not isinstance(message.get("text"), str) or not message["text"].strip():
        problems.append("text is needed as the notification's fallback")
    elif _MENTION.search(message["text"]):
        problems.append("text mentions or links")
    blocks = message.get("blocks", [])
    if len(blocks) > MAX_BLOCKS:
        problems.append("more than 50 blocks")
    if len(json.dumps(message, ensure_ascii=False)) > WHOLE + 4_000 or _written(blocks) > WHOLE:
        problems.append("msg_too_long")
    return problems + [problem for block in blocks for problem in _block(block)]


def _written(blocks: list[Any]) -> int:
    return sum(len(block.get("text", {}).get("text", "")) for block in blocks)


def _block(block: dict[str, Any]) -> list[str]:
    match block.get("type"):
        case "header":
            return _text(block.get("text"), 150, {"plain_text"})
        case "section":
            return _text(block.get("text"), 3_000, {"plain_text", "mrkdwn"})
        case "context":
            elements = block.get("elements", [])
            few = [] if 0 < len(elements) <= 10 else ["context takes 1 to 10 elements"]
            return few + [p for one in elements for p in _text(one, 2_000, {"plain_text", "mrkdwn"})]
        case "actions":
            elements = block.get("elements", [])
            few = [] if 0 < len(elements) <= 25 else ["actions takes 1 to 25 elements"]
            names = [one.get("action_id") for one in elements]
            same = [] if len(set(names)) == len(names) else ["action_id twice"]
            return few + same + [p for one in elements for p in _button(one)]
        case other:
            return [f"unknown block {other}"]


def _button(button: dict[str, Any]) -> list[str]:
    problems = _text(button.get("text"), 75, {"plain_text"})
    asked = button.get("confirm", {})
    for part, most in {"title": 100, "text": 300, "confirm": 30, "deny": 30}.items() if asked else ():
        problems += _text(asked.get(part), most, {"plain_text"})
    known = {"type", "text", "action_id", "url", "value", "style", "confirm"}
    if button.keys() - known or button["type"] != "button":
        problems.append("unknown fields of a button")
    if not {"url", "value"} & button.keys() or not 0 < len(button.get("action_id", "")) <= 255:
        problems.append("a button does nothing, or its action_id is out of bounds")
    if not 0 < len(button.get("url", "x")) <= 3_000 or not 0 < len(button.get("value", "x")) <= 2_000:
        problems.append("a button's url or value is out of bounds")
    if button.get("style", "primary") not in {"primary", "danger"}:
        problems.append("unknown style")
    return problems


def _text(text: Any, most: int, kinds: set[str]) -> list[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        return [f"expected a text of {kinds}"]
    if not 0 < len(text.get("text", "")) <= most:
        return [f"a text is empty or longer than {most} characters"]
    if text["type"] == "mrkdwn" and "emoji" in text:
        return ["emoji belongs to plain_text"]
    return []
