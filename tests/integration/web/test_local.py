"""Ordering without a token: only where it is configured, only by a browser on this machine, only by forms of ours."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from daemon.desk.tokens import NAMED
from daemon.web.access import LOCAL
from daemon.web.sessions import COOKIE
from tests.fakes.face import Face, tokens
from tests.fakes.scene import HOT
from tests.integration.web.conftest import HOME, bearing, hidden
from tests.integration.web.test_roles import NEEDS, OPERATOR, VIEWER, Endpoint, ask

ACK = {"incident": HOT, "back": f"/incidents/{HOT}"}
WHEEL = "Take the wheel"


@pytest.fixture
def face(face: Face) -> Face:
    """The demo's console: no token, and a browser on this machine may order."""
    face.tokens = tokens([])
    face.local_operator = True
    return face


def take_the_wheel(client: TestClient) -> str:
    """As a person would: the button, then any page; the form token of the session."""
    form = client.get("/login")
    answer = client.post("/login", data={"csrf": hidden(form.text), "back": "/"})
    assert answer.status_code == 303, answer.text
    return hidden(client.get("/").text)


def test_one_button_stands_between_reading_and_ordering(face: Face, client: TestClient) -> None:
    page = client.get(f"/incidents/{HOT}").text
    assert WHEEL in page
    assert f"/login?back=/incidents/{HOT}" in page
    assert "/orders/" not in page
    csrf = take_the_wheel(client)
    page = client.get(f"/incidents/{HOT}").text
    assert WHEEL not in page
    assert 'action="/orders/escalate"' in page
    answer = client.post("/orders/ack", data={**ACK, "csrf": csrf}, headers={"Origin": HOME})
    assert answer.status_code == 303
    assert [(o.kind, o.who, o.via) for o in face.record.orders] == [("ack", LOCAL.name, "console")]


def test_the_cookie_is_the_one_of_every_login(client: TestClient) -> None:
    before = client.get("/login").cookies[COOKIE]
    form = client.get("/login")
    cookie = client.post("/login", data={"csrf": hidden(form.text)}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert before.lower() not in cookie


@pytest.mark.parametrize(
    ("base", "peer", "headers", "why"),
    [
        (HOME, "192.0.2.7", {}, "another machine"),
        ("http://rebound.example.org", "127.0.0.1", {}, "a page of another site whose name now leads here"),
        (HOME, "127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, "a proxy on this machine passes it on"),
        (HOME, "127.0.0.1", {"Forwarded": "for=192.0.2.7"}, "a proxy that says so by the standard"),
        (HOME, "127.0.0.1", {"X-Real-IP": "127.0.0.1"}, "whatever the proxy says of whom"),
    ],
)
def test_nobody_else_reads_logs_in_or_uses_the_session(
    face: Face, client: TestClient, base: str, peer: str, headers: dict[str, str], why: str
) -> None:
    csrf = take_the_wheel(client)
    other = TestClient(face.app, base_url=base, client=(peer, 50000), follow_redirects=False, headers=headers)
    form = other.get("/login")
    assert WHEEL not in form.text, why
    tried = other.post("/login", data={"csrf": csrf, "token": ""})
    assert tried.status_code == 403, why
    other.cookies.clear()
    other.cookies.set(COOKIE, client.cookies[COOKIE])
    assert other.get("/").status_code == 303, why
    assert other.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 303, why
    assert face.record.orders == [], why


@pytest.mark.parametrize(
    ("csrf", "headers", "why"),
    [
        ("", {}, "no form token"),
        ("0" * 64, {}, "a made-up form token"),
        (None, {"Origin": "http://evil.example"}, "sent by another site"),
        (None, {"Origin": "http://127.0.0.1:8080"}, "sent by another program's page on this machine"),
        (None, {"Origin": "null"}, "sent by a page without an address"),
        (None, {"Sec-Fetch-Site": "cross-site"}, "the browser says another site"),
        (None, {"Sec-Fetch-Site": "same-site"}, "another port of this machine is another site too"),
    ],
)
@pytest.mark.parametrize("path", ["/login", "/orders/ack", "/logout"])
def test_a_form_that_is_not_ours_does_nothing(
    face: Face, client: TestClient, path: str, csrf: str | None, headers: dict[str, str], why: str
) -> None:
    right = take_the_wheel(client)
    before = client.cookies[COOKIE]
    data = {**(ACK if "ack" in path else {}), "csrf": right if csrf is None else csrf}
    assert client.post(path, data=data, headers=headers).status_code == 403, why
    assert face.record.orders == [], why
    assert client.cookies[COOKIE] == before, why


def test_a_browser_that_never_saw_the_button_takes_no_wheel(client: TestClient) -> None:
    assert client.post("/login", data={}).status_code == 403
    assert COOKIE not in client.cookies


def test_looking_gives_nobody_the_wheel(face: Face, client: TestClient) -> None:
    for path in ("/", "/login", f"/incidents/{HOT}", "/debts"):
        assert client.get(path).status_code == 200
    csrf = hidden(client.get("/login").text)
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 403
    assert face.record.orders == []


def test_programs_still_order_by_token_only(face: Face, client: TestClient) -> None:
    take_the_wheel(client)
    for (method, path), least in sorted(NEEDS.items()):
        if path == "/events" or least in {"anyone", "session", "sender"}:
            continue
        wanted = 200 if least == VIEWER else 401
        assert ask(client, Endpoint(method, path, least), {}) == wanted, f"{method} {path}"
    assert face.record.orders == []
    assert OPERATOR in NEEDS.values()


def test_it_is_no_admin(face: Face, client: TestClient) -> None:
    csrf = take_the_wheel(client)
    assert client.post("/orders/reload", data={"csrf": csrf}).status_code == 403
    assert face.reloads == 0


def test_it_ends_with_the_key_and_with_the_first_token(face: Face, client: TestClient) -> None:
    csrf = take_the_wheel(client)
    face.local_operator = False
    assert 'action="/orders/' not in client.get("/").text, "a reload took the key away"
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 403
    face.local_operator = True
    face.tokens = tokens(["operator"])
    assert client.get("/").status_code == 303, "tokens are configured now: they decide"
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 303
    assert WHEEL not in client.get("/login").text
    assert client.get("/", headers=bearing("operator")).status_code == 200
    assert face.record.orders == []


def test_without_the_key_there_is_no_such_button(face: Face, client: TestClient) -> None:
    face.local_operator = False
    assert WHEEL not in client.get("/").text
    form = client.get("/login")
    assert WHEEL not in form.text
    assert client.get("/debts").status_code == 200


def test_no_token_can_be_named_like_it() -> None:
    assert not re.fullmatch(NAMED, LOCAL.name)
