"""A real daemon calls and texts by a Twilio on loopback, and hears of it again as it would from outside."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from urllib.parse import urlsplit

import pytest

from remediations.ports import Request
from tests.fakes import twilio
from tests.fakes.living import Living, Site, wait_for
from tests.fakes.server import RawServer, reply, serving
from tests.fakes.twilio import BASE, FROM, HOME, SID, TO, TOKEN, FakeTwilio

pytestmark = pytest.mark.live


class Served:
    """A fake Twilio behind a socket."""

    def __init__(self) -> None:
        self.twilio = FakeTwilio()

    def answer(self, connection: socket.socket, data: bytes, stop: threading.Event) -> None:
        del stop
        head, _, body = data.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, path, _ = first.decode().split(" ")
        headers = {name.title(): str(value) for name, value in message_from_bytes(rest).items()}
        name, _, token = (
            base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        )
        url = f"https://{urlsplit(BASE).netloc}{path}"
        answer = self.twilio(Request(method, url, headers, body, basic_auth=(name, token)))
        connection.sendall(reply(answer.status, answer.body))


@pytest.fixture
def phones() -> Iterator[tuple[FakeTwilio, RawServer]]:
    served = Served()
    with serving(served.answer) as server:
        yield served.twilio, server


def post(daemon: Living, url: str, form: dict[str, str]) -> tuple[int, str]:
    """As Twilio posts to the address outside, which a proxy passes on."""
    headers = {"X-Twilio-Signature": twilio.signature(url, form)}
    answer = daemon.ask(urlsplit(url).path, method="POST", role=None, form=form, headers=headers)
    return answer.status, answer.text


def test_a_text_that_is_lost_becomes_a_call_and_a_key_pressed_in_it_acknowledges(
    site: Site, phones: tuple[FakeTwilio, RawServer]
) -> None:
    fake, server = phones
    site.plant.mends = False
    site.environment |= {"SIGNING": "0123456789abcdef0123456789abcdef", "TWILIO": TOKEN}
    site.config |= {"signing_keys": [{"env": "SIGNING"}], "public_url": HOME}
    site.config["people"]["ana"]["channels"] = [{"sms": TO}, {"voice": TO}]
    account = {"account_sid": SID, "auth_token": {"env": "TWILIO"}, "from": FROM, "url": server.url}
    site.config["channels"]["twilio"] = account
    daemon = site.start()
    site.plant.broken = True

    text = wait_for("a text", lambda: fake.texts and fake.texts[0])
    lost = {"MessageSid": text["sid"], "MessageStatus": "undelivered", "ErrorCode": "30003"}
    assert post(daemon, text["asked"]["StatusCallback"], lost) == (204, "")
    call = wait_for("a call in its place", lambda: fake.calls and fake.calls[0])
    pressed = {"CallSid": call["sid"], "CallStatus": "in-progress", "Digits": "1", "From": FROM, "To": TO}
    status, said = post(daemon, twilio.action_of(call["asked"]["Twiml"]), pressed)
    assert (status, "Acknowledged" in twilio.heard(said)) == (200, True)

    incident = wait_for("the incident", site.incident)
    path = f"/api/v1/incidents/{incident.id}"
    wait_for("it is acknowledged", lambda: daemon.ask(path).json["escalation"]["acked_by"] == "ana")
    pages = {page["channel"]: page["receipt"] for page in daemon.ask(path).json["pages"]}
    assert pages == {"sms": "undelivered", "voice": "acked"}
    [acked] = [row for row in daemon.ask(path).json["timeline"] if row["kind"] == "acked"]
    assert acked["data"] == {"by": "ana", "via": "voice"}
    assert TOKEN not in json.dumps(daemon.ask(path).json) + daemon.said()
