"""Who may do what: every role at every endpoint, and no endpoint that the table does not know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from daemon.desk.orders import RULES
from daemon.store.store import Store
from daemon.web.app import ROUTERS
from tests.fakes.face import INBOX, Face, tokens
from tests.fakes.scene import DRILLED, HOT
from tests.integration.web.conftest import HOME, bearing

ANYONE, VIEWER, OPERATOR, ADMIN, SENDER, SESSION = (
    "anyone",
    "viewer",
    "operator",
    "admin",
    "sender",
    "session",
)
RANKS = [ANYONE, VIEWER, OPERATOR, ADMIN]
READS = (
    "status", "incidents", "incidents/{incident_id}", "incidents/{incident_id}/explain", "explain",
    "incidents/{incident_id}/postmortem", "detectors", "playbooks", "pages", "debts", "config", "oncall", "oncall.ics", "pauses",
    "silences", "maintenance", "report", "drills", "drills/{drill_id}",
)  # fmt: skip
PAGES = (
    "/", "/incidents/{incident_id}", "/incidents/{incident_id}/postmortem", "/detectors", "/playbooks", "/pages",
    "/debts", "/history", "/config", "/events",
)  # fmt: skip
NEEDS: dict[tuple[str, str], str] = {
    **{("GET", f"/api/v1/{path}"): VIEWER for path in READS},
    **{("GET", path): VIEWER for path in PAGES},
    **{
        ("POST", f"/api/v1/incidents/{{incident_id}}/{kind}"): OPERATOR
        for kind, rule in RULES.items()
        if rule.about_incident
    },
    **{
        (method, f"/api/v1/{path}"): OPERATOR
        for method in ("POST", "DELETE")
        for path in ("pauses", "silences", "maintenance")
    },
    **{("POST", f"/api/v1/{path}"): OPERATOR for path in ("unlock", "changes", "pages/test", "drills")},
    ("POST", "/api/v2/alerts"): SENDER,
    ("POST", "/api/v1/inbox/alertmanager"): SENDER,
    ("POST", "/api/v1/callbacks/pagerduty"): SENDER,
    ("POST", "/api/v1/callbacks/slack"): SENDER,
    **{
        ("POST", f"/api/v1/callbacks/twilio/{path}"): SENDER
        for path in ("text", "digit/{token}", "status/{spelled}")
    },
    ("POST", "/-/reload"): ADMIN,
    **{
        ("GET", path): ANYONE
        for path in ("/-/healthy", "/-/ready", "/metrics", "/login", "/a/{token}", "/oncall/{token}.ics")
    },
    **{("POST", path): SESSION for path in ("/login", "/logout", "/orders/{kind}")},
    **{(method, "/a/{token}"): ANYONE for method in ("HEAD", "POST")},
}
"""Least role by method and path; a session is a logged-in browser with the right form token."""
BODIES: dict[str, Any] = {
    "extend": {"reason": "looking", "for": "30m"},
    "resolve": {"reason": "known"},
    "handoff": {"to": "ana"},
    "note": {"text": "hello"},
    "verdict": {"verdict": "real"},
    "pauses": {"reason": "x", "for": "1h"},
    "silences": {"reason": "x", "for": "1h", "scope": "tier=hot"},
    "maintenance": {"reason": "x", "for": "1h"},
    "unlock": {"target": "db", "reason": "x"},
    "changes": {"what": "deployed"},
    "drills": {"playbook": "storage-hot"},
    "test": {"person": "ana"},
}
PARAMS = {"/api/v1/explain": {"target": "hot"}}


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    least: str


def routes() -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


def test_the_table_knows_every_route_and_no_other() -> None:
    assert routes() == set(NEEDS)


def ask(client: TestClient, end: Endpoint, headers: dict[str, str]) -> int:
    path = end.path.format(incident_id=HOT, token="no-link", kind="pause", drill_id=DRILLED)
    body = BODIES.get(path.rsplit("/", 1)[-1], {}) if end.method in {"POST", "DELETE"} else None
    if end.method == "DELETE":
        body = {}
    return client.request(end.method, path, json=body, headers=headers, params=PARAMS.get(path)).status_code


@pytest.mark.parametrize("role", RANKS)
def test_each_role_may_what_its_rank_allows_at_every_endpoint(client: TestClient, role: str) -> None:
    headers = {} if role == ANYONE else bearing(role)
    told = {
        f"{method} {path}": ask(client, Endpoint(method, path, least), headers)
        for (method, path), least in sorted(NEEDS.items())
        if least in RANKS and path != "/events"
    }
    assert {end: status for end, status in told.items() if status not in expected(end, role)} == {}


def expected(end: str, role: str) -> set[int]:
    method, path = end.split(" ", 1)
    least = NEEDS[method, path]
    if "/a/" in path:
        return {403}  # no link of ours, whoever asks
    if "{token}.ics" in path:
        return {404}  # no calendar behind it, whoever asks
    if RANKS.index(role) >= RANKS.index(least):
        return {200, 202}
    if role != ANYONE:
        return {403}
    return {401} if path.startswith(("/api/", "/-/")) else {303}  # a browser is sent to the login


@pytest.mark.parametrize("path", ["/api/v2/alerts", "/api/v1/inbox/alertmanager"])
@pytest.mark.parametrize(
    ("token", "status", "why"),
    [
        (INBOX, 200, "the inbox's own token"),
        ("operator", 200, "an operator may send"),
        ("viewer", 401, "a viewer may not"),
        ("wrong-token", 401, "nobody's token"),
        (None, 401, "no token where one is configured"),
    ],
)
def test_alerts_take_the_token_of_the_inbox(
    client: TestClient, path: str, token: str | None, status: int, why: str
) -> None:
    headers = bearing(token) if token in {"operator", "viewer"} else {"Authorization": f"Bearer {token}"}
    answer = client.post(path, json=[{"labels": {"alertname": "X"}}], headers=headers if token else {})
    assert answer.status_code == status, why


def test_an_event_stream_takes_a_viewer(client: TestClient) -> None:
    assert client.get("/events").status_code == 401


@pytest.mark.parametrize("token", ["", "fm_nobodys", "x" * 5000, "\xff\xfe"])
def test_a_wrong_token_is_worth_nothing_even_on_this_machine(
    face: Face, client: TestClient, token: str
) -> None:
    face.tokens = tokens([])
    header = (b"Authorization", f"Bearer {token}".encode("latin-1"))
    assert client.get("/api/v1/status", headers=[header]).status_code == 401


@pytest.mark.parametrize(
    ("base", "peer", "status", "why"),
    [
        (HOME, "127.0.0.1", 200, "this machine, by number"),
        ("http://localhost:9876", "127.0.0.1", 200, "this machine, by name"),
        ("http://[::1]:9876", "::1", 200, "this machine, IPv6"),
        (HOME, "192.0.2.7", 401, "another machine"),
        ("http://rebound.example.org", "127.0.0.1", 401, "a page of another site whose name now leads here"),
    ],
)
def test_without_tokens_only_this_machine_reads_and_nobody_orders(
    face: Face, base: str, peer: str, status: int, why: str
) -> None:
    face.tokens = tokens([])
    client = TestClient(face.app, base_url=base, client=(peer, 50000), follow_redirects=False)
    assert client.get("/api/v1/status").status_code == status, why
    assert client.get("/").status_code == (200 if status == 200 else 303), why
    assert client.post(f"/api/v1/incidents/{HOT}/ack", json={}).status_code == 401, why
    assert face.record.orders == []


def test_without_an_inbox_token_programs_of_this_machine_send_but_no_web_page_does(
    face: Face, client: TestClient
) -> None:
    face.inbox = face.inbox.model_copy(
        update={"alertmanager": face.inbox.alertmanager.model_copy(update={"token": None})}
    )
    body = [{"labels": {"alertname": "X"}}]
    assert client.post("/api/v2/alerts", json=body).status_code == 200
    assert (
        client.post("/api/v2/alerts", json=body, headers={"Origin": "http://evil.example"}).status_code == 401
    )
    far = TestClient(face.app, base_url=HOME, client=("192.0.2.7", 50000))
    assert far.post("/api/v2/alerts", json=body).status_code == 401


def test_a_role_that_was_taken_away_is_gone_at_once(face: Face, client: TestClient) -> None:
    assert client.get("/api/v1/status", headers=bearing("viewer")).status_code == 200
    face.tokens = tokens(["operator"])
    assert client.get("/api/v1/status", headers=bearing("viewer")).status_code == 401


def test_a_snapshot_may_be_missing_anywhere(face: Face, client: TestClient) -> None:
    face.live = None
    for method, path in sorted(NEEDS):
        if method == "GET" and path not in {"/events", "/a/{token}", "/oncall/{token}.ics"}:
            asked = Endpoint(method, path, VIEWER)
            assert ask(client, asked, bearing("viewer")) == 200, path


def test_a_sick_store_is_said_and_the_process_still_healthy(
    client: TestClient, store: Store, place: Path
) -> None:
    store.close()
    for file in place.parent.glob("state.db*"):
        file.write_bytes(b"this is no database " * 1000)
    answer = client.get("/api/v1/status", headers=bearing("viewer"))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    page = client.get("/", headers={**bearing("viewer"), "Accept": "text/html"})
    assert page.status_code == 503
    assert "<h1>Service Unavailable</h1>" in page.text
    assert client.get("/-/healthy").status_code == 200
