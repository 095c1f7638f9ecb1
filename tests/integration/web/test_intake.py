"""Alerts from outside: rows first, then 200; 503 when they cannot be kept; 400 with the body kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from config.secrets import Environment
from daemon.detect.inbox import MAX_ALERTS
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.webhook import Webhook
from daemon.escalate.message import Message, ReceiptKind
from daemon.incidents.records import PageEvent
from daemon.store.store import Store
from remediations.ports import Request, Response
from tests.fakes.face import INBOX, Face
from tests.fakes.ports import FakeClock, FakeHttp

PATHS = ("/api/v2/alerts", "/api/v1/inbox/alertmanager")
HEADERS = {"Authorization": f"Bearer {INBOX}"}
ALERT = {
    "status": "firing",
    "labels": {"alertname": "StorageWriteErrors", "tier": "hot"},
    "annotations": {"summary": "writes fail"},
    "startsAt": "2026-01-05T03:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "aabbccdd",
}
WEBHOOK = {"version": "4", "groupKey": "g", "status": "firing", "receiver": "r", "alerts": [ALERT]}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [WEBHOOK, [ALERT]], ids=["webhook", "api v2"])
def test_an_alert_is_on_disk_when_200_is_said(store: Store, client: TestClient, path: str, body: Any) -> None:
    answer = client.post(path, json=body, headers=HEADERS)
    assert (answer.status_code, answer.json()["status"]) == (200, "success")
    with store.read() as uow:
        (alert,) = uow.inbox.new_alerts()
    assert (alert.fingerprint, alert.status, alert.labels["tier"]) == ("aabbccdd", "firing", "hot")


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ({"raises": RuntimeError("backlog full")}, "the recorder takes no more"),
        ({"fails": OSError("disk full")}, "the commit failed"),
        ({"hangs": True}, "the commit does not come back"),
    ],
)
def test_what_cannot_be_kept_is_503_so_that_the_sender_tries_again(
    store: Store, trouble: dict[str, Any], why: str
) -> None:
    face = Face(store, record_within=0.05)
    for name, value in trouble.items():
        setattr(face.record, name, value)
    with TestClient(face.app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        answer = client.post(PATHS[0], json=[ALERT], headers=HEADERS)
    assert answer.status_code == 503, why
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    with store.read() as uow:
        assert uow.inbox.new_alerts() == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"42",
        b'{"alerts": 3}',
        b'[{"labels": {}}]',
        b"\xff\xfe\x00",
        b'[{"labels": {"a": 1}}]',
    ],
)
def test_a_malformed_body_is_400_and_kept(store: Store, client: TestClient, body: bytes) -> None:
    answer = client.post(PATHS[1], content=body, headers=HEADERS)
    assert answer.status_code == 400
    with store.read() as uow:
        (letter,) = uow.inbox.new_alerts()
    assert letter.status == "malformed", "it fires nothing"
    assert "error" in letter.annotations
    if body.isascii():
        assert letter.annotations["body"].replace(" ", "") in body.decode().replace(" ", "")


def test_a_malformed_body_that_cannot_be_kept_is_503(face: Face, client: TestClient) -> None:
    face.record.fails = OSError("disk full")
    assert client.post(PATHS[0], content=b"{", headers=HEADERS).status_code == 503


def test_alerts_that_the_sender_cut_off_are_told_of(store: Store, client: TestClient) -> None:
    client.post(PATHS[1], json={**WEBHOOK, "truncatedAlerts": 7}, headers=HEADERS)
    with store.read() as uow:
        (alert,) = uow.inbox.new_alerts()
    assert alert.annotations["hidden"].startswith("7 more alerts")


def test_our_own_echo_is_taken_and_dropped(store: Store, client: TestClient) -> None:
    echo = {"labels": {"alertname": "X", "fleetmend_incident": "sf-4k7q2m"}}
    assert client.post(PATHS[0], json=[echo], headers=HEADERS).status_code == 200
    with store.read() as uow:
        assert uow.inbox.new_alerts() == ()


def test_a_page_that_comes_back_to_us_is_refused_and_fires_nothing(store: Store, client: TestClient) -> None:
    """The sender's side hears that it was refused, and takes the next channel."""

    def round_trip(request: Request) -> Response:
        came = client.post("/api/v2/alerts", content=request.body, headers={**HEADERS, **request.headers})
        return Response(came.status_code, {}, came.content, 0.0)

    settings = {"url": "http://127.0.0.1/api/v2/alerts", "secret": {"env": "S"}}
    context = Environment({"S": "whsec_" + "QUFB" * 8}).context
    doors = Doors(FakeHttp().on("POST", settings["url"], round_trip), FakeClock(), lambda text: text)
    webhook = Webhook()
    spec = webhook.spec.model_validate(webhook.normal(settings), context=context)
    message = Message("k", "d", "sf-1", PageEvent.TRIGGER, "critical", 1, "[CRIT L1] down", at=1.0)
    receipt = webhook.send(message, spec, Shared(), doors, 1e9, short=False)
    assert receipt.kind is ReceiptKind.PERMANENT
    assert "our own output" in receipt.detail
    with store.read() as uow:
        assert uow.inbox.new_alerts() == ()


def test_a_body_over_its_bound_is_refused_before_it_is_read(face: Face, store: Store) -> None:
    small = Face(store, intake=10_000)
    with TestClient(small.app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        told = client.post(PATHS[0], content=b"x" * 10_001, headers=HEADERS)
        untold = client.post(PATHS[0], content=iter([b"x" * 6_000] * 3), headers=HEADERS)
    assert (told.status_code, untold.status_code) == (413, 413)
    assert small.record.alerts == []


def test_a_wrong_token_is_refused_without_reading_the_body(face: Face, client: TestClient) -> None:
    answer = client.post(PATHS[0], content=b"{", headers={"Authorization": "Bearer nobody"})
    assert answer.status_code == 401
    assert face.record.alerts == []


def test_a_great_many_alerts_at_once_are_one_submission(face: Face, client: TestClient) -> None:
    alerts = [{"labels": {"alertname": "X", "n": str(number)}} for number in range(MAX_ALERTS)]
    assert client.post(PATHS[0], json=alerts, headers=HEADERS).status_code == 200
    assert len(face.record.alerts) == MAX_ALERTS
    one_more = json.dumps([*alerts, alerts[0]])
    assert client.post(PATHS[0], content=one_more, headers=HEADERS).status_code == 200
    assert face.record.alerts[-1].annotations["hidden"].startswith("1 more alerts")


def test_an_odd_alert_does_not_take_the_good_ones_with_it(face: Face, client: TestClient) -> None:
    good, odd = {"labels": {"alertname": "X"}}, {"labels": {"alertname": "x" * 1001}}
    answer = client.post(PATHS[0], json=[good, odd, {"labels": 3}], headers=HEADERS)
    assert (answer.status_code, answer.json()["alerts"]) == (200, 1)
    kept = face.record.alerts
    assert [row.status for row in kept] == ["firing", "malformed", "malformed"]
    assert "too long" in kept[1].annotations["error"]
    assert len(kept[1].annotations["body"]) <= 4_000


def test_a_body_of_odd_alerts_alone_is_refused_and_kept(face: Face, client: TestClient) -> None:
    answer = client.post(PATHS[0], json=[{"labels": {}}], headers=HEADERS)
    assert answer.status_code == 400
    assert [row.status for row in face.record.alerts] == ["malformed"]


def test_an_odd_alert_nested_deeper_than_can_be_written_does_not_take_the_good_one_with_it(
    store: Store, client: TestClient
) -> None:
    deep = b"[" * 600 + b"]" * 600
    for odd in (b'{"labels":' + deep + b"}", deep, b'{"labels":{"a":"b"},"annotations":' + deep + b"}"):
        body = b'[{"labels":{"alertname":"Good"}},' + odd + b"]"
        assert client.post(PATHS[0], content=body, headers=HEADERS).status_code == 200
    with store.read() as uow:
        alerts = uow.inbox.new_alerts()
    assert sum(alert.labels.get("alertname") == "Good" for alert in alerts) == 3
    assert sum(alert.status == "malformed" for alert in alerts) == 3
