"""A strict Alertmanager API v2 that takes alerts, and ends by its own clock what nobody sends again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from remediations.ports import Clock, PortError, Request, Response
from tests.fakes.ports import FakeClock, Scripted, answer

SERVER = "https://alertmanager.example.org"
URL = f"{SERVER}/api/v2/alerts"
TOKEN = "t0ken-of-the-alertmanager"
_FIELDS = {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass
class FakeAlertmanager(Scripted):
    """`alerts`: labels to (event, all that was last said of it), in the order of posts. `token`: what it demands."""

    script: list[Response | PortError] = field(default_factory=list)
    clock: Clock = field(default_factory=FakeClock)
    posts: list[dict[str, Any]] = field(default_factory=list)

    def _take(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return answer(401)
        try:
            alerts = json.loads((request.body or b"").decode("utf-8"))
        except ValueError:
            return answer(400, "parsing alerts body failed")
        problems = problems_of(alerts)
        if request.method != "POST" or request.headers.get("Content-Type") != "application/json" or problems:
            return answer(400, f"{problems}")
        self.posts += alerts
        return answer(200, "")

    def firing(self) -> list[str]:
        """Our incidents whose alerts fire now."""
        last = {identity(alert): alert for alert in self.posts}
        return [alert["labels"]["fleetmend_incident"] for alert in last.values() if not self.ended(alert)]

    def ended(self, alert: dict[str, Any]) -> bool:
        return datetime.fromisoformat(alert["endsAt"]).timestamp() <= self.clock.now()


def identity(alert: dict[str, Any]) -> str:
    return json.dumps(alert["labels"], sort_keys=True)


def problems_of(alerts: Any) -> list[str]:
    """What of the documented rules is broken."""
    if not isinstance(alerts, list) or not alerts:
        return ["not a list of alerts"]
    return [problem for alert in alerts for problem in _alert(alert)]


def _alert(alert: Any) -> list[str]:
    if not isinstance(alert, dict) or not isinstance(alert.get("labels"), dict):
        return ["an alert needs labels"]
    problems = [f"unknown field {name}" for name in alert.keys() - _FIELDS]
    labels = alert["labels"]
    if not any(labels.values()):
        problems.append("at least one label with a value")
    problems += [
        f"{name} is no name, or has no text"
        for name, value in (*labels.items(), *alert.get("annotations", {}).items())
        if not _NAME.fullmatch(name) or not isinstance(value, str)
    ]
    problems += [
        f"{name} is no instant of RFC 3339"
        for name in ("startsAt", "endsAt")
        if name in alert and not _INSTANT.fullmatch(str(alert[name]))
    ]
    if not re.fullmatch(r"(https?://\S+)?", alert.get("generatorURL", "")):
        problems.append("generatorURL is no address")
    return problems
