"""What is particular to Slack, Teams, ntfy and text messages beside what every channel owes (`tests/contract`)."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.secrets import Environment
from daemon.escalate.channels.ntfy import MAX_MESSAGE, Ntfy, NtfySpec
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import address_book
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.slack import Slack, SlackSpec
from daemon.escalate.channels.sms import PART, PARTS, Sms, SmsSpec, plain, septets
from daemon.escalate.channels.teams import Teams, TeamsSpec
from daemon.escalate.message import Message, ReceiptKind
from daemon.incidents.records import PageEvent
from remediations.ports import Request
from tests.fakes import ntfy, slack, teams
from tests.fakes.ports import EPOCH, FakeClock, FakeHttp, answer
from tests.fakes.slack import problems_of
from tests.fakes.teams import FakeTeams

ACK = "https://fleetmend.example.org/a/" + "t" * 100
LINKS = (("Incident", "https://fleetmend.example.org/incidents/sf-1"), ("Acknowledge", ACK))


def message(headline: str = "[CRIT L1] Hot storage is refusing writes", *parts: str, event: PageEvent = PageEvent.TRIGGER) -> Message:  # fmt: skip
    return Message(
        "sf-1/1/0/ana/x", "fleetmend/sf-1", "sf-1", event, "critical", 1, headline, EPOCH, parts, links=LINKS
    )


def doors(http: FakeHttp) -> Doors:
    return Doors(http, FakeClock(), lambda text: text)


def soon() -> float:
    return FakeClock().monotonic() + 10


# ------------------------------------------------------------ Slack


def slack_spec() -> SlackSpec:
    return SlackSpec.model_validate({"url": {"env": "U"}}, context=Environment({"U": slack.URL}).context)


@pytest.mark.parametrize(
    "hostile", ["<!channel> now", "<@U123>", "<https://evil.example|Acknowledge>", "a & b <c>"]
)
def test_nothing_in_a_text_mentions_anybody_or_becomes_a_link(hostile: str) -> None:
    rendered = Slack().render(message(hostile, hostile))
    assert problems_of(rendered) == []
    assert "<" not in rendered["text"]
    marked = [block for block in rendered["blocks"] if "mrkdwn" in json.dumps(block)]
    assert marked == [], "whatever is not plain text would be read as marks"


@pytest.mark.parametrize(("status", "said", "kind"), [
    (200, "ok", ReceiptKind.OK),
    (200, "<html>captive portal</html>", ReceiptKind.TEMPORARY),
    (403, "invalid_token", ReceiptKind.PERMANENT),
    (404, "no_service", ReceiptKind.PERMANENT),
    (410, "channel_is_archived", ReceiptKind.PERMANENT),
    (500, "rollup_error", ReceiptKind.TEMPORARY),
])  # fmt: skip
def test_slack_has_it_when_it_says_ok_and_not_when_it_answers(
    status: int, said: str, kind: ReceiptKind
) -> None:
    http = FakeHttp().on("POST", slack.URL, lambda _: answer(status, said))
    receipt = Slack().send(message(), slack_spec(), Shared(), doors(http), soon(), short=False)
    assert receipt.kind is kind


def test_what_a_page_asks_for_is_the_first_button_of_a_webhooks_message() -> None:
    (acts,) = [block for block in Slack().render(message())["blocks"] if block["type"] == "actions"]
    first, *others = acts["elements"]
    assert (first["text"]["text"], first["style"]) == ("Acknowledge", "primary")
    assert others
    assert not any("style" in button for button in others)


# ------------------------------------------------------------ Teams


@pytest.mark.parametrize("lenient", [True, False], ids=["inside a 200", "as a 413"])
def test_a_card_that_was_too_large_for_teams_counts_as_refused(*, lenient: bool) -> None:
    """Case 19: 200 with "HTTP error 413" in the body was not delivered."""
    fake = FakeTeams(lenient=lenient)
    http = FakeHttp().on("POST", teams.URL, fake)
    huge = {"type": "message", "attachments": [{"content": {"body": ["x" * 30_000]}}]}
    spec = TeamsSpec.model_validate({"url": {"env": "U"}}, context=Environment({"U": teams.URL}).context)
    channel = Teams()
    channel.render = lambda *_, **__: huge  # type: ignore[method-assign]  # a card that no message of ours can be
    receipt = channel.send(message(), spec, Shared(), doors(http), soon(), short=False)
    assert (receipt.kind, receipt.status) == (ReceiptKind.PERMANENT, 413)
    assert fake.posted == []


@given(
    st.lists(st.sampled_from(["\n\n", "\n", "x", '"', "](", "é", "👩‍👩‍👧‍👦", "\\"]), max_size=40),
    st.integers(1, 4_000),
)
@example(["x", "\n\n"], 4_000)
@example(["]("], 4_000)
def test_a_card_stays_far_below_what_teams_takes_however_it_is_counted(
    letters: list[str], times: int
) -> None:
    """Case 19: 24 453 sent bytes were counted as 28 897."""
    rendered = Teams().render(message("x", "".join(letters) * times))
    assert len(json.dumps(rendered, ensure_ascii=False).encode()) <= 16_000
    assert FakeTeams()(Request("POST", teams.URL, {}, json.dumps(rendered).encode())).status == 202


def test_no_text_becomes_a_link_in_a_card() -> None:
    rendered = json.dumps(
        Teams().render(message("x", "[Acknowledge](https://evil.example)")), ensure_ascii=False
    )
    assert "](" not in rendered


def test_a_retired_connector_is_refused_where_it_stands() -> None:
    address = "https://acme.webhook.office.com/webhookb2/x"
    with pytest.raises(ValueError, match="retired"):
        TeamsSpec.model_validate({"url": {"env": "U"}}, context=Environment({"U": address}).context)


# ------------------------------------------------------------ ntfy


@given(st.text(max_size=9_000))
def test_a_push_is_never_turned_into_an_attachment(text: str) -> None:
    rendered = Ntfy().render(message("x", text), "topic")
    assert len(rendered["message"].encode()) <= MAX_MESSAGE


@pytest.mark.parametrize(
    ("event", "priority"), [(PageEvent.TRIGGER, 5), (PageEvent.RESOLVE, 3), (PageEvent.HEADS_UP, 3)]
)
def test_only_what_asks_for_somebody_is_urgent(event: PageEvent, priority: int) -> None:
    assert Ntfy().render(message(event=event), "topic")["priority"] == priority


def test_a_push_acknowledges_by_one_tap_and_opening_it_changes_nothing() -> None:
    """The cheapest way there is: a POST of our own link from the notification, no browser and no login."""
    rendered = Ntfy().render(message(), "topic")
    acts = {action["url"]: (action["action"], action.get("method")) for action in rendered["actions"]}
    assert acts == {LINKS[0][1]: ("view", None), ACK: ("http", "POST")}
    assert rendered["click"] == LINKS[0][1]
    assert ntfy.problems_of(rendered) == []


def test_an_open_topic_that_anybody_can_guess_is_doubted() -> None:
    doubts = Ntfy().doubts(NtfySpec(url="https://ntfy.sh/fleet"), Shared())
    assert any("token" in doubt for doubt in doubts)


# ------------------------------------------------------------ text messages


@given(st.text(max_size=3_000))
def test_a_text_message_is_three_parts_at_most_in_the_narrow_alphabet(text: str) -> None:
    body = Sms().render(message(text, text))
    assert septets(body) <= PART * PARTS
    assert plain(body) == body
    assert "#" in body.splitlines()[-1]


def test_the_answer_comes_before_what_may_be_cut() -> None:
    body = Sms().render(message("[CRIT L1] Hot storage is refusing writes", "x" * 2_000))
    assert ACK in body
    assert body.startswith("[CRIT L1] Hot storage is refusing writes\n")


@pytest.mark.parametrize(
    ("written", "sent"),
    [("“late” – 5 €…", '"late" - 5 €...'), ("Müller à Łódź", "Müller à ?odz"), ("日本", "??")],
)
def test_typographic_letters_become_plain_ones(written: str, sent: str) -> None:
    assert plain(written) == sent


def test_without_an_account_nothing_is_sent_and_the_check_says_so() -> None:
    assert "channels.twilio" in Sms().doubts(SmsSpec(to="+33612345678"), Shared())[0]
    http = FakeHttp()
    spec = SmsSpec(to="+33612345678")
    receipt = Sms().send(message(), spec, Shared(), doors(http), soon(), short=False)
    assert receipt.kind is ReceiptKind.PERMANENT
    assert http.requests == []


def test_the_account_is_checked_where_it_stands() -> None:
    account = {"account_sid": "AC1", "auth_token": {"env": "A"}, "from": "+15550001111"}
    _, faults = address_book({}, {"twilio": account}, Environment({"A": "long-enough"}).context)
    assert [fault.path for fault in faults] == [("channels", "twilio", "account_sid")]
