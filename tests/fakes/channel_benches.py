"""Benches: one channel each with its strict receiver, which can be told to refuse, and a look at what arrived there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from config.people import PersonSpec
from config.secrets import Environment, Redactor
from daemon.clock import SystemClock
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import AddressBook, Entry, address_book
from daemon.escalate.channels.twilio_speech import spoken
from daemon.escalate.message import Message, Receipt
from daemon.escalate.post import deliver
from daemon.incidents.records import PageEvent
from remediations.ports import Ambiguous, Clock, PortError, Request, Response, Unreachable
from tests.fakes import (
    alertmanager_out,
    ntfy,
    opsgenie,
    pagerduty,
    slack,
    slack_api,
    standard_webhook,
    teams,
    twilio,
)
from tests.fakes.alertmanager_out import FakeAlertmanager
from tests.fakes.ntfy import FakeNtfy
from tests.fakes.opsgenie import FakeOpsgenie
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.ports import EPOCH, FakeClock, FakeHttp, answer
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import FakeSlackApi
from tests.fakes.smtp import Mailbox, plain_of
from tests.fakes.standard_webhook import FakeReceiver
from tests.fakes.teams import FakeTeams
from tests.fakes.twilio import FakeTwilio

PASSWORD = "s3cret-password"
ACCOUNT = {"twilio": {"account_sid": twilio.SID, "auth_token": {"env": "S"}, "from": twilio.FROM}}
UGLY = (
    "".join(chr(code) for code in (0x0, 0x7, 0x1B, 0xD800, 0xDFFF, 0x202E, 0xFFFE))
    + "<b>&\"'é漢👩‍👩‍👧‍👦🇪🇺\r\nBcc: x@y"
)


@dataclass
class Bench:
    """One channel with its receiver. `arrived`: (identity, kind of event, all text) as the receiver understood it.

    `shows`: what is left of the odd letters of `UGLY` where they have arrived. `told`: how a text reads there.
    """

    book: AddressBook
    doors: Doors
    arrived: Callable[[], list[tuple[str, str, str]]]
    fail: Callable[[str], None]
    secret: str
    shows: str = "é漢👩‍👩‍👧‍👦🇪🇺"
    told: Callable[[str], str] = str

    @property
    def entry(self) -> Entry:
        return self.book.entries["ana/0"]

    def send(self, message: Message) -> Receipt:
        deadline = self.doors.clock.monotonic() + 10
        return deliver(message, message, self.entry, self.book, self.doors, deadline)


def _book(
    settings: Any, secrets: dict[str, str], shared: dict[str, Any] | None = None
) -> tuple[AddressBook, Environment]:
    environment = Environment(secrets)
    book, faults = address_book(
        {"ana": PersonSpec(name="Ana", channels=(settings,))}, shared or {}, environment.context
    )
    assert [fault for fault in faults if not fault.warning] == []
    return book, environment


def _doors(http: FakeHttp, clock: Clock, environment: Environment) -> Doors:
    return Doors(http, clock, Redactor(environment.secrets).text)


def _http_failure(kind: str, secret: str) -> Response | PortError:
    late = format_datetime(datetime.fromtimestamp(EPOCH + 90, UTC), usegmt=True)
    failures: dict[str, Response | PortError] = {
        "slow down": answer(429, "slow down", {"Retry-After": "7"}),
        "slow down until": answer(429, "slow down", {"retry-after": late}),
        "slow down for days": answer(429, "", {"Retry-After": "864000"}),
        "broken": answer(503, "oops"),
        "silent": Ambiguous("no answer in time"),
        "absent": Unreachable("connection refused"),
        "refused": answer(403, f"forbidden: {secret}"),
        "too much": answer(413, "too large"),
        "moved": answer(302, "", {"Location": "http://169.254.169.254/"}),
    }
    return failures[kind]


def _bench(
    book: AddressBook, doors: Doors, arrived: Callable[[], list[tuple[str, str, str]]],
    script: list[Response | PortError], secret: str,
) -> Bench:  # fmt: skip
    def fail(kind: str) -> None:
        script.append(_http_failure(kind, secret))

    return Bench(book, doors, arrived, fail, secret)


def _pagerduty() -> Bench:
    fake, clock = FakePagerDuty(), FakeClock()
    http = FakeHttp(clock).on("POST", pagerduty.URL, fake)
    book, environment = _book({"pagerduty": {"routing_key": {"env": "K"}}}, {"K": pagerduty.ROUTING_KEY})

    def arrived() -> list[tuple[str, str, str]]:
        return [
            (event["dedup_key"], event["event_action"], json.dumps(event, ensure_ascii=False))
            for event in fake.events
        ]

    return _bench(book, _doors(http, clock, environment), arrived, fake.script, pagerduty.ROUTING_KEY)


def _webhook() -> Bench:
    clock = FakeClock()
    fake = FakeReceiver(clock)
    http = FakeHttp(clock).on("POST", standard_webhook.URL, fake)
    book, environment = _book(
        {"webhook": {"url": standard_webhook.URL, "secret": {"env": "S"}}}, {"S": standard_webhook.SECRET}
    )

    def arrived() -> list[tuple[str, str, str]]:
        return [
            (identity, payload["type"].removeprefix("incident."), json.dumps(payload, ensure_ascii=False))
            for identity, payload in fake.taken.items()
        ]

    return _bench(book, _doors(http, clock, environment), arrived, fake.script, standard_webhook.SECRET)


def _chat(
    receiver: Callable[[Request], Response], url: str, settings: Any, secret: str, said: Callable[[], list[Any]],
    shared: dict[str, Any] | None = None,
) -> Bench:  # fmt: skip
    """A channel whose receiver knows messages only; `settings` refer to the secret as `S`."""
    clock = FakeClock()
    http = FakeHttp(clock).on("POST", url, receiver).on("GET", url, receiver)
    book, environment = _book(settings, {"S": secret}, shared)

    def arrived() -> list[tuple[str, str, str]]:
        return [_told(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) for one in said()]

    script: list[Response | PortError] = receiver.script  # type: ignore[attr-defined]  # every receiver has one
    return _bench(book, _doors(http, clock, environment), arrived, script, secret)


def _slack() -> Bench:
    fake = FakeSlack()
    return _chat(fake, slack.URL, {"slack": {"url": {"env": "S"}}}, slack.URL, lambda: fake.posted)


def _slack_bot() -> Bench:
    fake = FakeSlackApi()
    settings = {"slack": {"channel": slack_api.CHANNEL, "token": {"env": "S"}}}
    return _chat(fake, slack_api.URL, settings, slack_api.TOKEN, lambda: fake.posted)


def _ntfy() -> Bench:
    fake = FakeNtfy()
    settings = {"ntfy": {"url": ntfy.URL, "token": {"env": "S"}}}
    return _chat(fake, ntfy.SERVER, settings, ntfy.TOKEN, lambda: fake.pushed)


def _teams() -> Bench:
    fake = FakeTeams()
    return _chat(fake, teams.URL, {"teams": {"url": {"env": "S"}}}, teams.URL, lambda: fake.posted)


def _sms() -> Bench:
    fake = FakeTwilio()

    def said() -> list[str]:
        return [text["body"].replace("\n#", " page ") for text in fake.texts]

    bench = _chat(fake, twilio.BASE, {"sms": twilio.TO}, twilio.TOKEN, said, ACCOUNT)
    bench.doors = replace(bench.doors, public_url=twilio.HOME)
    bench.shows = "é?????"
    return bench


def _voice() -> Bench:
    """What is heard of a call; it has no identity but where Twilio tells what became of it. Its end is a text."""
    fake = FakeTwilio()

    def said() -> list[str]:
        heard = [f"page {_hash(call)} {twilio.heard(call['asked']['Twiml'])}" for call in fake.calls]
        return heard + [text["body"].replace("\n#", " page ") for text in fake.texts]

    bench = _chat(fake, twilio.BASE, {"voice": twilio.TO}, twilio.TOKEN, said, ACCOUNT)
    bench.doors = replace(bench.doors, public_url=twilio.HOME)
    bench.shows = "é漢"
    bench.told = spoken
    return bench


def _hash(call: dict[str, Any]) -> str:
    return hashlib.blake2s(call["asked"].get("StatusCallback", "").encode(), digest_size=4).hexdigest()


def _opsgenie() -> Bench:
    fake, clock = FakeOpsgenie(), FakeClock()
    http = FakeHttp(clock).on("POST", opsgenie.HOST, fake)
    book, environment = _book({"opsgenie": {"env": "K"}}, {"K": opsgenie.KEY})

    def arrived() -> list[tuple[str, str, str]]:
        names = {"create": "trigger", "close": "resolve"}
        return [
            (alias, names.get(what, what), json.dumps(body, ensure_ascii=False))
            for alias, what, body in fake.calls
        ]

    return _bench(book, _doors(http, clock, environment), arrived, fake.script, opsgenie.KEY)


def _alertmanager() -> Bench:
    clock = FakeClock()
    fake = FakeAlertmanager(clock=clock)
    http = FakeHttp(clock).on("POST", alertmanager_out.URL, fake)
    settings = {"alertmanager": {"url": alertmanager_out.SERVER, "auth": {"bearer": {"env": "K"}}}}
    book, environment = _book(settings, {"K": alertmanager_out.TOKEN})

    def arrived() -> list[tuple[str, str, str]]:
        return [
            (
                alert["annotations"]["page"],
                "resolve" if fake.ended(alert) else "trigger",
                json.dumps(alert, ensure_ascii=False),
            )
            for alert in fake.posts
        ]

    return _bench(book, _doors(http, clock, environment), arrived, fake.script, alertmanager_out.TOKEN)


def _told(text: str) -> tuple[str, str, str]:
    """A message that knows of no event and no identity but what people read in it."""
    found = re.search(r"page ([0-9a-f]{8})", text)
    assert found is not None, text
    return found[1], "resolve" if "[OVER]" in text else "trigger", text


def email(box: Mailbox, port: int) -> Bench:
    shared = {
        "smtp": {
            "host": "127.0.0.1",
            "port": port,
            "from": "fleetmend@example.org",
            "username": "fleetmend",
            "password": {"env": "P"},
        }
    }
    book, environment = _book({"email": "ana@example.org"}, {"P": PASSWORD}, shared)
    box.users = {"fleetmend": PASSWORD}

    def arrived() -> list[tuple[str, str, str]]:
        return [
            (mail["Message-ID"], mail["X-Fleetmend-Event"], f"{mail['Subject']}\n{plain_of(mail)}")
            for mail in box.mails
        ]

    def fail(kind: str) -> None:
        match kind:
            case "broken":
                box.refuse["RCPT"] = "451 greylisted, try later"
            case "refused":
                box.refuse["RCPT"] = f"550 no such user {PASSWORD}"
            case "silent":
                box.hang_up_after_text = True
            case "absent":
                box.hang_up_at_greeting = True
            case "too much":
                box.refuse["TEXT"] = "552 message too large"
            case _:
                raise AssertionError(f"SMTP has no answer {kind}")

    return Bench(book, _doors(FakeHttp(), SystemClock(), environment), arrived, fail, PASSWORD)


HTTP: dict[str, Callable[[], Bench]] = {
    "pagerduty": _pagerduty,
    "webhook": _webhook,
    "slack": _slack,
    "slack bot": _slack_bot,
    "ntfy": _ntfy,
    "teams": _teams,
    "sms": _sms,
    "voice": _voice,
    "opsgenie": _opsgenie,
    "alertmanager": _alertmanager,
}


def page(event: PageEvent = PageEvent.TRIGGER, **fields: Any) -> Message:
    """One page of a fail-over that was in vain."""
    given: dict[str, Any] = {
        "key": f"sf-1/1/0/ana/x.0/{event}",
        "dedup_key": "fleetmend/sf-1",
        "incident": "sf-1",
        "event": event,
        "severity": "critical",
        "level": 1,
        "headline": "[CRIT L1] Hot storage is refusing writes (4.2%); fail-over FAILED, 1 of 1 in vain",
        "at": EPOCH,
        "parts": ("Incident sf-1, critical, L1.", "Impact: 1 of 3 tiers."),
        "source": "tier hot",
        "links": (("Incident", "https://fleetmend.example.org/incidents/sf-1"),),
    }
    return Message(**(given | fields))
