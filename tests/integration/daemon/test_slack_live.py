"""A real daemon posts to a Slack on loopback, and a pressed button comes back to it as it would from outside."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from remediations.ports import Request
from tests.fakes.living import CLOCK, Living, Site, wait_for
from tests.fakes.server import RawServer, reply, serving
from tests.fakes.slack_api import CHANNEL, TOKEN, URL, USER, FakeSlackApi

pytestmark = pytest.mark.live
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
def slack() -> Iterator[tuple[FakeSlackApi, RawServer]]:
    """A fake workspace, and the socket before it."""
    api, one_by_one = FakeSlackApi(), threading.Lock()

    def answer(connection: socket.socket, data: bytes, stop: threading.Event) -> None:
        del stop
        head, _, body = data.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, path, _ = first.decode().split(" ")
        headers = {name.title(): str(value) for name, value in message_from_bytes(rest).items()}
        with one_by_one:
            response = api(Request(method, f"https://{urlsplit(URL).netloc}{path}", headers, body))
        connection.sendall(reply(response.status, response.body))

    with serving(answer) as server:
        yield api, server


def press(daemon: Living, message: dict[str, Any], name: str) -> int:
    """As Slack posts a press of that button of a message."""
    rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    [button] = [one for row in rows for one in row if one["action_id"] == name]
    payload = {
        "type": "block_actions",
        "user": {"id": USER},
        "response_url": "",
        "actions": [{"type": "button", "action_id": name, "value": button["value"]}],
    }
    form, at = {"payload": json.dumps(payload)}, f"{CLOCK.now():.0f}"
    signed = hmac.new(SECRET.encode(), f"v0:{at}:{urlencode(form)}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signed}"}
    path = "/api/v1/callbacks/slack"
    return daemon.ask(path, method="POST", role=None, form=form, headers=headers).status


def test_one_message_is_pressed_changed_and_resolved(
    site: Site, slack: tuple[FakeSlackApi, RawServer]
) -> None:
    api, server = slack
    site.plant.mends = False
    site.environment |= {"SIGNING": "0123456789abcdef0123456789abcdef", "SLACK": TOKEN, "PRESSED": SECRET}
    site.config["signing_keys"] = [{"env": "SIGNING"}]
    site.config["people"]["ana"]["channels"] = [{"slack": CHANNEL}]
    site.config["channels"]["slack"] = {
        "token": {"env": "SLACK"},
        "signing_secret": {"env": "PRESSED"},
        "users": {USER: "ana"},
        "url": server.url,
    }
    daemon = site.start()
    site.plant.broken = True
    page = wait_for("the page", lambda: api.posted and api.posted[0], within=60)

    def says(word: str) -> bool:
        return word in page["blocks"][0]["text"]["text"]

    assert says("[CRIT L1]")
    incident = wait_for("the incident", site.incident)
    assert press(daemon, page, "fleetmend-ack") == 200
    wait_for("it says that it was acknowledged", lambda: says("Acknowledged"), within=60)
    path = f"/api/v1/incidents/{incident.id}"
    [acked] = [row for row in daemon.ask(path).json["timeline"] if row["kind"] == "acked"]
    assert acked["data"] == {"by": "ana", "via": "slack"}
    daemon.kill()
    daemon = site.start()
    site.plant.broken = False
    wait_for("it says that it is over", lambda: says("Resolved"), within=60)
    alone = [one for one in api.posted if "thread_ts" not in one]
    assert len(alone) == 1
    assert TOKEN not in json.dumps(daemon.ask(path).json) + daemon.said()
    assert SECRET not in json.dumps(daemon.ask(path).json) + daemon.said()
