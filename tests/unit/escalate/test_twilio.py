"""Text messages and calls by Twilio: what is particular to them beside what every channel owes (`tests/contract`)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.port import Channel, Doors
from daemon.escalate.channels.registry import address_book
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.sms import PART, PARTS, REPEAT, Sms, SmsSpec, septets
from daemon.escalate.channels.twilio import code_of, key_in, status_url
from daemon.escalate.channels.voice import Voice, VoiceSpec
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.post import deliver
from daemon.incidents.records import PageEvent
from remediations.ports import Ambiguous, Unreachable
from tests.fakes import twilio
from tests.fakes.channel_benches import ACCOUNT, UGLY, page
from tests.fakes.ports import FakeClock, FakeHttp, answer
from tests.fakes.twilio import FROM, HOME, SID, TO, TOKEN, FakeTwilio

ANSWERABLE = replace(page(), token="signed-token")


def shared(**account: Any) -> Shared:
    given = {"account_sid": SID, "auth_token": {"env": "T"}, "from": FROM, **account}
    context = Environment({"T": TOKEN, "OLD": "twilio-token-of-last-year"}).context
    return Shared.model_validate({"twilio": given}, context=context)


class Phone:
    """One phone behind a fake Twilio, and what a channel makes of a message to it."""

    def __init__(self, home: str = HOME) -> None:
        self.twilio = FakeTwilio()
        self.http = FakeHttp().on("POST", twilio.BASE, self.twilio).on("GET", twilio.BASE, self.twilio)
        self.doors = Doors(self.http, FakeClock(), lambda text: text, home)

    def text(self, message: Message, account: Shared | None = None) -> Receipt:
        return self._by(Sms(), SmsSpec(to=TO), message, account)

    def call(self, message: Message, account: Shared | None = None) -> Receipt:
        return self._by(Voice(), VoiceSpec(to=TO), message, account)

    def _by(self, channel: Channel, spec: Any, message: Message, account: Shared | None) -> Receipt:
        deadline = self.doors.clock.monotonic() + 10
        return channel.send(message, spec, account or shared(), self.doors, deadline, short=False)

    @property
    def bodies(self) -> list[str]:
        return [text["body"] for text in self.twilio.texts]

    @property
    def heard(self) -> list[str]:
        return [twilio.heard(call["asked"]["Twiml"]) for call in self.twilio.calls]


def test_it_is_all_said_once_more_when_no_key_is_pressed() -> None:
    phone = Phone()
    phone.call(ANSWERABLE)
    [heard] = phone.heard
    assert heard.count("Hot storage is refusing writes") == 2
    assert heard.count("Press 1 to acknowledge") == 2
    assert heard.index("Press 1") < heard.index("Impact"), "who has heard enough may press"


# ------------------------------------------------------------ who can answer


def test_a_call_asks_for_a_key_and_tells_it_to_an_address_of_its_hearer_alone() -> None:
    phone = Phone()
    phone.call(ANSWERABLE)
    [call] = phone.twilio.calls
    assert twilio.action_of(call["asked"]["Twiml"]) == f"{HOME}/api/v1/callbacks/twilio/digit/signed-token"


@pytest.mark.parametrize(
    ("home", "message"),
    [
        ("", ANSWERABLE),
        (HOME, page()),
        (HOME, replace(ANSWERABLE, event=PageEvent.TEST)),
        (HOME, replace(ANSWERABLE, several=("sf-1", "sf-2"))),
    ],
    ids=[
        "we cannot be reached",
        "no link is signed",
        "there is nothing to acknowledge",
        "it tells of several",
    ],
)
def test_where_nobody_can_answer_a_call_only_tells(home: str, message: Message) -> None:
    phone = Phone(home)
    assert phone.call(message).kind is ReceiptKind.OK
    [call] = phone.twilio.calls
    assert twilio.action_of(call["asked"]["Twiml"]) == ""
    assert "Press" not in phone.heard[0]


def test_a_text_says_what_to_reply() -> None:
    phone = Phone()
    phone.text(ANSWERABLE)
    account = shared().twilio
    assert account is not None
    assert f"\nReply {code_of(account, 'sf-1', TO)[0]} to acknowledge\n#" in phone.bodies[0]
    assert septets(phone.bodies[0]) <= PART * PARTS


@pytest.mark.parametrize(
    ("home", "sender", "message"),
    [
        ("", FROM, ANSWERABLE),
        (HOME, "FLEETMEND", ANSWERABLE),
        (HOME, FROM, replace(ANSWERABLE, event=PageEvent.RESOLVE)),
        (HOME, FROM, page()),
        (HOME, FROM, replace(ANSWERABLE, several=("sf-1", "sf-2"))),
    ],
    ids=["we cannot be reached", "a name has no phone", "there is nothing to acknowledge", "no link is signed", "it tells of several"],
)  # fmt: skip
def test_where_no_reply_arrives_none_is_asked_for(home: str, sender: str, message: Message) -> None:
    phone = Phone(home)
    assert phone.text(message, shared(**{"from": sender})).kind is ReceiptKind.OK
    assert "Reply" not in phone.bodies[0]


def test_a_code_is_of_one_incident_and_one_phone_and_nobody_can_work_it_out_without_the_token() -> None:
    account, other = shared().twilio, shared(auth_token={"env": "OLD"}).twilio
    assert account is not None
    assert other is not None
    codes = [
        code_of(account, "sf-1", TO),
        code_of(account, "sf-2", TO),
        code_of(account, "sf-1", FROM),
        code_of(other, "sf-1", TO),
    ]
    assert len(set(codes)) == 4
    assert all(len(code) == 6 and code.isdigit() for [code] in codes)


def test_while_tokens_are_changed_the_new_one_signs_in_and_both_codes_count() -> None:
    account = shared(auth_token=[{"env": "T"}, {"env": "OLD"}]).twilio
    assert account is not None
    phone = Phone()
    assert phone.text(ANSWERABLE, shared(auth_token=[{"env": "T"}, {"env": "OLD"}])).kind is ReceiptKind.OK
    assert len(set(code_of(account, "sf-1", TO))) == 2


# ------------------------------------------------------------ what became of it


@given(st.text(min_size=1, max_size=200).filter(lambda key: key.isprintable()))
def test_the_address_of_what_became_of_it_names_the_delivery(key: str) -> None:
    address = status_url(HOME, key)
    assert key_in(address.rpartition("/")[2]) == key


@pytest.mark.parametrize("spelled", ["", "a", "ä", "!", "x" * 1_001, "_____w"])
def test_what_names_no_delivery_is_none(spelled: str) -> None:
    assert key_in(spelled) is None


def test_proof_is_expected_only_where_it_was_asked_for() -> None:
    for phone, expected in ((Phone(), 120.0), (Phone(""), None)):
        for receipt in (phone.text(ANSWERABLE), phone.call(ANSWERABLE)):
            assert receipt.proof_within == expected
        assert phone.text(ANSWERABLE).provider_id.startswith("SM")
        assert phone.call(ANSWERABLE).provider_id.startswith("CA")


def test_where_carriers_send_no_receipts_a_text_is_asked_about_and_silence_is_no_bad_sign() -> None:
    phone, account = Phone(), shared(receipts=False)
    assert phone.text(ANSWERABLE, account).proof_within is None
    assert "StatusCallback" in phone.twilio.texts[0]["asked"]
    assert phone.call(ANSWERABLE, account).proof_within == 120.0


@pytest.mark.parametrize("kind", ["sms", "voice"])
def test_an_address_of_ours_that_twilio_refuses_costs_no_page(kind: str) -> None:
    """Underscores in a host are refused."""
    phone = Phone("https://fleet_mend.example.org")
    people = {"ana": PersonSpec(name="Ana", channels=({kind: TO},))}
    book, _ = address_book(people, ACCOUNT, Environment({"S": TOKEN}).context)
    deadline = phone.doors.clock.monotonic() + 10
    receipt = deliver(ANSWERABLE, ANSWERABLE, book.entries["ana/0"], book, phone.doors, deadline)
    assert (receipt.kind, receipt.shortened, receipt.proof_within) == (ReceiptKind.OK, True, None)
    [told] = phone.bodies + phone.heard
    assert "Hot storage is refusing writes" in told


@pytest.mark.parametrize("event", [PageEvent.RESOLVE, PageEvent.STATUS])
def test_nobody_is_called_to_hear_that_it_is_over(event: PageEvent) -> None:
    phone = Phone()
    assert phone.call(page(event, headline="[OVER] Hot storage")).kind is ReceiptKind.OK
    assert phone.twilio.calls == []
    assert phone.bodies[0].startswith("[OVER] Hot storage")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21211, ReceiptKind.PERMANENT),
        (400, 21610, ReceiptKind.PERMANENT),
        (400, 21611, ReceiptKind.TEMPORARY),
        (400, 30001, ReceiptKind.TEMPORARY),
        (429, 20429, ReceiptKind.TEMPORARY),
        (503, 20503, ReceiptKind.TEMPORARY),
    ],
    ids=["no such number", "opted out", "sender's queue full", "queue overflow", "not processed", "not available"],
)  # fmt: skip
def test_a_refusal_is_for_good_only_if_it_is_of_the_message(
    status: int, code: int, kind: ReceiptKind
) -> None:
    phone = Phone()
    phone.twilio.script.append(answer(status, json.dumps({"code": code, "message": "x", "status": status})))
    assert phone.text(ANSWERABLE).kind is kind


@pytest.mark.parametrize("spelled", [TO, TO.replace("+", "%2B")])
def test_a_refusal_that_names_a_phone_is_kept_without_its_number(spelled: str) -> None:
    """Whoever may read pages need not know everybody's phone; the last digits tell which it is."""
    phone = Phone()
    said = {"code": 21211, "message": "x" * 150 + f" {spelled} is not a valid phone number", "status": 400}
    phone.twilio.script.append(answer(400, json.dumps(said)))
    detail = phone.text(ANSWERABLE).detail
    assert TO[1:9] not in detail
    assert f"+…{TO[-2:]}" in detail


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>captive portal</html>", ReceiptKind.TEMPORARY),
        ("[]", ReceiptKind.TEMPORARY),
        ('{"sid": "SM1", "status": "failed", "error_code": 30005}', ReceiptKind.PERMANENT),
        ('{"sid": "SM1", "status": "queued"}', ReceiptKind.OK),
    ],
    ids=["somebody else answers", "nothing was made", "failed at once", "queued"],
)
def test_it_counts_as_taken_when_it_has_a_name_there(body: str, kind: ReceiptKind) -> None:
    phone = Phone()
    phone.twilio.script.append(answer(201, body))
    assert phone.text(ANSWERABLE).kind is kind


# ------------------------------------------------------------ after silence


@pytest.mark.parametrize(
    ("arrived", "look", "sent", "marked"),
    [
        ("queued", None, 1, False),
        ("delivered", None, 1, False),
        ("undelivered", None, 2, False),
        ("", None, 1, False),
        ("queued", Unreachable("nobody there"), 2, True),
        ("queued", answer(200, "<html>"), 2, True),
        ("queued", answer(500, "oops"), 2, True),
    ],
    ids=["it waits there", "it arrived", "it was lost there", "it never left", "nobody can look", "a list of nothing", "no list"],
)  # fmt: skip
def test_after_silence_a_text_is_looked_for_before_it_is_sent_again(
    arrived: str, look: Any, sent: int, *, marked: bool
) -> None:
    phone = Phone()
    phone.twilio.script.append(Ambiguous("no answer") if arrived else Unreachable("not connected"))
    first = phone.text(ANSWERABLE)
    assert first.kind is (ReceiptKind.AMBIGUOUS if arrived else ReceiptKind.TEMPORARY)
    for text in phone.twilio.texts:
        text["status"] = arrived
    phone.twilio.script += [look] if look is not None else []
    again = phone.text(replace(ANSWERABLE, maybe=True))
    assert again.kind is ReceiptKind.OK
    assert len(phone.bodies) == sent
    assert phone.bodies[-1].startswith(REPEAT) is marked
    assert again.provider_id == phone.twilio.texts[-1]["sid"]


def test_the_text_of_another_page_is_not_taken_for_this_one() -> None:
    phone = Phone()
    phone.text(replace(ANSWERABLE, key="sf-1/1/0/ana/x.0/remind"))
    phone.text(replace(ANSWERABLE, maybe=True))
    assert len(phone.bodies) == 2


@pytest.mark.parametrize("state", ["queued", "ringing", "in-progress"])
def test_a_phone_that_rings_already_is_not_called_on_top(state: str) -> None:
    """A call's record tells of no delivery; what it tells at its end does."""
    phone = Phone()
    phone.twilio.script.append(Ambiguous("no answer"))
    assert phone.call(ANSWERABLE).kind is ReceiptKind.AMBIGUOUS
    phone.twilio.calls[0]["status"] = state
    again = phone.call(replace(ANSWERABLE, maybe=True))
    assert (again.kind, again.retry_after) == (ReceiptKind.TEMPORARY, 30.0)
    assert len(phone.twilio.calls) == 1


@pytest.mark.parametrize("look", [None, Unreachable("nobody there")], ids=["it is over", "nobody can look"])
def test_a_call_that_nobody_knows_of_is_made_again_and_says_so(look: Any) -> None:
    phone = Phone()
    phone.twilio.script.append(Ambiguous("no answer"))
    phone.call(ANSWERABLE)
    phone.twilio.calls[0]["status"] = "no-answer"
    phone.twilio.script += [look] if look is not None else []
    assert phone.call(replace(ANSWERABLE, maybe=True)).kind is ReceiptKind.OK
    assert ["may be a repeat" in heard for heard in phone.heard] == [False, True]


# ------------------------------------------------------------ what check says


@pytest.mark.parametrize(
    ("account", "kind", "doubt"),
    [
        (None, "voice", "add the account"),
        ({"from": "FLEETMEND"}, "voice", "no number to call from"),
        ({"from": "MG" + "0" * 32}, "voice", "no number to call from"),
        ({"from": "FLEETMEND"}, "sms", "cannot be replied to"),
        ({"from": "MG" + "0" * 32, "call_from": FROM}, "voice", ""),
        ({"from": "MG" + "0" * 32}, "sms", ""),
        ({"from": FROM}, "voice", ""),
    ],
)
def test_what_cannot_call_or_be_answered_is_doubted(
    account: dict[str, str] | None, kind: str, doubt: str
) -> None:
    given = shared(**account) if account is not None else Shared()
    doubts = (
        Voice().doubts(VoiceSpec(to=TO), given) if kind == "voice" else Sms().doubts(SmsSpec(to=TO), given)
    )
    assert [doubt in found for found in doubts] == ([True] if doubt else [])


def test_without_a_number_to_call_from_nothing_is_asked_of_twilio() -> None:
    phone = Phone()
    assert phone.call(ANSWERABLE, shared(**{"from": "FLEETMEND"})).kind is ReceiptKind.PERMANENT
    assert phone.call(ANSWERABLE, Shared()).kind is ReceiptKind.PERMANENT
    assert phone.http.requests == []


def test_a_number_to_call_is_checked_where_it_stands() -> None:
    people = {"ana": PersonSpec(name="Ana", channels=({"voice": "0612345678"},))}
    _, faults = address_book(people, {}, Environment({}).context)
    assert faults[0].path == ("people", "ana", "channels", 0, "voice", "to")


def test_hostile_text_is_heard_as_words() -> None:
    phone = Phone()
    phone.call(replace(ANSWERABLE, headline=UGLY + "</Say><Dial>+15550009999</Dial>"))
    [call] = phone.twilio.calls
    assert "Dial over" in phone.heard[0]
    assert "<Dial>" not in call["asked"]["Twiml"]
