"""A status page as Atlassian documents its API v1: what it refuses, it refuses as the reference says.

Written from the public reference (developer.statuspage.io, "Incidents"): `OAuth` in the authorization header, a body
under `incident`, 201 for a new incident, 401, 404 and 422 with an `error`; `metadata` holds objects alone.
"""

from __future__ import annotations

import json
from typing import Any

from remediations.ports import Request, Response
from tests.fakes.ports import Scripted, answer

URL = "https://api.statuspage.io"
STATUSES = {"investigating", "identified", "monitoring", "resolved"}
COMPONENT_STATUSES = {
    "operational",
    "degraded_performance",
    "partial_outage",
    "major_outage",
    "under_maintenance",
}


class FakeStatuspage(Scripted):
    """One page. `incidents`: id -> as the page shows it; `updates`: (incident, status, text) in the order told."""

    def __init__(self, token: str, page: str = "p1", components: tuple[str, ...] = ("c1",)) -> None:
        self.script = []
        self.incidents: dict[str, dict[str, Any]] = {}
        self.updates: list[tuple[str, str, str]] = []
        self.components = dict.fromkeys(components, "operational")
        self._token, self._page = token, page

    def _take(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"OAuth {self._token}":
            return _error(401, "Could not authenticate")
        base = f"{URL}/v1/pages/{self._page}/incidents"
        if request.url != base and not request.url.startswith(f"{base}/"):
            return _error(404, "Not found")
        rest = request.url.removeprefix(base).strip("/")
        if request.method == "GET" and rest == "unresolved":
            return _json(200, [one for one in self.incidents.values() if one["status"] != "resolved"])
        if request.method == "POST" and not rest:
            return self._told(f"inc{len(self.incidents) + 1}", request, 201)
        if request.method == "PATCH" and rest in self.incidents:
            return self._told(rest, request, 200)
        return _error(404, "Not found")

    def _told(self, name: str, request: Request, status: int) -> Response:
        if request.headers.get("Content-Type") != "application/json":
            return _error(415, "Unsupported media type")
        told = json.loads(request.body or b"{}").get("incident")
        wrong = "incident is missing" if not isinstance(told, dict) else self._wrong(told)
        if wrong:
            return _error(422, wrong)
        known = self.incidents.setdefault(name, {"id": name, "status": "investigating", "metadata": {}})
        known.update({key: told[key] for key in ("name", "status", "metadata") if key in told})
        self.components.update(told.get("components", {}))
        self.updates.append((name, known["status"], told.get("body", "")))
        return _json(status, known)

    def _wrong(self, told: dict[str, Any]) -> str:
        """The first rule that it breaks, as the page would say it."""
        broken = {
            "name is invalid": not 0 < len(told.get("name", "")) <= 255,
            "status is invalid": told.get("status") not in STATUSES,
            "body is too long": len(told.get("body", "")) > 25_000,
            "metadata must hold objects": not all(
                isinstance(value, dict) for value in told.get("metadata", {}).values()
            ),
            "a component is not of this page": not (
                {*told.get("component_ids", []), *told.get("components", {})} <= set(self.components)
            ),
            "a component's status is invalid": not (
                set(told.get("components", {}).values()) <= COMPONENT_STATUSES
            ),
        }
        return next((rule for rule, is_broken in broken.items() if is_broken), "")


def _json(status: int, body: Any) -> Response:
    return answer(status, json.dumps(body), {"Content-Type": "application/json"})


def _error(status: int, text: str) -> Response:
    return _json(status, {"error": text})
