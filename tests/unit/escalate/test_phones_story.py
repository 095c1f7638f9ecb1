"""One person with a push, a text and a call, on a real store: who answers in time is left alone by all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.bundles import first_of
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.channels.twilio import key_in
from daemon.escalate.channels.twilio_back import form_of, report_in
from daemon.escalate.message import ReceiptKind
from daemon.escalate.receipts import reported
from daemon.escalate.rules import Level, Policy
from daemon.escalate.schedules import directory_of
from daemon.escalate.setup import Setup
from daemon.escalate.triggers import Acked
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from daemon.store.store import Store
from remediations.ports import Ambiguous
from tests.fakes import ntfy, twilio
from tests.fakes.channel_benches import ACCOUNT
from tests.fakes.ntfy import FakeNtfy
from tests.fakes.ports import FakeHttp, answer
from tests.fakes.twilio import HOME, TO, FakeTwilio
from tests.unit.escalate.house import OWED, House

MINUTE = 60.0
POLICY = Policy((Level(("person:ana",)),), remind={"critical": MINUTE})
"""Not acknowledged within a minute: the next channel."""


class Duty(House):
    """Ana alone: a push first, then a text, then a call."""

    def __init__(self, store: Store, *kinds: str, policy: Policy = POLICY) -> None:
        ways = {
            "ntfy": {"ntfy": {"url": ntfy.URL, "token": {"env": "N"}}},
            "sms": {"sms": TO},
            "voice": {"voice": TO},
            "console": {"console": {}},
        }
        people = {"ana": PersonSpec(name="Ana", channels=tuple(ways[kind] for kind in kinds))}
        directory = directory_of(people, {}, {}, KINDS)
        super().__init__(
            store,
            setup=Setup({"default": policy}, directory, public_url=HOME, ack_token=lambda *_: "signed-token"),
        )
        self.push, self.twilio = FakeNtfy(), FakeTwilio()
        self.http = FakeHttp(self.clock).on("POST", ntfy.SERVER, self.push)
        self.http.on("POST", twilio.BASE, self.twilio).on("GET", twilio.BASE, self.twilio)
        context = Environment({"N": ntfy.TOKEN, "S": twilio.TOKEN}).context
        self.book, _ = address_book(people, ACCOUNT, context)
        self.doors = Doors(self.http, self.clock, lambda text: text, HOME)
        self.open()

    def page(self) -> None:
        self.tell(OWED)
        self.dispatch()
        self.work()

    @property
    def reached(self) -> tuple[int, int, int]:
        """(pushes, texts, calls)."""
        return len(self.push.pushed), len(self.twilio.texts), len(self.twilio.calls)

    def row(self, kind: str, event: PageEvent = PageEvent.TRIGGER) -> Delivery:
        return next(row for row in self.deliveries() if row.channel == kind and row.event is event)

    def hears(self, made: dict[str, Any], body: str) -> None:
        """Twilio tells what became of a text or call, at the address that came with it."""
        key = key_in(made["asked"]["StatusCallback"].rpartition("/")[2])
        report = report_in(form_of(body.encode()))
        assert key is not None
        assert report is not None
        with self.store.write() as uow:
            row = uow.deliveries.get(first_of(key))
            assert row is not None
            for order in self.stage.each(uow, reported(report, row.channel, self.now, key=key)):
                change = self.stage.heard(uow, order, self.now)
                assert change is not None
                uow.apply(change)
        self.dispatch()
        self.work()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(":memory:") as opened:
        yield opened


def test_unanswered_a_push_is_followed_by_a_text_and_a_call(store: Store) -> None:
    """What the next test would see if an acknowledgement stopped nothing."""
    duty = Duty(store, "ntfy", "sms", "voice")
    duty.page()
    assert duty.reached == (1, 0, 0)
    duty.pass_time(MINUTE)
    assert duty.reached == (1, 1, 0)
    duty.pass_time(MINUTE)
    assert duty.reached == (1, 1, 1)


@pytest.mark.parametrize("answers_at", [59, 60 + 59])
def test_acknowledged_at_59_s_nothing_follows_by_any_other_path(store: Store, answers_at: int) -> None:
    """Case 9: between push and text no text is sent, between text and call nobody calls."""
    duty = Duty(store, "ntfy", "sms", "voice")
    duty.page()
    duty.pass_time(answers_at)
    before = duty.reached
    duty.tell(Acked("ana", "link"))
    duty.pass_time(10 * MINUTE)
    assert duty.reached == before


@pytest.mark.parametrize("second", ["sms", "voice"])
def test_an_acknowledgement_also_stops_the_fallback_that_is_under_way(store: Store, second: str) -> None:
    """The push keeps failing, so the text or call was owed as well, and is being tried again when she answers."""
    duty = Duty(store, "ntfy", second)
    duty.push.script += [answer(503, "oops")] * 100
    duty.twilio.script += [answer(429, '{"code": 20429}', {"Retry-After": "60"})] * 100
    duty.page()
    duty.pass_time(59)
    duty.push.script.clear()
    duty.twilio.script.clear()
    assert duty.row(second).state is DeliveryState.OWED
    duty.tell(Acked("ana", "cli"))
    duty.pass_time(10 * MINUTE)
    assert duty.reached == (0, 0, 0)
    assert duty.row(second).state is DeliveryState.DROPPED


@pytest.mark.parametrize("code", ["30003", "30005"])
def test_a_text_that_did_not_arrive_is_a_call_at_once(store: Store, code: str) -> None:
    duty = Duty(store, "sms", "voice")
    duty.page()
    sid = duty.twilio.texts[0]["sid"]
    duty.hears(duty.twilio.texts[0], f"MessageStatus=undelivered&MessageSid={sid}&ErrorCode={code}")
    assert duty.reached == (0, 1, 1)
    assert duty.row("sms").state is DeliveryState.FAILED
    assert code in duty.row("sms").error


@pytest.mark.parametrize(("state", "calls"), [("busy", 2), ("no-answer", 2), ("completed", 1)])
def test_a_call_that_nobody_took_is_followed_by_the_next_way(store: Store, state: str, calls: int) -> None:
    duty = Duty(store, "voice", "voice")
    duty.page()
    sid = duty.twilio.calls[0]["sid"]
    duty.hears(duty.twilio.calls[0], f"CallStatus={state}&CallSid={sid}&SequenceNumber=3")
    assert len(duty.twilio.calls) == calls


def test_a_call_that_a_machine_took_acknowledges_nothing(store: Store) -> None:
    duty = Duty(store, "voice", "sms")
    duty.page()
    sid = duty.twilio.calls[0]["sid"]
    duty.hears(duty.twilio.calls[0], f"CallStatus=completed&CallSid={sid}&AnsweredBy=machine_start")
    duty.pass_time(MINUTE)
    assert duty.reached == (0, 1, 1)


def test_without_a_word_of_its_delivery_in_two_minutes_the_next_channel_follows(store: Store) -> None:
    duty = Duty(store, "sms", "voice", policy=Policy(POLICY.levels))
    duty.page()
    duty.pass_time(119)
    look(duty)
    assert duty.reached == (0, 1, 0)
    duty.pass_time(1)
    look(duty)
    assert duty.reached == (0, 1, 1)


def look(duty: Duty) -> None:
    with duty.store.write() as uow:
        for change in duty.stage.look(uow, duty.now):
            uow.apply(change)
    duty.dispatch()
    duty.work()


def test_killed_after_twilio_took_the_text_it_is_not_sent_again(store: Store) -> None:
    duty = Duty(store, "sms")
    duty.tell(OWED)
    duty.dispatch()
    [job] = duty.take()
    assert duty.send(job).kind is ReceiptKind.OK
    duty.crash()
    duty.dispatch()
    [receipt] = duty.work()
    assert receipt.kind is ReceiptKind.OK
    assert duty.reached == (0, 1, 0)
    assert duty.row("sms").provider_id == duty.twilio.texts[0]["sid"]


def test_killed_after_twilio_took_the_call_its_own_word_keeps_it_from_being_made_again(store: Store) -> None:
    duty = Duty(store, "voice")
    duty.tell(OWED)
    duty.dispatch()
    [job] = duty.take()
    duty.twilio.script.append(Ambiguous("no answer"))
    assert duty.send(job).kind is ReceiptKind.AMBIGUOUS
    duty.twilio.calls[0]["status"] = "in-progress"
    duty.crash()
    duty.dispatch()
    [receipt] = duty.work()
    assert receipt.kind is ReceiptKind.TEMPORARY
    duty.hears(duty.twilio.calls[0], "CallStatus=completed&CallSid=CA1&SequenceNumber=3")
    duty.twilio.calls[0]["status"] = "completed"
    duty.pass_time(40)
    assert duty.reached == (0, 0, 1)
    assert duty.row("voice").state is DeliveryState.ACCEPTED


def test_the_end_of_a_page_that_was_heard_is_read(store: Store) -> None:
    duty = Duty(store, "voice")
    duty.page()
    duty.end()
    duty.pass_time(1)
    assert duty.reached == (0, 1, 1)
    assert duty.twilio.texts[0]["body"].startswith("[OVER]")
    duty.hears(duty.twilio.texts[0], "MessageStatus=delivered&MessageSid=SM1")
    assert duty.row("voice", PageEvent.RESOLVE).heard.keys() == {"delivered"}


@pytest.mark.parametrize("word", ["delivered", "undelivered"])
def test_what_became_of_a_text_about_several_incidents_is_booked_for_each(store: Store, word: str) -> None:
    """Else all but the first would go on to the next channel for want of a word."""
    duty = Duty(store, "sms", "console", policy=Policy(POLICY.levels))
    names = [f"sf-{n}" for n in range(2, 9)]
    for name in names:
        duty.open(name)
    duty.page()
    for name in names:
        duty.tell(OWED, key=name)
    duty.pass_time(150)
    several = [text for text in duty.twilio.texts if "incidents" in text["body"]]
    assert several, [text["body"] for text in duty.twilio.texts]
    assert all("Reply" not in text["body"] for text in several)
    for text in duty.twilio.texts:
        duty.hears(text, f"MessageStatus={word}&MessageSid={text['sid']}")
    found = [row for name in ("sf-1", *names) for row in duty.deliveries(name) if row.channel == "sms"]
    assert len(found) == 8
    assert {word} == {said for row in found for said in row.heard}
