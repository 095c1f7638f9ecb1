"""Logging in and ordering from the console: whose form it is, whose cookie, and what is recorded."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from daemon.incidents.change import Change
from daemon.incidents.records import DebtState
from daemon.store.store import Store
from daemon.web.sessions import COOKIE
from tests.fakes import rows
from tests.fakes.face import TOKENS, Face, tokens
from tests.fakes.scene import HOT, MENDED
from tests.integration.web.conftest import bearing, hidden, log_in

ACK = {"incident": HOT, "back": f"/incidents/{HOT}"}


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(client: TestClient) -> None:
    form = client.get("/login")
    answer = client.post("/login", data={"csrf": hidden(form.text), "token": TOKENS["operator"]})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie, "plain HTTP on loopback"
    assert TOKENS["operator"] not in answer.headers["set-cookie"]


def test_behind_a_public_https_address_the_cookie_is_secure(face: Face, client: TestClient) -> None:
    face.public_url = "https://127.0.0.1:9876"
    assert "secure" in client.get("/login").headers["set-cookie"].lower()


def test_the_session_of_the_login_form_is_not_the_one_after_it(client: TestClient) -> None:
    before = client.get("/login").cookies[COOKIE]
    log_in(client, "viewer")
    assert client.cookies[COOKIE] != before


def test_a_wrong_token_logs_nobody_in(client: TestClient) -> None:
    form = client.get("/login")
    answer = client.post("/login", data={"csrf": hidden(form.text), "token": "fm_guess"})
    assert answer.status_code == 403
    assert "fm_guess" not in answer.text
    assert client.get("/").status_code == 303


def test_an_order_is_recorded_with_who_gave_it_and_leads_back(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    answer = client.post("/orders/ack", data={**ACK, "csrf": csrf})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/incidents/{HOT}?taken=")
    (order,) = face.record.orders
    assert (order.kind, order.who, order.via, order.incident) == ("ack", "operator", "console", HOT)
    page = client.get(answer.headers["location"]).text
    assert "Recorded: ack by operator" in page


@pytest.mark.parametrize(
    ("csrf", "headers", "why"),
    [
        ("", {}, "no form token"),
        ("0" * 64, {}, "a made-up form token"),
        ("ünïcode", {}, "letters no token has"),
        (None, {"Origin": "http://evil.example"}, "sent by another site"),
        (None, {"Origin": "null"}, "sent by a page without an address"),
        (None, {"Sec-Fetch-Site": "cross-site"}, "the browser says another site"),
        (None, {"Sec-Fetch-Site": "same-site"}, "a neighbour under the same domain is another site too"),
    ],
)
def test_a_form_that_is_not_ours_orders_nothing(
    face: Face, client: TestClient, csrf: str | None, headers: dict[str, str], why: str
) -> None:
    right = log_in(client, "operator")
    answer = client.post(
        "/orders/ack", data={**ACK, "csrf": right if csrf is None else csrf}, headers=headers
    )
    assert answer.status_code == 403, why
    assert face.record.orders == [], why


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://127.0.0.1:9876"}, {"Sec-Fetch-Site": "same-origin"}]
)
def test_a_form_of_ours_is_taken(client: TestClient, headers: dict[str, str]) -> None:
    csrf = log_in(client, "operator")
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}, headers=headers).status_code == 303


def test_behind_a_proxy_the_public_address_is_ours(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    face.public_url = "https://fleet.example.org"
    headers = {"Origin": "https://fleet.example.org"}
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}, headers=headers).status_code == 303


def test_the_form_token_of_another_login_does_not_fit(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    client.cookies.clear()
    log_in(client, "operator")
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 403
    assert face.record.orders == []


def test_a_bearer_token_is_no_form(face: Face, client: TestClient) -> None:
    assert client.post("/orders/ack", data=ACK, headers=bearing("operator")).status_code == 403
    assert face.record.orders == []


def test_a_cookie_is_no_bearer_token(face: Face, client: TestClient) -> None:
    log_in(client, "operator")
    assert client.post(f"/api/v1/incidents/{HOT}/ack", json={}).status_code == 401
    assert client.get("/api/v1/status").status_code == 200, "reading is another matter"
    assert face.record.orders == []


def test_a_viewer_sees_what_could_be_ordered_and_orders_nothing(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "viewer")
    page = client.get(f"/incidents/{HOT}").text
    assert 'action="/orders/' not in page
    assert f"fleetmend escalate {HOT}" in page
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 403
    assert face.record.orders == []


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "x" * 5000, "eyJ.x", "%00"])
def test_a_cookie_that_we_did_not_sign_is_nobody(client: TestClient, cookie: str) -> None:
    client.cookies.set(COOKIE, cookie)
    assert client.get("/").status_code == 303


def test_a_login_ends_with_its_time_its_token_and_its_logout(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    kept = client.cookies[COOKIE]
    face.clock.at += 43_201
    assert client.get("/").status_code == 303, "after its time"
    face.clock.at -= 43_201
    assert client.get("/").status_code == 200
    face.tokens = tokens(["viewer"])
    assert client.get("/").status_code == 303, "its token was taken away"
    face.tokens = tokens()
    assert client.post("/logout", data={"csrf": csrf}).status_code == 303
    assert COOKIE not in client.cookies
    assert kept


def test_rotating_the_key_sends_nobody_home_and_dropping_it_does(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    old = face.keys[0]
    face.keys = [b"second-key-second-key-second-key", old]
    assert client.post("/orders/ack", data={**ACK, "csrf": csrf}).status_code == 303
    face.keys = [b"second-key-second-key-second-key"]
    assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    ("back", "goes"),
    [
        ("/debts", "/debts"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_a_form_leads_back_to_this_console_only(client: TestClient, back: str, goes: str) -> None:
    csrf = log_in(client, "operator")
    answer = client.post("/orders/ack", data={"incident": HOT, "csrf": csrf, "back": back})
    assert answer.headers["location"].split("?")[0] == goes


@pytest.mark.parametrize(
    ("kind", "data", "status", "why"),
    [
        ("dance", {}, 404, "no such order"),
        ("extend", {"incident": HOT}, 422, "it needs a reason and a length"),
        ("ack", {"incident": "sf-nobody"}, 404, "no such incident"),
        ("ack", {"incident": HOT, "rung": "x"}, 422, "ack takes no rung"),
        ("reload", {}, 403, "an admin's"),
        ("resolve", {"incident": HOT}, 422, "it still fires: a reason is needed"),
    ],
)
def test_an_order_that_makes_no_sense_says_why(
    face: Face, client: TestClient, kind: str, data: dict[str, str], status: int, why: str
) -> None:
    csrf = log_in(client, "operator")
    answer = client.post(f"/orders/{kind}", data={**data, "csrf": csrf}, headers={"Accept": "text/html"})
    assert answer.status_code == status, why
    assert answer.headers["content-type"].startswith("text/html")
    assert face.record.orders == []


def test_a_form_larger_than_its_bound_is_refused_unread(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    answer = client.post("/orders/note", data={"incident": HOT, "csrf": csrf, "text": "x" * 100_000})
    assert answer.status_code == 413
    assert face.record.orders == []


def test_a_store_that_cannot_keep_the_order_says_so(face: Face, client: TestClient) -> None:
    csrf = log_in(client, "operator")
    face.record.fails = OSError("disk full")
    answer = client.post("/orders/ack", data={**ACK, "csrf": csrf}, headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "not recorded" in answer.text


@pytest.mark.parametrize("path", ["/debts", f"/incidents/{MENDED}"])
def test_a_return_that_asks_is_approved_where_it_is_shown(
    face: Face, store: Store, client: TestClient, path: str
) -> None:
    debt = rows.debt("debt-asks", incident=MENDED, rung="roll-back-mapping", state=DebtState.PROPOSED)
    with store.write() as uow:
        uow.apply(Change(debts=(debt,)))
    log_in(client, "operator")
    page = client.get(path).text
    form = page.split('action="/orders/approve"', 1)[1].split("</form>", 1)[0]
    assert f"fleetmend approve {MENDED} --rung roll-back-mapping" in form
    data = {name: hidden(form, name) for name in ("csrf", "back", "incident", "rung")}
    answer = client.post("/orders/approve", data=data)
    assert answer.headers["location"].split("?")[0] == path
    (order,) = face.record.orders
    assert (order.kind, order.incident, order.args["rung"]) == ("approve", MENDED, "roll-back-mapping")


def test_only_a_return_that_asks_is_offered(client: TestClient) -> None:
    log_in(client, "operator")
    page = client.get("/debts").text
    assert "Give back open-breaker" in page, "it was proposed"
    assert "Give back fail-over-to-replica" not in page, "it is not due yet"
