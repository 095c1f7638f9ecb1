"""The receivers that stand for vendors are strict: whichever rule of their documentation is broken, they refuse it.

Else a channel that breaks one would pass its suite. Golden payloads are ours as rendered; each row breaks one rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from daemon.escalate.channels.twilio_speech import asked
from remediations.ports import Request, Response
from tests.fakes import alertmanager_out, ntfy, opsgenie, pagerduty, slack, slack_api, teams, twilio
from tests.fakes.alertmanager_out import FakeAlertmanager
from tests.fakes.channel_benches import HTTP, page
from tests.fakes.ntfy import FakeNtfy
from tests.fakes.opsgenie import FakeOpsgenie
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import FakeSlackApi
from tests.fakes.teams import FakeTeams
from tests.fakes.twilio import FakeTwilio

Change = Callable[[Any], object]
RECEIVERS: dict[str, Callable[[], Callable[[Request], Response]]] = {
    "pagerduty": FakePagerDuty,
    "slack": FakeSlack,
    "slack bot": FakeSlackApi,
    "ntfy": FakeNtfy,
    "teams": FakeTeams,
    "sms": FakeTwilio,
    "voice": FakeTwilio,
    "opsgenie": FakeOpsgenie,
    "alertmanager": FakeAlertmanager,
}
URLS = {
    "pagerduty": pagerduty.URL,
    "slack": slack.URL,
    "slack bot": f"{slack_api.URL}/chat.postMessage",
    "ntfy": ntfy.SERVER,
    "teams": teams.URL,
    "sms": twilio.URL,
    "voice": twilio.CALLS_URL,
    "opsgenie": opsgenie.URL,
    "alertmanager": alertmanager_out.URL,
}


def card(message: dict[str, Any]) -> Any:
    return message["attachments"][0]["content"]


def buttons(message: dict[str, Any]) -> Any:
    return next(block["elements"] for block in message["blocks"] if block["type"] == "actions")


def twiml(what: str, instead: str) -> Change:
    """One thing of a call that asks for a key, replaced."""
    return lambda m: m.update(Twiml=asked("x", f"{twilio.HOME}/digit").replace(what, instead))


RULES: list[tuple[str, str, Change]] = [
    ("pagerduty", "summary over 1 024 characters", lambda m: m["payload"].update(summary="x" * 1_025)),
    ("pagerduty", "no source", lambda m: m["payload"].pop("source")),
    ("pagerduty", "unknown severity", lambda m: m["payload"].update(severity="high")),
    ("pagerduty", "unknown action", lambda m: m.update(event_action="open")),
    ("pagerduty", "key over 255 characters", lambda m: m.update(dedup_key="x" * 256)),
    ("pagerduty", "somebody else's routing key", lambda m: m.update(routing_key="R" * 32)),
    ("pagerduty", "details are no object", lambda m: m["payload"].update(custom_details="text")),
    ("pagerduty", "a link without address", lambda m: m.update(links=[{"text": "x"}])),
    ("pagerduty", "a field that is not known", lambda m: m.update(priority=1)),
    ("pagerduty", "over 512 KB", lambda m: m["payload"].update(custom_details={"log": "x" * 512_000})),
    ("slack", "no text for the notification", lambda m: m.pop("text")),
    ("slack", "a mention in the text", lambda m: m.update(text="<!channel> x")),
    ("slack", "header over 150 characters", lambda m: m["blocks"][0]["text"].update(text="x" * 151)),
    ("slack", "header in mark-up", lambda m: m["blocks"][0]["text"].update(type="mrkdwn")),
    ("slack", "section over 3 000 characters", lambda m: m["blocks"][1]["text"].update(text="x" * 3_001)),
    ("slack", "an empty section", lambda m: m["blocks"][1]["text"].update(text="")),
    ("slack", "over 50 blocks", lambda m: m["blocks"].extend(m["blocks"][:1] * 50)),
    ("slack", "the whole too long", lambda m: m["blocks"].extend([m["blocks"][1] | {"text": {"type": "plain_text", "text": "x" * 3_000}}] * 5)),
    ("slack", "an unknown block", lambda m: m["blocks"].append({"type": "chart"})),
    ("slack bot", "no channel", lambda m: m.pop("channel")),
    ("slack bot", "a channel that is not there", lambda m: m.update(channel="C0000000000")),
    ("slack bot", "no text for the notification", lambda m: m.pop("text")),
    ("slack bot", "a mention in the text", lambda m: m.update(text="<@U024BE7LH> x")),
    ("slack bot", "a field that is not known", lambda m: m.update(as_user=True)),
    ("slack bot", "over 50 blocks", lambda m: m["blocks"].extend(m["blocks"][:1] * 50)),
    ("slack bot", "11 elements of context", lambda m: m["blocks"][-1].update(elements=m["blocks"][-1]["elements"] * 11)),
    ("slack bot", "26 buttons", lambda m: buttons(m).extend({**buttons(m)[0], "action_id": f"x{n}"} for n in range(25))),
    ("slack bot", "two buttons of one name", lambda m: buttons(m).extend(buttons(m)[:1])),
    ("slack bot", "a button that does nothing", lambda m: buttons(m)[0].pop("url")),
    ("slack bot", "a button's value over 2 000 characters", lambda m: buttons(m)[0].update(value="x" * 2_001)),
    ("slack bot", "a button of an unknown style", lambda m: buttons(m)[0].update(style="loud")),
    ("slack bot", "metadata of no type", lambda m: m["metadata"].update(event_type="Fleet Mend")),
    ("slack bot", "metadata that is no object", lambda m: m["metadata"].update(event_payload="x")),
    ("slack bot", "a thread that is not there", lambda m: m.update(thread_ts="1.000100")),
    ("ntfy", "no topic", lambda m: m.pop("topic")),
    ("ntfy", "a topic with a space", lambda m: m.update(topic="a b")),
    ("ntfy", "priority 6", lambda m: m.update(priority=6)),
    ("ntfy", "a field that is not known", lambda m: m.update(severity="high")),
    ("ntfy", "four actions", lambda m: m.update(actions=m["actions"] * 4)),
    ("ntfy", "an action without address", lambda m: m["actions"][0].pop("url")),
    ("ntfy", "an action that its kind does not take", lambda m: m["actions"][0].update(method="POST")),
    ("ntfy", "an action by no method of HTTP's", lambda m: m["actions"][0].update(action="http", method="SEND")),
    ("ntfy", "an action cleared by a text", lambda m: m["actions"][0].update(clear="yes")),
    ("teams", "no attachment", lambda m: m.update(attachments=[])),
    ("teams", "contentUrl is not null", lambda m: m["attachments"][0].update(contentUrl="")),
    ("teams", "a card of the old kind", lambda m: card(m).update(type="MessageCard")),
    ("teams", "an empty line", lambda m: card(m)["body"][0].update(text="")),
    ("teams", "a button without address", lambda m: card(m)["actions"][0].pop("url")),
    ("teams", "over 28 KB after expansion", lambda m: card(m)["body"][0].update(text="x" * 24_000)),
    ("opsgenie", "message over 130 characters", lambda m: m.update(message="x" * 131)),
    ("opsgenie", "no message", lambda m: m.pop("message")),
    ("opsgenie", "no alias", lambda m: m.pop("alias")),
    ("opsgenie", "alias over 512 characters", lambda m: m.update(alias="x" * 513)),
    ("opsgenie", "description over 15 000 characters", lambda m: m.update(description="x" * 15_001)),
    ("opsgenie", "unknown priority", lambda m: m.update(priority="critical")),
    ("opsgenie", "a field that is not known", lambda m: m.update(severity="high")),
    ("alertmanager", "no alert", lambda m: m.clear()),
    ("alertmanager", "an alert without labels", lambda m: m[0].pop("labels")),
    ("alertmanager", "only empty labels", lambda m: m[0].update(labels={"a": ""})),
    ("alertmanager", "a label that is no name", lambda m: m[0]["labels"].update({"page-id": "1"})),
    ("alertmanager", "a label that is no text", lambda m: m[0]["labels"].update(level=1)),
    ("alertmanager", "an annotation that is no text", lambda m: m[0]["annotations"].update(level=1)),
    ("alertmanager", "an end in seconds", lambda m: m[0].update(endsAt=1_767_600_000)),
    ("alertmanager", "a generator without address", lambda m: m[0].update(generatorURL="incident sf-1")),
    ("alertmanager", "a field that is not known", lambda m: m[0].update(status="firing")),
    ("sms", "a number without country", lambda m: m.update(To="0612345678")),
    ("sms", "no sender", lambda m: m.pop("From")),
    ("sms", "no text", lambda m: m.update(Body="")),
    ("sms", "over 1 600 characters", lambda m: m.update(Body="x" * 1_601)),
    ("sms", "valid for longer than the queue", lambda m: m.update(ValidityPeriod="36001")),
    ("sms", "a parameter that is not known", lambda m: m.update(Text="x")),
    ("sms", "told back to this machine", lambda m: m.update(StatusCallback="http://127.0.0.1:9876/x")),
    ("voice", "a number without country", lambda m: m.update(To="0612345678")),
    ("voice", "no caller", lambda m: m.pop("From")),
    ("voice", "a caller without a phone", lambda m: m.update(From="MG" + "0" * 32)),
    ("voice", "nothing to say", lambda m: m.pop("Twiml")),
    ("voice", "two things to say", lambda m: m.update(Url="https://example.org/twiml")),
    ("voice", "over 4 000 characters", lambda m: m.update(Twiml=f"<Response><Say>{'x' * 3_969}</Say></Response>")),
    ("voice", "no TwiML", lambda m: m.update(Twiml="<Response><Say>x</Response>")),
    ("voice", "no response", lambda m: m.update(Twiml="<Say>x</Say>")),
    ("voice", "an unknown verb", lambda m: m.update(Twiml="<Response><Shout>x</Shout></Response>")),
    ("voice", "an unknown attribute", twiml("numDigits", "digits")),
    ("voice", "a verb that a question cannot hold", twiml("Say", "Gather")),
    ("voice", "no digit", twiml('numDigits="1"', 'numDigits="0"')),
    ("voice", "a key told to this machine", twiml(twilio.HOME, "http://localhost:9876")),
    ("voice", "a key told in an unknown way", twiml('method="POST"', 'method="PUT"')),
    ("voice", "silence", lambda m: m.update(Twiml="<Response><Say> </Say></Response>")),
    ("voice", "ringing for longer than is allowed", lambda m: m.update(Timeout="601")),
    ("voice", "ringing for no time", lambda m: m.update(Timeout="soon")),
    ("voice", "no time to talk", lambda m: m.update(TimeLimit="0")),
    ("voice", "told back to no host", lambda m: m.update(StatusCallback="https://fleet_mend.example.org/x")),
    ("voice", "an unknown event", lambda m: m.update(StatusCallbackEvent=["answered", "hung-up"])),
    ("voice", "a parameter that is not known", lambda m: m.update(Body="x")),
]  # fmt: skip


def golden(kind: str) -> Request:
    """What we send for a page."""
    bench = HTTP[kind]()
    bench.send(page())
    [request] = bench.doors.http.requests  # type: ignore[attr-defined]  # the suite's doors are fakes
    assert isinstance(request, Request)
    return request


def changed(request: Request, change: Change) -> Request:
    body = request.body or b""
    if request.headers["Content-Type"].startswith("application/x-www-form"):
        form: dict[str, Any] = parse_qs(body.decode())
        change(form)
        return Request(
            request.method,
            request.url,
            request.headers,
            urlencode(form, doseq=True).encode(),
            basic_auth=request.basic_auth,
        )
    message = json.loads(body)
    change(message)
    return Request(request.method, request.url, request.headers, json.dumps(message).encode())


def taken(answer: Response) -> bool:
    """Slack's Web API refuses inside a 200."""
    return 200 <= answer.status < 300 and b'"ok": false' not in answer.body


@pytest.mark.parametrize("kind", list(RECEIVERS))
def test_what_we_send_is_taken(kind: str) -> None:
    assert golden(kind).url == URLS[kind]
    assert taken(RECEIVERS[kind]()(golden(kind)))


@pytest.mark.parametrize(
    ("kind", "rule", "change"), RULES, ids=[f"{kind}: {rule}" for kind, rule, _ in RULES]
)
def test_a_broken_rule_is_refused(kind: str, rule: str, change: Change) -> None:
    answer = RECEIVERS[kind]()(changed(golden(kind), change))
    assert not taken(answer), f"{rule}: {answer}"
    assert answer.status in {200, 400, 413, 422}, f"{rule}: {answer}"


@pytest.mark.parametrize("kind", ["slack bot", "ntfy", "alertmanager", "sms", "voice", "opsgenie"])
def test_without_the_credential_nothing_is_taken(kind: str) -> None:
    request = golden(kind)
    headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
    bare = Request(request.method, request.url, deepcopy(headers), request.body)
    answer = RECEIVERS[kind]()(bare)
    assert answer.status == 401 or b"not_authed" in answer.body
