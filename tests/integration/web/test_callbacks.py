"""PagerDuty tells back: who acknowledged there has acknowledged here, and nobody without the secret has."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from config.secrets import Secret
from daemon.clock import rfc3339
from daemon.detect.inbox import InboxSpec, PagerDutyInbox
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.store.store import Store
from tests.fakes.face import Face
from tests.fakes.scene import HOT, NOW

PATH = "/api/v1/callbacks/pagerduty"
SECRET, OLD = "pd-webhook-secret-0123456789", "pd-webhook-secret-of-last-year"
PERSON = {"id": "PLH1HKV", "summary": "Ana Silva", "type": "user_reference"}


@pytest.fixture(autouse=True)
def _configured(face: Face) -> None:
    face.inbox = InboxSpec(pagerduty=PagerDutyInbox(secret=(Secret(SECRET), Secret(OLD))))


def event(kind: str = "incident.acknowledged", key: str = f"fleetmend/{HOT}", **more: Any) -> dict[str, Any]:
    """As the vendor's documentation shows it."""
    return {
        "event": {
            "id": "01BTY5VDZ9RT7F5BVXFRR6XY3Q",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": "2026-01-05T09:00:00.000Z",
            "agent": PERSON,
            "client": None,
            "data": {"id": "PGR0VU2", "type": "incident", "incident_key": key, "status": "acknowledged"},
            **more,
        }
    }


def post(client: TestClient, body: Any, secret: str = SECRET, header: str | None = None) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "v1=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"X-PagerDuty-Signature": signature if header is None else header, "X-Webhook-Id": "w-1"}
    return client.post(PATH, content=raw, headers=headers).status_code


def test_an_acknowledgement_there_is_one_here(client: TestClient, face: Face) -> None:
    assert post(client, event()) == 200
    [order] = face.record.orders
    assert (order.kind, order.incident, order.who, order.via) == ("ack", HOT, "Ana Silva", "pagerduty")


def test_a_resolve_there_is_a_persons_word_and_says_so(client: TestClient, face: Face) -> None:
    assert post(client, event("incident.resolved")) == 200
    [order] = face.record.orders
    assert (order.kind, order.args["reason"]) == ("resolve", "resolved in PagerDuty by Ana Silva")


def test_either_of_two_secrets_counts_while_they_are_changed(client: TestClient, face: Face) -> None:
    assert post(client, event(), secret=OLD) == 200
    assert len(face.record.orders) == 1


@pytest.mark.parametrize("header", ["", "v1=", "v1=00", "v2=" + "0" * 64, "v1=\u00e9", None])
def test_without_a_signature_that_fits_nothing_is_taken(
    client: TestClient, face: Face, header: str | None
) -> None:
    assert (
        post(client, event(), secret="somebody-elses", header=header if header != "v1=\u00e9" else "v1=e9")
        == 401
    )
    assert face.record.orders == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (event(agent={"type": "integration_reference", "summary": "Fleetmend"}), "our own call came back"),
        (event(agent=None), "nobody did it"),
        (event("incident.triggered"), "it asks nothing of us"),
        (event("pagey.ping"), "a test of the subscription"),
        (event(key="fleetmend/sf-nobody"), "no incident of ours"),
        (event(key="other-tool/" + HOT), "another tool's incident"),
        (event(data={"incident_key": None}), "an incident without a key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_asks_nothing_of_us_is_taken_without_an_order(
    client: TestClient, face: Face, body: dict[str, Any], why: str
) -> None:
    """Three refusals in a row would switch the subscription off for a day."""
    assert post(client, body) == 200, why
    assert face.record.orders == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"event": 1}', b'{"event": {"event_type": "x"}}', b"\xff"]
)
def test_what_makes_no_sense_is_refused(client: TestClient, body: bytes) -> None:
    assert post(client, body) == 400


def test_what_cannot_be_kept_is_asked_for_again(client: TestClient, face: Face) -> None:
    face.record.raises = OSError("disk full")
    assert post(client, event()) == 503


def test_where_no_secret_is_configured_there_is_nothing_to_post_to(client: TestClient, face: Face) -> None:
    face.inbox = InboxSpec()
    assert post(client, event()) == 404


def test_a_hostile_name_is_one_bounded_line(client: TestClient, face: Face) -> None:
    agent = {**PERSON, "summary": "Ana\r\nX: <script>" + "x" * 5_000}
    assert post(client, event(agent=agent)) == 200
    [order] = face.record.orders
    assert "\n" not in order.who
    assert len(order.who) <= 100


def test_an_end_of_before_does_not_close_what_came_back_since(
    client: TestClient, face: Face, store: Store
) -> None:
    """PagerDuty signs no time: what is played back, or told late, is judged by when it happened."""
    came_back = Event(HOT, NOW - 60, Kind.RELAPSED, "Relapsed after verified recovery.", {})
    with store.write() as uow:
        uow.apply(Change(events=(came_back,)))
    assert post(client, event("incident.resolved", occurred_at=rfc3339(NOW - 61))) == 200
    assert face.record.orders == []
    assert post(client, event("incident.resolved", occurred_at=rfc3339(NOW - 59))) == 200
    assert len(face.record.orders) == 1


@pytest.mark.parametrize("at", [None, 5, "yesterday", "0001-01-01T00:00:00+23:59", "2026-01-05T09:00:00"])
def test_a_time_that_makes_no_sense_is_none(client: TestClient, face: Face, at: object) -> None:
    assert post(client, event(occurred_at=at)) == 200
    assert len(face.record.orders) == 1
