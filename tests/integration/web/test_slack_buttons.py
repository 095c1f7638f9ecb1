"""Slack tells back: who pressed a button there did here what stands on it, once, and nobody without the secret has."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from config.secrets import Environment
from daemon.escalate.channels.shared import Shared
from daemon.web import slack_buttons
from daemon.web.sessions import LINK_HOLDS, Sessions
from tests.fakes.face import Face
from tests.fakes.ports import answer
from tests.fakes.scene import HOT, MENDED, NOW

PATH = "/api/v1/callbacks/slack"
SECRET, OLD = "8f742231b10e8888abcd99yyyzzz85a5", "a-signing-secret-of-last-year"
USER, STRANGER = "U024BE7LHRT", "U0STRANGER1"
ANSWER_AT = "https://hooks.slack.com/actions/T0123/4567/abcdef"


@pytest.fixture(autouse=True)
def _configured(face: Face) -> None:
    app = {"token": {"env": "T"}, "signing_secret": [{"env": "S"}, {"env": "O"}], "users": {USER: "ana"}}
    context = Environment({"T": "xoxb-1", "S": SECRET, "O": OLD}).context
    face.shared = Shared.model_validate({"slack": app}, context=context)
    face.http.on("POST", "https://hooks.slack.com/", answer(200, "ok"))


def token(face: Face, incident: str = HOT, level: int = 1, at: float = NOW) -> str:
    return Sessions(lambda: face.keys).link(incident, "ops-channel", level, at)


def press(face: Face, action: str = "fleetmend-ack", **more: Any) -> dict[str, Any]:
    """As the vendor's documentation shows it."""
    return {
        "type": "block_actions",
        "user": {"id": USER, "username": "ana", "team_id": "T0123"},
        "api_app_id": "A0123",
        "container": {"type": "message", "message_ts": "1767600001.000100", "channel_id": "C0123456789"},
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "channel": {"id": "C0123456789", "name": "incidents"},
        "response_url": ANSWER_AT,
        "actions": [{"type": "button", "action_id": action, "value": token(face), "action_ts": "1.2"}],
        **more,
    }


def act(face: Face, action: str, value: str) -> dict[str, Any]:
    return press(face, actions=[{"type": "button", "action_id": action, "value": value}])


def post(client: TestClient, payload: Any, secret: str = SECRET, at: float = NOW, **headers: str) -> Response:
    body = payload if isinstance(payload, bytes) else urlencode({"payload": json.dumps(payload)}).encode()
    signature = hmac.new(secret.encode(), f"v0:{at:.0f}:".encode() + body, hashlib.sha256).hexdigest()
    sent = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": f"{at:.0f}",
        "X-Slack-Signature": f"v0={signature}",
    }
    return client.post(PATH, content=body, headers=sent | headers)


def told(face: Face) -> list[str]:
    """What those who pressed were told, and nobody else."""
    bodies = [json.loads(request.body or b"") for request in face.http.sent("POST")]
    assert all(body["response_type"] == "ephemeral" and not body["replace_original"] for body in bodies)
    return [body["text"] for body in bodies]


@pytest.mark.parametrize(("action", "kind"), [("fleetmend-ack", "ack"), ("fleetmend-escalate", "escalate")])
def test_a_press_is_an_order_by_the_person_whose_slack_user_it_is(
    client: TestClient, face: Face, action: str, kind: str
) -> None:
    assert post(client, press(face, action)).status_code == 200
    [order] = face.record.orders
    assert (order.kind, order.incident, order.who, order.via) == (kind, HOT, "ana", "slack")
    assert told(face) == [f"Taken: {kind} of {HOT} by ana."]


def test_either_of_two_secrets_counts_while_they_are_changed(client: TestClient, face: Face) -> None:
    assert post(client, press(face), secret=OLD).status_code == 200
    assert len(face.record.orders) == 1


@pytest.mark.parametrize("header", ["", "v0=", "v0=00", "v1=" + "0" * 64, "0" * 64, "v0=" + "0" * 64])
def test_without_a_signature_that_fits_nothing_is_taken(client: TestClient, face: Face, header: str) -> None:
    assert post(client, press(face), **{"X-Slack-Signature": header}).status_code == 401
    assert post(client, press(face), secret="somebody-elses").status_code == 401
    assert face.record.orders == []


@pytest.mark.parametrize(("age", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401)])
def test_a_signature_holds_for_five_minutes(client: TestClient, face: Face, age: float, status: int) -> None:
    assert post(client, press(face), at=NOW - age).status_code == status


@pytest.mark.parametrize("at", ["", "x", "-1", "1e9", "９", "9" * 400, "1767600000.5"])
def test_an_odd_time_is_no_recent_one(client: TestClient, face: Face, at: str) -> None:
    headers = {"X-Slack-Request-Timestamp": at if at.isascii() else "9"}
    assert post(client, press(face), **headers).status_code == 401


def test_a_request_that_is_played_back_does_nothing_more(client: TestClient, face: Face) -> None:
    payload = press(face, "fleetmend-escalate")
    assert [post(client, payload).status_code for _ in range(3)] == [200, 200, 200]
    assert len(face.record.orders) == 1


def test_two_who_press_at_once_escalate_once(client: TestClient, face: Face) -> None:
    """A second press would bring the level after next out of bed."""
    for trigger in ("one", "another"):
        post(client, press(face, "fleetmend-escalate", trigger_id=trigger))
    assert [order.kind for order in face.record.orders] == ["escalate"]
    assert told(face)[1] == f"{HOT} is escalated already."


def test_the_button_of_a_level_that_has_been_passed_escalates_nobody(client: TestClient, face: Face) -> None:
    with face.store.read() as uow:
        escalation = uow.escalations.get(HOT)
    assert escalation is not None
    post(client, act(face, "fleetmend-escalate", token(face, level=escalation.level - 1)))
    assert face.record.orders == []
    assert told(face) == [f"{HOT} is escalated already."]


def test_an_acknowledgement_pressed_twice_does_no_harm(client: TestClient, face: Face) -> None:
    for trigger in ("one", "another"):
        assert post(client, press(face, trigger_id=trigger)).status_code == 200
    assert [order.kind for order in face.record.orders] == ["ack", "ack"]


def test_a_user_nobody_knows_is_told_so_alone_and_changes_nothing(client: TestClient, face: Face) -> None:
    stranger = press(face, user={"id": STRANGER})
    assert post(client, stranger).status_code == 200
    assert face.record.orders == []
    [text] = told(face)
    assert STRANGER in text
    assert "channels.slack.users" in text


@pytest.mark.parametrize("address", [
    "", "http://hooks.slack.com/actions/x", "https://hooks.slack.com.evil.example/x", "https://evil.example/hooks.slack.com",
    "https://user@hooks.slack.com/x", "https://hooks.slack.com@evil.example/x", "https://hooks.slack.com:8443/x",
    "https://169.254.169.254/", "https://[::1", "https://hooks.slack.com:99999/x", None, 7,
])  # fmt: skip
def test_only_slack_itself_is_answered(client: TestClient, face: Face, address: Any) -> None:
    face.http.on("POST", "", answer(200, "ok"))
    assert post(client, press(face, response_url=address)).status_code == 200
    assert len(face.record.orders) == 1
    assert face.http.requests == []


def test_an_answer_that_does_not_arrive_takes_nothing_back(client: TestClient, face: Face) -> None:
    face.http.routes.clear()
    assert post(client, press(face)).status_code == 200
    assert len(face.record.orders) == 1


@pytest.mark.parametrize(("value", "says"), [
    ("", "no link of ours"),
    ("not-a-token", "no link of ours"),
    ("x" * 5_000, "no link of ours"),
])  # fmt: skip
def test_a_button_that_is_none_of_ours_does_nothing(
    client: TestClient, face: Face, value: str, says: str
) -> None:
    assert post(client, act(face, "fleetmend-ack", value)).status_code == 200
    assert face.record.orders == []
    assert says in told(face)[0]


def test_a_button_older_than_a_day_names_the_command_that_still_works(client: TestClient, face: Face) -> None:
    post(client, act(face, "fleetmend-ack", token(face, at=NOW - LINK_HOLDS)))
    assert face.record.orders == []
    assert f"fleetmend ack {HOT}" in told(face)[0]


def test_what_is_over_stays_so(client: TestClient, face: Face) -> None:
    post(client, act(face, "fleetmend-ack", token(face, MENDED)))
    post(client, act(face, "fleetmend-ack", token(face, "sf-nobody")))
    assert face.record.orders == []
    assert told(face) == [f"{MENDED} is over already.", "There is no incident sf-nobody any more."]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"type": "view_submission"}, "another kind of interaction"),
        ({"actions": []}, "nothing pressed"),
        ({"actions": [{"action_id": "open-0", "type": "button"}]}, "a link was opened"),
        ({"actions": ["x"]}, "no action"),
        ({"user": None}, "nobody pressed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_asks_nothing_of_us_is_taken_without_an_order(
    client: TestClient, face: Face, more: dict[str, Any], why: str
) -> None:
    assert post(client, press(face, **more)).status_code == 200, why
    assert face.record.orders == []
    assert face.http.requests == []


@pytest.mark.parametrize(
    "body", [b"", b"payload=", b"payload=%7B", b"payload=%5B%5D", b"x=1", b"{}", b"\xff"]
)
def test_what_makes_no_sense_is_refused(client: TestClient, body: bytes) -> None:
    assert post(client, body).status_code == 400


@pytest.mark.parametrize("trouble", ["raises", "fails"])
def test_what_cannot_be_kept_is_shown_as_failed(client: TestClient, face: Face, trouble: str) -> None:
    setattr(face.record, trouble, OSError("disk full"))
    assert post(client, press(face)).status_code == 503
    assert face.http.requests == []


def test_slack_is_answered_before_it_gives_up(
    client: TestClient, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_buttons, "KEPT_WITHIN", 0.01)
    face.record.hangs = True
    answered = post(client, press(face))
    assert answered.status_code == 503
    assert "may still be recorded" in answered.text


def test_looking_at_the_address_changes_nothing(client: TestClient, face: Face) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert client.request(method, PATH).status_code == 405
    assert face.record.orders == []


def test_a_body_without_end_is_refused(client: TestClient, face: Face) -> None:
    assert post(client, b"payload=" + b"x" * 5_000_000).status_code == 413
    assert face.record.orders == []


def test_where_no_secret_is_configured_there_is_nothing_to_post_to(client: TestClient, face: Face) -> None:
    face.shared = Shared()
    assert post(client, press(face)).status_code == 404


def test_an_order_of_a_button_is_on_disk_before_slack_is_answered(client: TestClient, face: Face) -> None:
    post(client, press(face))
    with face.store.read() as uow:
        assert [(order.kind, order.who) for order in uow.inbox.new_orders()] == [("ack", "ana")]
