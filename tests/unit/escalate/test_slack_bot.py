"""Slack's bot: one message an incident, changed as it goes on, everything else in its thread."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from config.secrets import Environment
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import AddressBook, Entry
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.slack import Slack, SlackSpec
from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.post import deliver
from daemon.incidents.records import PageEvent
from remediations.ports import Ambiguous
from tests.fakes.channel_benches import page
from tests.fakes.ports import FakeClock, FakeHttp, answer
from tests.fakes.slack_api import CHANNEL, ROOM, TOKEN, URL, USER, FakeSlackApi

ACK_LINK = ("Acknowledge", "https://fleetmend.example.org/a/t0ken")
SECRETS = Environment({"T": TOKEN, "S": "signing-secret-of-the-app"})


@dataclass
class Desk:
    """A bot before its workspace. `acting`: presses come back to us."""

    channel: str = CHANNEL
    acting: bool = True
    api: FakeSlackApi = field(default_factory=FakeSlackApi)

    def __post_init__(self) -> None:
        app: dict[str, Any] = {"token": {"env": "T"}}
        if self.acting:
            app |= {"signing_secret": {"env": "S"}, "users": {USER: "ana"}}
        self.shared = Shared.model_validate({"slack": app}, context=SECRETS.context)
        self.spec = SlackSpec.model_validate(Slack().normal(self.channel))
        clock = FakeClock()
        self.doors = Doors(FakeHttp(clock).on("POST", URL, self.api), clock, lambda text: text)

    def send(self, message: Message, *, short: bool = False) -> Receipt:
        return Slack().send(message, self.spec, self.shared, self.doors, 1_010.0, short=short)

    def later(self, first: Receipt, event: PageEvent, note: str = "", **more: Any) -> Receipt:
        """Something that follows the page."""
        told = replace(
            page(event, **more), note=note, first=first.provider_id, page=("[CRIT L1] Hot", "Impact: 1 of 3 tiers.")
        )  # fmt: skip
        return self.send(told)


def page_to_answer(**more: Any) -> Message:
    return page(links=(*page().links, ACK_LINK), token="t0ken", **more)


def header(message: dict[str, Any]) -> str:
    return str(message["blocks"][0]["text"]["text"])


def buttons(message: dict[str, Any]) -> dict[str, str]:
    """Name of a button to where it leads, or to the value it brings back."""
    rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    return {one["action_id"]: one.get("url") or one["value"] for row in rows for one in row}


def test_a_page_can_be_acknowledged_and_escalated_where_it_stands() -> None:
    desk = Desk()
    receipt = desk.send(page_to_answer())
    assert receipt.provider_id == f"{CHANNEL}/1767600001.000100"
    assert buttons(desk.api.posted[0]) == {
        "fleetmend-ack": "t0ken",
        "fleetmend-escalate": "t0ken",
        "open-0": page().links[0][1],
    }


def test_getting_somebody_out_of_bed_is_asked_for_twice() -> None:
    desk = Desk()
    desk.send(page_to_answer())
    rows = [block["elements"] for block in desk.api.posted[0]["blocks"] if block["type"] == "actions"]
    sure = {one["action_id"]: "confirm" in one for row in rows for one in row}
    assert sure == {"fleetmend-ack": False, "fleetmend-escalate": True, "open-0": False}


@pytest.mark.parametrize(
    ("acting", "token", "why"),
    [
        (False, "t0ken", "nothing here would hear the press"),
        (True, "", "nothing could prove the press ours"),
    ],
)
def test_where_a_press_would_do_nothing_there_is_a_link_instead(
    *, acting: bool, token: str, why: str
) -> None:
    desk = Desk(acting=acting)
    desk.send(replace(page_to_answer(), token=token))
    assert ACK_LINK[1] in buttons(desk.api.posted[0]).values(), why
    assert "fleetmend-ack" not in buttons(desk.api.posted[0])


def test_an_acknowledgement_changes_the_page_and_keeps_what_it_said() -> None:
    desk = Desk()
    first = desk.send(page_to_answer())
    desk.later(first, PageEvent.STATUS, "acked", headline="[NOTE] Hot: Acknowledged by ana", token="t0ken")
    page_now, reply = desk.api.posted
    assert header(page_now).startswith("👀 Acknowledged · [CRIT L1] Hot")
    assert "Acknowledged by ana" in json.dumps(page_now, ensure_ascii=False)
    assert "Impact: 1 of 3 tiers." in json.dumps(page_now)
    assert list(buttons(page_now)) == ["fleetmend-escalate", "open-0"]
    assert reply["thread_ts"] == page_now["ts"]


@pytest.mark.parametrize(
    ("event", "note", "word"),
    [
        (PageEvent.STATUS, "recovered", "🟢 Recovered, still watched"),
        (PageEvent.RESOLVE, "", "✅ Resolved"),
    ],
)
def test_recovery_and_end_stand_on_the_first_message_which_asks_nothing_any_more(
    event: PageEvent, note: str, word: str
) -> None:
    desk = Desk()
    first = desk.send(page_to_answer())
    desk.later(first, event, note, links=(*page().links, ACK_LINK))
    page_now, reply = desk.api.posted
    assert header(page_now).startswith(word)
    assert [block["type"] for block in reply["blocks"]] == ["header", "context"], (
        "the first one says the rest"
    )
    assert not {"fleetmend-ack", "fleetmend-escalate"} & buttons(page_now).keys()
    assert reply["thread_ts"] == page_now["ts"]


@pytest.mark.parametrize(
    ("event", "aloud"), [(PageEvent.ESCALATE, True), (PageEvent.REMIND, True), (PageEvent.STATUS, False)]
)
def test_what_follows_stands_in_the_thread_and_is_shown_to_all_if_it_asks_for_hands(
    event: PageEvent, *, aloud: bool
) -> None:
    desk = Desk()
    first = desk.send(page_to_answer())
    before = header(desk.api.posted[0])
    desk.later(first, event, "L2")
    assert header(desk.api.posted[0]) == before
    assert (desk.api.posted[1]["thread_ts"], desk.api.posted[1]["reply_broadcast"]) == (
        first.provider_id.partition("/")[2],
        aloud,
    )


@pytest.mark.parametrize("gone", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_first_message_that_is_gone_keeps_nothing_from_being_told(gone: str) -> None:
    desk = Desk()
    first = desk.send(page_to_answer())
    desk.api.errors = [gone]
    assert desk.later(first, PageEvent.RESOLVE).kind is ReceiptKind.OK
    assert "thread_ts" not in desk.api.posted[1]


def test_a_thread_that_is_gone_keeps_nothing_from_being_told() -> None:
    desk = Desk()
    first = desk.send(page_to_answer())
    desk.api.posted.clear()
    assert desk.later(first, PageEvent.ESCALATE).kind is ReceiptKind.OK
    assert "thread_ts" not in desk.api.posted[0]


def test_a_person_is_told_in_their_own_room_and_changed_there() -> None:
    desk = Desk(channel=USER)
    first = desk.send(page_to_answer())
    assert first.provider_id.startswith(f"{ROOM}/")
    desk.later(first, PageEvent.RESOLVE)
    assert header(desk.api.rooms[ROOM][0]).startswith("✅ Resolved")


def test_the_longest_page_is_known_to_have_arrived_though_slack_says_all_of_it_back() -> None:
    """Its answer holds the message, each letter beyond ASCII as six or twelve."""
    desk = Desk()
    receipt = desk.send(page(parts=("🚚" * 3_000,) * 4))
    assert (receipt.kind, receipt.provider_id != "") == (ReceiptKind.OK, True)


# ------------------------------------------------------------ what may have arrived


@pytest.mark.parametrize("channel", [CHANNEL, USER])
@pytest.mark.parametrize("thread", [False, True], ids=["page", "reply"])
def test_what_may_have_arrived_is_looked_for_before_it_is_sent_again(channel: str, *, thread: bool) -> None:
    """Slack has nothing by which a second post could be known as the first."""
    desk = Desk(channel=channel)
    first = desk.send(page_to_answer()).provider_id if thread else ""
    told = replace(page(PageEvent.ESCALATE), first=first)
    desk.api.script.append(Ambiguous("no answer in time"))
    assert desk.send(told).kind is ReceiptKind.AMBIGUOUS
    receipt = desk.send(replace(told, maybe=True))
    assert receipt.kind is ReceiptKind.OK
    posted = [one for room in desk.api.rooms.values() for one in room]
    assert len(posted) == (2 if thread else 1)
    assert receipt.provider_id.partition("/")[2] == posted[-1]["ts"]


def test_where_nobody_can_look_the_second_says_that_it_may_be_a_repeat() -> None:
    desk = Desk()
    desk.api.readable = False
    desk.send(page())
    assert desk.send(replace(page(), maybe=True)).kind is ReceiptKind.OK
    first, second = desk.api.posted
    assert "(may be a repeat)" in json.dumps(second)
    assert "(may be a repeat)" not in json.dumps(first)


def test_a_page_that_did_not_arrive_is_posted() -> None:
    desk = Desk()
    desk.send(page(key="another/page"))
    assert desk.send(replace(page(), maybe=True)).kind is ReceiptKind.OK
    assert len(desk.api.posted) == 2


# ------------------------------------------------------------ what a 200 says


@pytest.mark.parametrize(("error", "kind", "status"), [
    ("ratelimited", ReceiptKind.TEMPORARY, 429),
    ("message_limit_exceeded", ReceiptKind.TEMPORARY, 429),
    ("service_unavailable", ReceiptKind.TEMPORARY, 200),
    ("an_error_of_next_year", ReceiptKind.TEMPORARY, 200),
    ("fatal_error", ReceiptKind.AMBIGUOUS, 200),
    ("internal_error", ReceiptKind.AMBIGUOUS, 200),
    ("channel_not_found", ReceiptKind.PERMANENT, 404),
    ("is_archived", ReceiptKind.PERMANENT, 410),
    ("invalid_auth", ReceiptKind.PERMANENT, 401),
    ("token_revoked", ReceiptKind.PERMANENT, 401),
    ("account_inactive", ReceiptKind.PERMANENT, 401),
    ("not_in_channel", ReceiptKind.PERMANENT, 403),
    ("missing_scope", ReceiptKind.PERMANENT, 403),
    ("restricted_action", ReceiptKind.PERMANENT, 403),
    ("msg_too_long", ReceiptKind.PERMANENT, 400),
    ("invalid_blocks", ReceiptKind.PERMANENT, 400),
])  # fmt: skip
def test_an_error_inside_a_200_means_what_it_says(error: str, kind: ReceiptKind, status: int) -> None:
    desk = Desk()
    desk.api.errors = [error]
    receipt = desk.send(page())
    assert (receipt.kind, receipt.status, receipt.detail) == (kind, status, error)
    assert desk.api.posted == []


def test_what_is_refused_for_its_form_goes_again_once_in_short() -> None:
    desk = Desk()
    desk.api.errors = ["msg_too_long"]
    book, entry = AddressBook({}, desk.shared), Entry(Slack(), desk.spec)
    receipt = deliver(page_to_answer(), page(), entry, book, desk.doors, 1_010.0)
    assert (receipt.kind, receipt.shortened) == (ReceiptKind.OK, True)
    assert list(buttons(desk.api.posted[0])) == ["fleetmend-ack", "fleetmend-escalate"]


def test_being_told_inside_a_200_when_to_come_again_is_heeded() -> None:
    desk = Desk()
    desk.api.script.append(answer(200, b'{"ok": false, "error": "ratelimited"}', {"Retry-After": "7"}))
    assert desk.send(page()).retry_after == 7.0


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b"<html>captive portal</html>", b'{"ok": 1}', b"\xff"])
def test_a_200_that_is_none_of_slacks_is_no_post(body: bytes) -> None:
    desk = Desk()
    desk.api.script.append(answer(200, body))
    assert desk.send(page()).kind is ReceiptKind.TEMPORARY


def test_a_change_that_fails_for_now_is_done_before_anything_is_said() -> None:
    desk = Desk()
    first = desk.send(page_to_answer())
    for trouble in ("internal_error", "service_unavailable"):
        desk.api.errors = [trouble]
        assert desk.later(first, PageEvent.RESOLVE).kind is ReceiptKind.TEMPORARY
    assert len(desk.api.posted) == 1
    assert desk.later(first, PageEvent.RESOLVE).kind is ReceiptKind.OK
    assert len(desk.api.posted) == 2


# ------------------------------------------------------------ how it is configured


def test_without_a_token_nothing_is_sent_and_the_check_says_so() -> None:
    spec = SlackSpec.model_validate({"channel": CHANNEL})
    assert "token" in Slack().doubts(spec, Shared())[0]
    desk = Desk()
    receipt = Slack().send(page(), spec, Shared(), desk.doors, 1_010.0, short=False)
    assert (receipt.kind, desk.api.calls) == (ReceiptKind.PERMANENT, [])


def test_a_token_sent_in_the_clear_is_doubted() -> None:
    app = {"token": {"env": "T"}, "url": "http://slack.example.org/api"}
    shared = Shared.model_validate({"slack": app}, context=SECRETS.context)
    assert Slack().doubts(SlackSpec(channel=CHANNEL), shared) == ["the bot's token is sent in the clear"]


def test_another_token_than_a_bots_is_doubted() -> None:
    environment = Environment({"U": "xoxp-a-token-of-a-user"})
    spec = SlackSpec.model_validate({"channel": CHANNEL, "token": {"env": "U"}}, context=environment.context)
    assert Slack().doubts(spec, Shared()) == ["a bot's token begins with xoxb-"]


@pytest.mark.parametrize(("written", "why"), [
    ({}, "neither"),
    ({"url": {"env": "T"}, "channel": CHANNEL}, "both"),
    ({"channel": "#incidents"}, "a name, which anybody may change"),
    ({"url": {"env": "T"}, "token": {"env": "T"}}, "a token at a webhook"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_where_it_stands(written: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SlackSpec.model_validate(written, context=SECRETS.context)
    assert why
