"""A strict Alert API v2 of Opsgenie: lengths, priorities and aliases as its documentation has them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from remediations.ports import PortError, Request, Response
from tests.fakes.ports import Scripted, answer

HOST = "https://api.opsgenie.com"
URL = f"{HOST}/v2/alerts"
KEY = "eb243592-faa2-4ba2-a551q-1afdf565c889"
_LENGTHS = {
    "message": 130,
    "alias": 512,
    "description": 15_000,
    "entity": 512,
    "source": 100,
    "user": 100,
    "note": 25_000,
}
_CREATES = {*_LENGTHS, "responders", "visibleTo", "actions", "tags", "details", "priority"}
_ABOUT = re.compile(r"/v2/alerts/([^/?]+)/(acknowledge|close)\?identifierType=alias")


@dataclass
class FakeOpsgenie(Scripted):
    """`calls`: (alias, what, body) of everything taken. `open`: aliases of open alerts, with how often each came."""

    script: list[Response | PortError] = field(default_factory=list)
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)

    def _take(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"GenieKey {KEY}":
            return answer(401, '{"message":"Could not authenticate"}')
        try:
            body = json.loads((request.body or b"").decode("utf-8"))
        except ValueError:
            return answer(400, '{"message":"Body is not processable"}')
        path = request.url.removeprefix(HOST)
        found = _ABOUT.fullmatch(path)
        problems = problems_of(body, creates=found is None)
        if found is None and path != "/v2/alerts":
            return answer(404, '{"message":"No such endpoint"}')
        if problems:
            return answer(422, json.dumps({"message": "; ".join(problems)}))
        alias, what = (unquote(found[1]), found[2]) if found else (body.get("alias", ""), "create")
        self.calls.append((alias, what, body))
        if what == "create":
            self.open[alias] = self.open.get(alias, 0) + 1
        elif what == "close":
            self.open.pop(alias, None)
        return answer(202, '{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c"}')


def problems_of(body: Any, *, creates: bool) -> list[str]:
    """What of the documented rules is broken."""
    known = _CREATES if creates else {"user", "source", "note"}
    problems = [f"unknown field {name}" for name in body.keys() - known]
    problems += [f"{name} is too long" for name, most in _LENGTHS.items() if len(body.get(name, "")) > most]
    if creates and not body.get("message"):
        problems.append("message can not be empty")
    if creates and not body.get("alias"):
        problems.append("without an alias every repeat is an alert of its own")
    if body.get("priority", "P3") not in {"P1", "P2", "P3", "P4", "P5"}:
        problems.append("priority should be one of P1 to P5")
    if len(body.get("tags", [])) > 20 or any(len(tag) > 50 for tag in body.get("tags", [])):
        problems.append("tags are out of bounds")
    return problems
