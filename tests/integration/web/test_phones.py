"""Phones tell back: a key or a reply acknowledges for whose phone it is, and nobody else's word does anything."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.registry import address_book
from daemon.escalate.channels.twilio import BACK, code_of, digit_url, status_url
from daemon.escalate.channels.twilio_back import Phones, phones_of
from daemon.incidents.change import Change
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from daemon.web.sessions import LINK_HOLDS, Sessions
from tests.fakes import rows, twilio
from tests.fakes.face import Face
from tests.fakes.scene import HOT, MENDED, NOW, SILENT
from tests.fakes.twilio import FROM, HOME, SID, TO, TOKEN

BENS, SHARED, STRANGER = "+33612340000", "+33612349999", "+33699999999"
OLD = "twilio-token-of-last-year"
TEXTS = f"{HOME}{BACK}/text"


def phones(token: Any = None) -> Phones:
    """Ana has `TO`, ben `BENS`, and both the phone on duty."""
    people = {
        "ana": PersonSpec(name="Ana", channels=({"voice": TO}, {"sms": TO}, {"sms": SHARED})),
        "ben": PersonSpec(name="Ben", channels=({"sms": BENS}, {"sms": SHARED})),
    }
    account = {"account_sid": SID, "auth_token": token or {"env": "T"}, "from": FROM}
    context = Environment({"T": TOKEN, "OLD": OLD}).context
    found = phones_of(address_book(people, {"twilio": account}, context)[0])
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _configured(face: Face, store: Store) -> None:
    face.phones, face.public_url = phones(), HOME
    sent = {"event": PageEvent.TRIGGER, "channel": "sms", "state": DeliveryState.ACCEPTED}
    with store.write() as uow:
        uow.apply(
            Change(
                deliveries=tuple(
                    rows.delivery(f"{name}/1/0/{who}/sms.{n}/trigger", incident=name, person=who, created_at=at, **sent)
                    for name, who, n, at in (
                        (SILENT, "ana", 1, NOW - 600),
                        (SILENT, "ben", 0, NOW - 300),
                        (HOT, "ana", 1, NOW - 200),
                        (MENDED, "ana", 1, NOW - 7_200),
                    )
                )
            )
        )  # fmt: skip


def post(
    client: TestClient, url: str, form: Mapping[str, str], token: str = TOKEN, header: str | None = None
) -> Any:
    """As Twilio posts: to the path behind the proxy, signed over the address outside."""
    signed = twilio.signature(url, form, token) if header is None else header
    place = urlsplit(url)
    path = place.path + (f"?{place.query}" if place.query else "")
    return client.post(path, data=dict(form), headers={"X-Twilio-Signature": signed})


def code(incident: str = SILENT, phone: str = TO) -> str:
    return code_of(phones().account, incident, phone)[0]


def reply(client: TestClient, body: str, sender: str = TO, **more: Any) -> str:
    form = {
        "From": sender,
        "To": FROM,
        "Body": body,
        "MessageSid": "SM" + "1" * 32,
        "NumMedia": "0",
        "FromCity": "",
    }
    answer = post(client, TEXTS, form, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    assert twilio.twiml_problems(answer.text, "Message") == []
    return twilio.heard(answer.text)


def address(face: Face, incident: str = SILENT, person: str = "ana", level: int = 1) -> str:
    return digit_url(HOME, Sessions(lambda: face.keys).link(incident, person, level, NOW))


def press(client: TestClient, url: str, digits: str = "1", **more: Any) -> Any:
    form = {"Digits": digits, "CallSid": "CA" + "1" * 32, "CallStatus": "in-progress", "From": FROM, "To": TO}
    answer = post(client, url, form, **more)
    if answer.status_code == 200:
        assert twilio.twiml_problems(answer.text, "Say", "Gather") == []
    return answer


# ------------------------------------------------------------ who may speak


@pytest.mark.parametrize("path", ["/text", "/status/YQ", "/digit/x"])
@pytest.mark.parametrize("header", ["", "AAAA", "\u00e9", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="])
def test_what_the_account_did_not_sign_changes_nothing(
    client: TestClient, face: Face, path: str, header: str
) -> None:
    form = {"From": TO, "Body": code(), "Digits": "1", "MessageStatus": "delivered"}
    signed = header if header.isascii() else header.encode("latin-1").decode("latin-1").encode().hex()
    assert post(client, f"{HOME}{BACK}{path}", form, header=signed).status_code == 403
    assert face.record.orders == []


def test_a_signature_is_of_this_address_and_these_words(client: TestClient, face: Face) -> None:
    form = {"From": TO, "Body": code()}
    signed = twilio.signature(TEXTS, form)
    assert post(client, TEXTS, {**form, "From": BENS}, header=signed).status_code == 403
    assert post(client, f"{TEXTS}?x=1", form, header=signed).status_code == 403
    assert post(client, TEXTS, {**form, "Extra": "1"}, header=signed).status_code == 403
    assert face.record.orders == []


@pytest.mark.parametrize("port", ["", ":443"])
def test_whether_the_usual_port_is_spelled_out_does_not_matter(
    client: TestClient, face: Face, port: str
) -> None:
    face.public_url = HOME
    form = {"From": TO, "Body": code()}
    signed = twilio.signature(TEXTS.replace(".org", f".org{port}"), form)
    assert post(client, TEXTS, form, header=signed).status_code == 200
    assert len(face.record.orders) == 1


def test_an_address_below_a_path_is_signed_as_it_is_outside(client: TestClient, face: Face) -> None:
    """A proxy takes the beginning of the path away."""
    face.public_url = f"{HOME}/fleet/"
    form = {"From": TO, "Body": code()}
    outside = twilio.signature(TEXTS.replace(".org", ".org/fleet"), form)
    assert post(client, TEXTS, form, header=outside).status_code == 200
    assert post(client, TEXTS, form).status_code == 403
    assert len(face.record.orders) == 1


def test_the_signature_of_the_vendors_own_example_fits(client: TestClient, face: Face) -> None:
    """Twilio docs, "Webhooks security"."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    assert twilio.signature("https://mycompany.com/myapp.php?foo=1&bar=2", form, "12345") == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_looking_changes_nothing(client: TestClient, face: Face, method: str) -> None:
    for url in (TEXTS, address(face), status_url(HOME, "k")):
        assert client.request(method, urlsplit(url).path).status_code == 405
    assert face.record.orders == []


@pytest.mark.parametrize("path", ["/text", "/status/YQ", "/digit/x"])
def test_without_an_account_there_is_nothing_to_post_to(client: TestClient, face: Face, path: str) -> None:
    face.phones = None
    assert post(client, f"{HOME}{BACK}{path}", {"Body": "x"}).status_code == 404


def test_a_form_of_a_thousand_fields_is_none(client: TestClient) -> None:
    assert post(client, TEXTS, {f"f{n}": "" for n in range(1_000)}).status_code == 400
    assert client.post(urlsplit(TEXTS).path, content=b"x" * 70_000).status_code == 413


def test_while_the_token_is_changed_either_counts(client: TestClient, face: Face) -> None:
    face.phones = phones([{"env": "T"}, {"env": "OLD"}])
    for token in (TOKEN, OLD):
        reply(client, code_of(face.phones.account, SILENT, TO)[0], token=token)
    reply(client, code_of(face.phones.account, SILENT, TO)[1])
    assert [order.kind for order in face.record.orders] == ["ack"] * 3


# ------------------------------------------------------------ replies to texts


@pytest.mark.parametrize("written", ["{}", "ACK {}", "ack{}", " Ack #{} ", "{}.", "ack: {}!"])
def test_a_reply_with_the_code_acknowledges_for_whose_phone_it_is(
    client: TestClient, face: Face, written: str
) -> None:
    answer = reply(client, written.format(code()))
    [order] = face.record.orders
    assert (order.kind, order.incident, order.who, order.via) == ("ack", SILENT, "ana", "sms")
    assert answer.startswith(f"Acknowledged {SILENT}. L2 is still paged at 04:25 CET / 03:25Z")


def test_a_reply_that_comes_twice_does_no_harm(client: TestClient, face: Face) -> None:
    assert reply(client, code()) == reply(client, code())
    assert {order.kind for order in face.record.orders} == {"ack"}


@pytest.mark.parametrize(
    ("sender", "body", "told"),
    [
        (STRANGER, "CODE", "does not know yours"),
        (BENS, "CODE", "has this code"),
        (TO, "000000", "has this code"),
        (TO, "on it", "six digits"),
        (TO, "12345", "six digits"),
        (TO, "my pin is CODE, thanks", "six digits"),
        (TO, "", "six digits"),
        ("", "CODE", "does not know yours"),
        (TO, "STOP", ""),
        (TO, " Help ", ""),
    ],
    ids=["a stranger", "another phone's code", "no code of ours", "words", "half a code", "a code within words", "nothing", "no sender", "Twilio's own word", "another"],
)  # fmt: skip
def test_anything_else_changes_nothing_and_says_what_would(
    client: TestClient, face: Face, sender: str, body: str, told: str
) -> None:
    answer = reply(client, body.replace("CODE", code()), sender)
    assert face.record.orders == []
    assert told in answer
    assert bool(answer) is bool(told)
    assert ("Nothing was changed" in answer) is bool(told)


def test_who_shares_a_phone_is_told_apart_by_who_was_sent_the_page(client: TestClient, face: Face) -> None:
    reply(client, code(HOT, SHARED), SHARED)
    reply(client, code(SILENT, SHARED), SHARED)
    assert [(order.incident, order.who) for order in face.record.orders] == [(HOT, "ana"), (SILENT, "ben")]


def test_a_late_reply_is_a_note(client: TestClient, face: Face) -> None:
    assert "It was over already" in reply(client, code(MENDED))
    assert [order.incident for order in face.record.orders] == [MENDED]


def test_a_code_holds_for_a_day(client: TestClient, face: Face) -> None:
    face.clock.at = NOW - 600 + 86_399
    reply(client, code())
    assert len(face.record.orders) == 1
    face.clock.at += 1
    assert "has this code" in reply(client, code())
    assert len(face.record.orders) == 1


def test_codes_cannot_be_tried_out(client: TestClient, face: Face) -> None:
    """The sender of a text can be forged. A try counts from when it comes, so thirty at once are no more than five."""
    with ThreadPoolExecutor(30) as senders:
        said = list(senders.map(lambda number: reply(client, f"{number:06d}"), range(30)))
    assert sum(map(bool, said)) == 5
    assert reply(client, code()) == ""
    assert face.record.orders == []
    assert reply(client, code(SILENT, BENS), BENS).startswith("Acknowledged"), "others are heard meanwhile"
    face.clock.at += 900
    assert reply(client, code()).startswith("Acknowledged")


def test_an_automatic_reply_to_our_reply_ends(client: TestClient, face: Face) -> None:
    """Case 18: whoever answers every text that comes is not answered for ever."""
    answers = [reply(client, "I am driving.", STRANGER) for _ in range(30)]
    assert sum(bool(answer) for answer in answers) == 20
    assert sum(bool(reply(client, "I am driving.")) for _ in range(10)) == 5
    assert face.record.orders == []


def test_a_reply_that_cannot_be_kept_is_asked_for_again(client: TestClient, face: Face) -> None:
    face.record.raises = OSError("disk full")
    assert "Send it again" in reply(client, code())
    face.record.raises = None
    assert reply(client, code()).startswith("Acknowledged")


# ------------------------------------------------------------ keys in calls


def test_pressing_1_acknowledges_for_who_was_called(client: TestClient, face: Face) -> None:
    answer = press(client, address(face))
    [order] = face.record.orders
    assert (order.kind, order.incident, order.who, order.via) == ("ack", SILENT, "ana", "voice")
    assert "level 2 is still paged at 04:25 CET / 03:25 U T C" in twilio.heard(answer.text)


def test_pressing_2_pages_the_next_level_once(client: TestClient, face: Face, store: Store) -> None:
    assert "paged now" in press(client, address(face), "2").text
    assert "paged already" in press(client, address(face), "2").text
    assert [(order.kind, order.who) for order in face.record.orders] == [("escalate", "ana")]
    with store.write() as uow:
        escalation = uow.escalations.get(SILENT)
        assert escalation is not None
        uow.inbox.settle_order(1, uow.inbox.order(1).state.DONE, "")  # type: ignore[union-attr]  # it is there
        uow.apply(Change(escalation=replace(escalation, level=2)))
    assert "paged already" in press(client, address(face), "2").text
    assert len(face.record.orders) == 1


@pytest.mark.parametrize("digits", ["", "3", "0", "*", "#", "11", "\u0661"])
def test_no_other_key_does_anything_and_it_asks_again(client: TestClient, face: Face, digits: str) -> None:
    answer = press(client, address(face), digits)
    assert face.record.orders == []
    assert (
        twilio.action_of(answer.text)
        == address(face)[: len(HOME)] + urlsplit(twilio.action_of(answer.text)).path
    )


def test_a_call_of_yesterday_acknowledges_nothing(client: TestClient, face: Face) -> None:
    url = address(face)
    face.clock.at = NOW + LINK_HOLDS
    assert "Nothing was done" in press(client, url).text
    assert "Nothing was done" in press(client, digit_url(HOME, "x.y")).text
    assert face.record.orders == []


def test_an_end_is_not_escalated(client: TestClient, face: Face) -> None:
    assert "over already" in press(client, address(face, MENDED), "2").text
    assert "no such incident" in press(client, address(face, "sf-zzzzzz")).text
    assert face.record.orders == []
    assert "It was over already" in press(client, address(face, MENDED)).text
    assert [order.kind for order in face.record.orders] == ["ack"]


def test_a_key_that_cannot_be_kept_is_asked_for_again(client: TestClient, face: Face) -> None:
    face.record.raises = OSError("disk full")
    answer = press(client, address(face))
    assert "could not be recorded" in twilio.heard(answer.text)
    assert twilio.action_of(answer.text)


# ------------------------------------------------------------ what became of it

KEY = f"{SILENT}/1/0/ana/sms.1/trigger"


@pytest.mark.parametrize(
    ("form", "fate"),
    [
        ({"MessageStatus": "delivered", "MessageSid": "SM1"}, "delivered"),
        ({"MessageStatus": "read", "MessageSid": "SM1"}, "seen"),
        ({"MessageStatus": "undelivered", "MessageSid": "SM1", "ErrorCode": "30003"}, "undelivered"),
        ({"MessageStatus": "failed", "MessageSid": "SM1"}, "undelivered"),
        ({"MessageStatus": "canceled", "MessageSid": "SM1"}, "undelivered"),
        ({"MessageStatus": "queued", "MessageSid": "SM1"}, None),
        ({"MessageStatus": "sending", "MessageSid": "SM1"}, None),
        ({"MessageStatus": "sent", "MessageSid": "SM1"}, None),
        ({"MessageStatus": "a state of next year", "MessageSid": "SM1"}, None),
        ({}, None),
        ({"CallStatus": "in-progress", "CallSid": "CA1", "SequenceNumber": "2"}, "delivered"),
        ({"CallStatus": "completed", "CallSid": "CA1", "SequenceNumber": "3"}, "delivered"),
        ({"CallStatus": "busy", "CallSid": "CA1", "SequenceNumber": "3"}, "undelivered"),
        ({"CallStatus": "no-answer", "CallSid": "CA1", "SequenceNumber": "3"}, "undelivered"),
        ({"CallStatus": "failed", "CallSid": "CA1", "SequenceNumber": "3"}, "undelivered"),
        ({"CallStatus": "canceled", "CallSid": "CA1", "SequenceNumber": "3"}, "undelivered"),
        ({"CallStatus": "ringing", "CallSid": "CA1", "SequenceNumber": "1"}, None),
        ({"CallStatus": "initiated", "CallSid": "CA1", "SequenceNumber": "0"}, None),
    ],
    ids=lambda value: " ".join(value.values()) or "nothing" if isinstance(value, dict) else "",
)
def test_what_became_of_it_is_booked_for_its_delivery(
    client: TestClient, face: Face, form: dict[str, str], fate: str | None
) -> None:
    """A call that was answered was answered, by a machine perhaps: it is no acknowledgement."""
    assert post(client, status_url(HOME, KEY), form).status_code == 204
    assert [order.args["fate"] for order in face.record.orders] == ([fate] if fate else [])
    assert all(order.kind == "receipt" and order.args["key"] == KEY for order in face.record.orders)


def test_of_an_end_that_went_as_a_text_the_call_s_row_is_told(
    client: TestClient, face: Face, store: Store
) -> None:
    key = f"{SILENT}/1/0/ana/voice.0/resolve"
    with store.write() as uow:
        uow.apply(Change(deliveries=(rows.delivery(key, incident=SILENT, channel="voice"),)))
    post(client, status_url(HOME, key), {"MessageStatus": "delivered", "MessageSid": "SM1"})
    assert [order.via for order in face.record.orders] == ["voice"]


def test_the_providers_own_count_tells_older_news(client: TestClient, face: Face) -> None:
    form = {"CallStatus": "completed", "CallSid": "CA1", "SequenceNumber": "3"}
    post(client, status_url(HOME, KEY), form)
    post(client, status_url(HOME, KEY), {**form, "SequenceNumber": "x"})
    assert [order.args["sequence"] for order in face.record.orders] == [4, None]


@pytest.mark.parametrize("spelled", ["a", "_____w", "-" * 1_001, "YQ"])
def test_what_names_no_delivery_is_not_there(client: TestClient, face: Face, spelled: str) -> None:
    assert post(client, f"{HOME}{BACK}/status/{spelled}", {"MessageStatus": "sent"}).status_code == 404


def test_what_cannot_be_kept_is_not_called_done(client: TestClient, face: Face) -> None:
    face.record.raises = OSError("disk full")
    assert post(client, status_url(HOME, KEY), {"MessageStatus": "delivered"}).status_code == 503
