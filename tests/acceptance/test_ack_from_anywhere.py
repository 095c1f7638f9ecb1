"""An acknowledgement by any way there is: what it answers, and what stands on the timeline: who, through what, when.

The ways go through the real web application and the real command over the store of a story; its loop carries them out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from config.secrets import Environment, Secret
from daemon.cli.main import invoke
from daemon.detect.inbox import InboxSpec, PagerDutyInbox
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.twilio import digit_url
from daemon.escalate.owed import dedup_key
from daemon.incidents.events import Event, Kind
from daemon.loop.messages import Recorded
from daemon.store.store import Store
from daemon.web.sessions import LINK_HOLDS, Sessions
from tests.fakes import twilio
from tests.fakes.face import TOKENS, Face
from tests.fakes.ports import answer as ok
from tests.fakes.story import MINUTE, Story
from tests.integration.web import test_phones as phone
from tests.integration.web import test_slack_buttons as slack
from tests.integration.web.conftest import HOME, log_in

ALERTS = """
poll_interval: 10m
telemetry: {edge: {every: 10m}}
inbox: {alertmanager: {map: [{match: {alertname: ColdDown}, failure_mode: storage_failure, scope: [tier]}]}}
"""
GONE = "sf-gone22"
PD_SECRET = "pd-webhook-secret-0123456789"
OPEN, ACKED, RESOLVED, UNKNOWN, EXPIRED = "open", "acked", "resolved", "unknown", "expired"


@dataclass
class Desk:
    """A paged incident and every way to it."""

    story: Story
    face: Face
    client: TestClient
    config: Path
    incident: str

    def link(self, *, age: float = 0.0) -> str:
        signed = Sessions(lambda: self.face.keys).link(self.incident, "ana", 1, self.story.now - age)
        return f"/a/{signed}"

    def carried_out(self) -> None:
        self.story.driver.hear(Recorded())
        self.story.run(2.0)

    def answers(self) -> list[Event]:
        """What the timeline says of acknowledgements, whatever it makes of them."""
        found = self.story.events(self.incident, Kind.ACKED, Kind.NOTE)
        return [event for event in found if event.kind is Kind.ACKED or event.data.get("text") == "late ack"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    config = tmp_path / "fleetmend.yaml"
    config.write_text(f'version: 1\npack: none\nstate: "{url}"\nlisten: 127.0.0.1:1\n')
    with Store.open(url) as store:
        store.migrate()
        story = Story(ALERTS, only=("nothing-watches",), warm=30.0, store=store)
        story.alert("ColdDown", tier="cold")
        story.run(5.0)
        face = Face(store)
        face.clock.at = story.now
        face.phones, face.public_url = phone.phones(), twilio.HOME
        app = {"token": {"env": "T"}, "signing_secret": {"env": "S"}, "users": {slack.USER: "ana"}}
        secrets = Environment({"T": "xoxb-1", "S": slack.SECRET}).context
        face.shared = Shared.model_validate({"slack": app}, context=secrets)
        face.http.on("POST", "https://hooks.slack.com/", ok(200, "ok"))
        face.inbox = InboxSpec(pagerduty=PagerDutyInbox(secret=(Secret(PD_SECRET),)))
        with TestClient(
            face.app, base_url=HOME, client=("127.0.0.1", 50000), follow_redirects=False, raise_server_exceptions=False
        ) as client:  # fmt: skip
            yield Desk(story, face, client, config, story.incident().id)


# ------------------------------------------------------------------ the ways; each gives (status or exit code, text)


def by_link(desk: Desk) -> tuple[int, str]:
    answer = desk.client.post(desk.link())
    return answer.status_code, answer.text


def by_old_link(desk: Desk) -> tuple[int, str]:
    answer = desk.client.post(desk.link(age=LINK_HOLDS + 1))
    return answer.status_code, answer.text


def by_api(desk: Desk) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {TOKENS['operator']}"}
    answer = desk.client.post(f"/api/v1/incidents/{desk.incident}/ack", json={}, headers=headers)
    return answer.status_code, answer.text


def by_console(desk: Desk) -> tuple[int, str]:
    form = {"incident": desk.incident, "back": "/", "csrf": log_in(desk.client, "operator")}
    answer = desk.client.post("/orders/ack", data=form)
    return answer.status_code, answer.headers.get("location", "") + answer.text


def by_pagerduty(desk: Desk) -> tuple[int, str]:
    data = {
        "id": "P1",
        "type": "incident",
        "incident_key": dedup_key(desk.incident),
        "status": "acknowledged",
    }
    person = {"id": "P2", "summary": "Ana Silva", "type": "user_reference"}
    told = {
        "id": "01B",
        "event_type": "incident.acknowledged",
        "resource_type": "incident",
        "agent": person,
        "data": data,
    }
    raw = json.dumps({"event": {**told, "occurred_at": "2026-01-05T09:00:00.000Z", "client": None}}).encode()
    signature = "v1=" + hmac.new(PD_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    path = "/api/v1/callbacks/pagerduty"
    answer = desk.client.post(
        path, content=raw, headers={"X-PagerDuty-Signature": signature, "X-Webhook-Id": "w-1"}
    )
    return answer.status_code, answer.text


def by_command(desk: Desk) -> tuple[int, str]:
    return invoke(["ack", desk.incident, "--config", str(desk.config)]), ""


def by_button(desk: Desk, age: float = 0.0) -> tuple[int, str]:
    """In Slack, by the user who is ana here; what she is told goes to Slack, only to her."""
    value = Sessions(lambda: desk.face.keys).link(desk.incident, "ops", 1, desk.story.now - age)
    pressed = slack.act(desk.face, "fleetmend-ack", value)
    status = slack.post(desk.client, pressed, at=desk.story.now).status_code
    return status, " ".join(slack.told(desk.face))


def by_old_button(desk: Desk) -> tuple[int, str]:
    return by_button(desk, age=LINK_HOLDS + 1)


def by_key(desk: Desk, age: float = 0.0) -> tuple[int, str]:
    """1 pressed in a call to ana."""
    signed = Sessions(lambda: desk.face.keys).link(desk.incident, "ana", 1, desk.story.now - age)
    answer = phone.press(desk.client, digit_url(desk.face.public_url, signed))
    return answer.status_code, answer.text


def by_key_too_late(desk: Desk) -> tuple[int, str]:
    return by_key(desk, age=LINK_HOLDS + 1)


Way = Callable[[Desk], tuple[int, str]]
LATE = ["note"]
TABLE = [
    # way, state before, status or exit code, words of the answer, what is new on the timeline, through what
    (by_link, OPEN, 200, "Acknowledged, ana", ["acked"], "link"),
    (by_link, ACKED, 200, "Acknowledged, ana", ["acked"], "link"),
    (by_link, RESOLVED, 200, "over already", LATE, "link"),
    (by_link, UNKNOWN, 404, GONE, [], ""),
    (by_old_link, EXPIRED, 403, "fleetmend ack", [], ""),
    (by_api, OPEN, 202, '"order"', ["acked"], "api"),
    (by_api, ACKED, 202, '"order"', ["acked"], "api"),
    (by_api, RESOLVED, 202, '"order"', LATE, "api"),
    (by_api, UNKNOWN, 404, GONE, [], ""),
    (by_console, OPEN, 303, "taken=", ["acked"], "console"),
    (by_console, ACKED, 303, "taken=", ["acked"], "console"),
    (by_console, RESOLVED, 303, "taken=", LATE, "console"),
    (by_console, UNKNOWN, 404, "", [], ""),
    (by_pagerduty, OPEN, 200, "success", ["acked"], "pagerduty"),
    (by_pagerduty, ACKED, 200, "success", ["acked"], "pagerduty"),
    (by_pagerduty, RESOLVED, 200, "success", [], ""),
    (by_pagerduty, UNKNOWN, 200, "success", [], ""),
    (by_button, OPEN, 200, "Taken: ack", ["acked"], "slack"),
    (by_button, ACKED, 200, "Taken: ack", ["acked"], "slack"),
    (by_button, RESOLVED, 200, "is over already", [], ""),
    (by_button, UNKNOWN, 200, f"no incident {GONE}", [], ""),
    (by_old_button, EXPIRED, 200, "fleetmend ack", [], ""),
    (by_key, OPEN, 200, "Acknowledged. level 2 is still paged", ["acked"], "voice"),
    (by_key, ACKED, 200, "Acknowledged. level 2 is still paged", ["acked"], "voice"),
    (by_key, RESOLVED, 200, "It was over already", LATE, "voice"),
    (by_key, UNKNOWN, 200, "no such incident", [], ""),
    (by_key_too_late, EXPIRED, 200, "Nothing was done", [], ""),
    (by_command, OPEN, 0, "", ["acked"], "cli"),
    (by_command, ACKED, 0, "", ["acked"], "cli"),
    (by_command, RESOLVED, 0, "", LATE, "cli"),
    (by_command, UNKNOWN, 1, "", [], ""),
]


@pytest.mark.parametrize(("way", "state", "status", "words", "new", "via"), TABLE)
def test_every_way_to_acknowledge_answers_and_acts_as_the_incident_stands(
    desk: Desk, way: Way, state: str, status: int, words: str, new: list[str], via: str
) -> None:
    story, mine = desk.story, desk.incident
    if state == ACKED:
        story.order("ack", story.incident(), who="ben")
    elif state == RESOLVED:
        story.order("resolve", story.incident(), who="ben", reason="by hand")
    elif state == UNKNOWN:
        desk.incident = GONE
    before = len(desk.answers())
    answered, text = way(desk)
    assert answered == status, text
    assert words in text
    desk.carried_out()
    desk.incident = mine
    fresh = desk.answers()[before:]
    assert [str(event.kind) for event in fresh] == new
    assert [event.data["via"] for event in fresh] == ([via] if new else [])
    assert all(
        event.data["by"] == event.actor and event.actor not in {"", "ben", "fleetmend"} for event in fresh
    )
    assert all(0.0 <= story.now - event.at <= 3.0 for event in fresh)


@pytest.mark.parametrize("way", [by_link, by_api, by_console, by_pagerduty, by_button, by_key, by_command])
def test_the_same_way_twice_is_one_acknowledgement(desk: Desk, way: Way) -> None:
    for _ in range(2):
        way(desk)
        desk.carried_out()
    assert [str(event.kind) for event in desk.answers()] == ["acked"]
    reminders = [row for row in desk.story.deliveries(desk.incident) if row.event == "remind"]
    desk.story.run(14 * MINUTE)
    assert len([row for row in desk.story.deliveries(desk.incident) if row.event == "remind"]) == len(
        reminders
    )


def test_a_link_that_does_not_hold_says_which_incident_and_how_else(desk: Desk) -> None:
    for ask in (desk.client.get, desk.client.post):
        answer = ask(desk.link(age=LINK_HOLDS + 1))
        assert answer.status_code == 403
        assert f"fleetmend ack {desk.incident}" in answer.text
    desk.carried_out()
    assert desk.answers() == []
