"""A strict ntfy server: publishing as JSON, with the limits of its documentation; too long becomes an attachment."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

SERVER = "https://ntfy.example.org/"
TOPIC = "fleet-pages"
URL = f"{SERVER}{TOPIC}"
TOKEN = "tk_0123456789secret"
_KNOWN = {
    "topic",
    "title",
    "message",
    "priority",
    "tags",
    "click",
    "actions",
    "markdown",
    "icon",
    "delay",
    "email",
}
_MORE = {"http": {"method", "headers", "body"}, "broadcast": {"intent", "extras"}}


@dataclass
class FakeNtfy(Scripted):
    """`pushed`: messages as phones show them. `attached`: those that were too long to be shown."""

    script: list[Response | PortError] = field(default_factory=list)
    pushed: list[dict[str, Any]] = field(default_factory=list)
    attached: list[dict[str, Any]] = field(default_factory=list)

    def _take(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return answer(401, '{"code":40101,"http":401,"error":"unauthorized"}')
        try:
            message = json.loads((request.body or b"").decode("utf-8"))
        except ValueError:
            return answer(
                400, '{"code":40024,"http":400,"error":"invalid request: request body must be valid JSON"}'
            )
        problems = problems_of(message)
        if problems:
            return answer(400, json.dumps({"code": 40000, "http": 400, "error": "; ".join(problems)}))
        shown = len(message["message"].encode()) <= 4_096
        (self.pushed if shown else self.attached).append(message)
        return answer(200, json.dumps({"id": "hwQ2YpKdmg", "event": "message", "topic": message["topic"]}))


def problems_of(message: Any) -> list[str]:
    """What of the documented rules is broken."""
    if not isinstance(message, dict) or not re.fullmatch(
        r"[-_A-Za-z0-9]{1,64}", str(message.get("topic", ""))
    ):
        return ["topic is invalid"]
    problems = [f"unknown field {name}" for name in message.keys() - _KNOWN]
    if not isinstance(message.get("message"), str):
        problems.append("message is missing")
    if message.get("priority", 3) not in {1, 2, 3, 4, 5}:
        problems.append("priority is invalid")
    if len(message.get("tags", [])) > 10 or not isinstance(message.get("tags", []), list):
        problems.append("tags are invalid")
    actions = message.get("actions", [])
    if len(actions) > 3:
        problems.append("only 3 actions allowed")
    for action in actions:
        if action.get("action") not in {"view", "broadcast", "http"} or not action.get("label"):
            problems.append("an action needs one of view, broadcast, http, and a label")
        if action.keys() - {"action", "label", "url", "clear", *_MORE.get(str(action.get("action")), ())}:
            problems.append("an action has fields that its kind does not take")
        if action.get("method", "POST") not in {"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"}:
            problems.append("an action's method is none of HTTP's")
        if not isinstance(action.get("clear", True), bool):
            problems.append("clear is true or false")
        if action.get("action") in {"view", "http"} and not str(action.get("url", "")).startswith("http"):
            problems.append("an action needs a url")
    return problems
