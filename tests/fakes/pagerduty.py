"""A strict PagerDuty: refuses whatever its Events API v2 documentation does not allow, and remembers its alerts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

URL = "https://events.pagerduty.com/v2/enqueue"
ROUTING_KEY = "R0123456789ABCDEF0123456789ABCDE"
MAX_BODY = 512_000
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_TOP = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


@dataclass
class FakePagerDuty(Scripted):
    """`alerts`: dedup key to the actions on it, the open one last. `pages`: summaries that woke somebody."""

    keys: set[str] = field(default_factory=lambda: {ROUTING_KEY})
    script: list[Response | PortError] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)

    def _take(self, request: Request) -> Response:
        problems = self._problems(request)
        if problems:
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": problems}
            return answer(400, json.dumps(body))
        event = json.loads(request.body or b"")
        self.events.append(event)
        self._apply(event)
        return answer(202, json.dumps({"status": "success", "dedup_key": event["dedup_key"]}))

    def _apply(self, event: dict[str, Any]) -> None:
        key, action = event["dedup_key"], event["event_action"]
        if action == "trigger":
            if key not in self.open:
                self.pages.append(event["payload"]["summary"])
                self.open[key] = "triggered"
        elif key not in self.open:
            self.dropped.append(event)  # silently, as the real one does
        elif action == "resolve":
            del self.open[key]
        else:
            self.open[key] = "acknowledged"

    def _problems(self, request: Request) -> list[str]:
        body = request.body or b""
        if request.method != "POST" or request.headers.get("Content-Type") != "application/json":
            return ["expected a JSON POST"]
        if len(body) > MAX_BODY:
            return ["event is larger than 512 KB"]
        try:
            event = json.loads(body.decode("utf-8"))
        except ValueError:
            return ["body is not JSON in UTF-8"]
        problems = [f"unknown field {name}" for name in event.keys() - _TOP]
        if event.get("routing_key") not in self.keys or len(event["routing_key"]) != 32:
            problems.append("routing_key is invalid")
        if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
            problems.append("event_action is invalid")
        if not isinstance(event.get("dedup_key"), str) or not 0 < len(event["dedup_key"]) <= 255:
            problems.append("dedup_key is missing or longer than 255 characters")
        if event.get("event_action") == "trigger":
            problems += _payload_problems(event.get("payload"))
            problems += _link_problems(event.get("links", []))
        return problems


def _payload_problems(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["payload is missing"]
    problems = [f"unknown field payload.{name}" for name in payload.keys() - _PAYLOAD]
    for name, most in (("summary", 1024), ("source", 255)):
        if not isinstance(payload.get(name), str) or not 0 < len(payload[name]) <= most:
            problems.append(f"payload.{name} is missing or longer than {most} characters")
    if payload.get("severity") not in {"critical", "error", "warning", "info"}:
        problems.append("payload.severity is invalid")
    if "timestamp" in payload and not _STAMP.fullmatch(payload["timestamp"]):
        problems.append("payload.timestamp is not ISO 8601")
    if not isinstance(payload.get("custom_details", {}), dict):
        problems.append("payload.custom_details is no object")
    return problems


def _link_problems(links: Any) -> list[str]:
    good = isinstance(links, list) and all(
        isinstance(link, dict) and str(link.get("href", "")).startswith("http") for link in links
    )
    return [] if good else ["links need an href"]
