"""What each channel says that no other does."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.people import PersonSpec
from config.secrets import Environment
from daemon.clock import SystemClock
from daemon.escalate.channels.email import Email, EmailSpec
from daemon.escalate.channels.pagerduty import PagerDuty, PagerDutySpec
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import BY_KIND, KINDS, AddressBook, address_book
from daemon.escalate.channels.shared import Shared
from daemon.escalate.channels.webhook import Webhook, WebhookSpec
from daemon.escalate.message import Message, ReceiptKind
from daemon.incidents.records import PageEvent
from tests.fakes import certificates, pagerduty, standard_webhook
from tests.fakes.ports import EPOCH, FakeClock, FakeHttp
from tests.fakes.smtp import Mailbox, mail_server, plain_of
from tests.fakes.standard_webhook import FakeReceiver

KEY = pagerduty.ROUTING_KEY


def message(event: PageEvent = PageEvent.TRIGGER, severity: str = "critical", **fields: Any) -> Message:
    given: dict[str, Any] = {
        "key": "k", "dedup_key": "fleetmend/sf-1", "incident": "sf-1", "event": event, "severity": severity,
        "level": 1, "headline": "Hot storage is failing", "at": EPOCH,
    }  # fmt: skip
    return Message(**(given | fields))


def spec() -> PagerDutySpec:
    return PagerDutySpec.model_validate(
        {"routing_key": {"env": "K"}}, context=Environment({"K": KEY}).context
    )


@pytest.mark.parametrize(
    ("event", "note", "action"),
    [
        (PageEvent.TRIGGER, "", "trigger"),
        (PageEvent.REMIND, "", "trigger"),
        (PageEvent.ESCALATE, "", "trigger"),
        (PageEvent.TEST, "", "trigger"),
        (PageEvent.STATUS, "acked", "acknowledge"),
        (PageEvent.STATUS, "L2", None),
        (PageEvent.HEADS_UP, "acting", None),
        (PageEvent.RESOLVE, "", "resolve"),
    ],
)
def test_pagerduty_has_an_action_for_each_event_or_none(
    event: PageEvent, note: str, action: str | None
) -> None:
    rendered = PagerDuty().render(message(event, note=note), spec())
    assert (rendered["event_action"] if rendered else None) == action


@pytest.mark.parametrize(
    ("ours", "theirs"), [("critical", "critical"), ("high", "error"), ("medium", "warning"), ("low", "info")]
)
def test_pagerduty_severities(ours: str, theirs: str) -> None:
    rendered = PagerDuty().render(message(severity=ours), spec())
    assert rendered is not None
    assert rendered["payload"]["severity"] == theirs


def test_pagerduty_knows_other_hosts() -> None:
    http = FakeHttp().on("POST", "https://events.eu.pagerduty.com/v2/enqueue", pagerduty.FakePagerDuty())
    shared = Shared.model_validate({"pagerduty": {"url": "https://events.eu.pagerduty.com"}})
    receipt = PagerDuty().send(message(), spec(), shared, Doors(http, FakeClock(), str), 1e9, short=False)
    assert receipt.kind is ReceiptKind.OK


def test_the_acknowledge_event_needs_no_payload() -> None:
    assert PagerDuty().render(message(PageEvent.STATUS, note="acked"), spec()) == {
        "routing_key": KEY, "event_action": "acknowledge", "dedup_key": "fleetmend/sf-1",
    }  # fmt: skip


# ------------------------------------------------------------ webhook


def hook(*secrets: str) -> WebhookSpec:
    environment = Environment({f"S{n}": secret for n, secret in enumerate(secrets)})
    settings = {"url": standard_webhook.URL, "secret": [{"env": f"S{n}"} for n in range(len(secrets))]}
    return WebhookSpec.model_validate(settings, context=environment.context)


@pytest.mark.parametrize("receivers", [standard_webhook.SECRET, standard_webhook.OLD_SECRET])
def test_while_keys_rotate_receivers_with_the_old_and_the_new_one_both_verify(receivers: str) -> None:
    clock = FakeClock()
    fake = FakeReceiver(clock, secret=receivers)
    http = FakeHttp(clock).on("POST", standard_webhook.URL, fake)
    both = hook(standard_webhook.SECRET, standard_webhook.OLD_SECRET)
    receipt = Webhook().send(message(), both, Shared(), Doors(http, clock, str), 1e9, short=False)
    assert receipt.kind is ReceiptKind.OK
    assert len(http.requests[0].headers["webhook-signature"].split(" ")) == 2


def test_our_own_output_is_marked_so_that_a_loop_can_be_seen() -> None:
    """Case 17: a receiver that is our own intake can tell."""
    clock = FakeClock()
    http = FakeHttp(clock).on("POST", standard_webhook.URL, FakeReceiver(clock))
    Webhook().send(
        message(), hook(standard_webhook.SECRET), Shared(), Doors(http, clock, str), 1e9, short=False
    )
    assert http.requests[0].headers["Fleetmend-Hop"] == "1"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("not-a-whsec-secret", "no prefix"),
        ("whsec_!!!not base64!!!", "not base64"),
        ("whsec_c2hvcnQ=", "fewer than 24 bytes"),
    ],
)
def test_a_webhook_secret_that_is_none_is_refused_without_being_shown(secret: str, why: str) -> None:
    with pytest.raises(ValueError, match="webhook") as caught:
        hook(secret)
    assert secret not in str(caught.value), why


# ------------------------------------------------------------ mail


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificates.made_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def box() -> Iterator[tuple[Mailbox, int]]:
    made = Mailbox()
    with mail_server(made) as port:
        yield made, port


def smtp(port: int, **more: Any) -> Shared:
    settings = {"host": "127.0.0.1", "port": port, "from": "fleetmend@example.org", **more}
    return Shared.model_validate(
        {"smtp": settings}, context=Environment({"P": "right-password", "W": "wrong-password"}).context
    )


def mail(shared: Shared, sent: Message | None = None) -> Any:
    clock = SystemClock()
    doors = Doors(FakeHttp(), clock, lambda text: text.replace("wrong-password", "***"))
    return Email().send(
        sent or message(), EmailSpec(to="ana@example.org"), shared, doors, clock.monotonic() + 5, short=False
    )


def test_mail_goes_encrypted_where_asked(box: tuple[Mailbox, int], certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    box[0].tls = context
    assert mail(smtp(box[1], starttls=True, ca=str(certificate[0]))).kind is ReceiptKind.OK
    assert box[0].encrypted == [True]


def test_mail_is_not_sent_to_a_server_nobody_vouches_for(
    box: tuple[Mailbox, int], certificate: tuple[Path, Path]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    box[0].tls = context
    assert mail(smtp(box[1], starttls=True)).kind is ReceiptKind.PERMANENT
    assert box[0].mails == []


def test_a_server_without_encryption_gets_no_mail_that_was_to_be_encrypted(box: tuple[Mailbox, int]) -> None:
    assert mail(smtp(box[1], starttls=True)).kind is ReceiptKind.PERMANENT
    assert box[0].mails == []


def test_a_wrong_password_is_permanent_and_not_repeated_to_anybody(box: tuple[Mailbox, int]) -> None:
    box[0].users = {"fleetmend": "right-password"}
    receipt = mail(smtp(box[1], username="fleetmend", password={"env": "W"}))
    assert receipt.kind is ReceiptKind.PERMANENT
    assert "wrong-password" not in receipt.detail


def test_messages_of_one_incident_form_a_thread(box: tuple[Mailbox, int]) -> None:
    for key, event in (("a", PageEvent.TRIGGER), ("b", PageEvent.RESOLVE)):
        mail(smtp(box[1]), message(event, key=key))
    first, second = box[0].mails
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"


def html_of(sent: Message, *, short: bool = False) -> str:
    shared = smtp(25)
    assert shared.smtp is not None
    part = Email().render(sent, EmailSpec(to="ana@example.org"), shared.smtp, short=short).get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_a_mail_says_the_same_as_html_and_what_to_press_first_is_first(box: tuple[Mailbox, int]) -> None:
    links = (
        ("Incident, chart and buttons", "https://fm.example.org/incidents/sf-1"),
        ("Acknowledge", "https://fm.example.org/a/TOKEN"),
        ("Elsewhere", "javascript:alert(1)"),
    )
    sent = message(parts=("Impact: 1 of 3 tiers.", "Left behind:\nfail-over\nquarantine"), links=links)
    mail(smtp(box[1]), sent)
    [taken] = box[0].mails
    assert [part.get_content_type() for part in taken.iter_parts()] == ["text/plain", "text/html"]
    page = html_of(sent)
    for said in (sent.headline, "<p>Impact: 1 of 3 tiers.</p>", "<h2>Left behind</h2>", "fail-over<br>"):
        assert said in page
    for line in ("Impact: 1 of 3 tiers.", "Left behind:", "fail-over", "quarantine", links[1][1]):
        assert line in plain_of(taken)
    assert page.index("/a/TOKEN") < page.index("/incidents/sf-1")
    assert "javascript:" not in page


def test_html_of_a_mail_fetches_nothing_and_text_from_outside_stays_text() -> None:
    page = html_of(message(headline="<img src=x>", parts=("</p><script>alert(1)</script>:\n& more",)))
    assert "&lt;img src=x&gt;" in page
    assert "&lt;/p&gt;&lt;script&gt;" in page
    for fetched in ("<script", "<img", "src=", "url(", "@import", "http:", "https:"):
        assert fetched not in page.replace("&lt;img src=x&gt;", "")
    assert "more" not in html_of(message(parts=("& more",)), short=True)


def test_no_header_can_be_smuggled_in(box: tuple[Mailbox, int]) -> None:
    mail(smtp(box[1]), message(headline="x\r\nBcc: everyone@example.org\r\n\r\nhello", incident="sf\r\n1"))
    assert box[0].mails[0]["Bcc"] is None
    assert box[0].mails[0]["Subject"] == "x Bcc: everyone@example.org hello"


def test_a_line_with_a_dot_alone_does_not_end_the_mail(box: tuple[Mailbox, int]) -> None:
    mail(smtp(box[1]), message(parts=("before\n.\nafter",)))
    assert "after" in plain_of(box[0].mails[0])


@pytest.mark.parametrize("address", [
    "ana", "ana@example.org\r\nx", "Ana <ana@example.org>", "a@b, c@d", "", "\u00fcn\u00ef@example.org",
    "a@ex\u00e4mple.org", "a\x00@b", "a:b@x",
])  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="to"):
        EmailSpec(to=address)


# ------------------------------------------------------------ address book


def people(*channels: Any) -> dict[str, PersonSpec]:
    return {"ana": PersonSpec(name="Ana", channels=channels)}


def test_a_person_whose_only_channel_is_unknown_is_told_of_once() -> None:
    _, faults = address_book(people({"vioce": "+33612345678"}), {}, {})
    assert [(fault.problem, fault.hint) for fault in faults] == [
        ("unknown kind of channel", "did you mean 'voice'?")
    ]


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        ({"emial": "ana@example.org"}, "unknown kind of channel"),
        ({"email": "ana"}, "should match"),
        ({"pagerduty": {"routing_key": "in plain"}}, "must not stand in the file in plain"),
        ({"pagerduty": {"routing_key": {"env": "GONE"}}}, "GONE is not set"),
        ({"slack": {"url": "https://hooks.slack.com/services/x"}}, "must not stand in the file in plain"),
        ({"teams": {"url": "https://x.logic.azure.com/?sig=1"}}, "must not stand in the file in plain"),
        ({"ntfy": {"url": "https://ntfy.example.org/"}}, "should match"),
        ({"sms": "0612345678"}, "no phone number as E.164 writes it"),
        ({"sms": 33612345678}, "no phone number as E.164 writes it"),
        ({"sms": {"to": "+33 612345678"}}, "no phone number as E.164 writes it"),
    ],
)
def test_every_mistake_in_a_channel_is_located(channel: dict[str, Any], problem: str) -> None:
    _, faults = address_book(people({"console": {}}, channel), {}, Environment({}).context)
    fault = next(fault for fault in faults if not fault.warning)
    assert problem in fault.problem
    assert fault.path[:4] == ("people", "ana", "channels", 1)


def test_an_address_that_became_another_kind_is_looked_up_by_kind() -> None:
    environment = Environment({"K": KEY})
    before, _ = address_book(people({"email": "a@example.org"}, {"console": {}}), {}, environment.context)
    assert before.find("ana/0", "console") is before.entries["ana/1"]
    assert before.find("ana/0", "pagerduty") is None
    assert AddressBook({}).find("ana/0", "email") is None


def test_the_registry_describes_each_kind_once() -> None:
    kinds = [
        "pagerduty",
        "email",
        "webhook",
        "console",
        "slack",
        "sms",
        "ntfy",
        "teams",
        "opsgenie",
        "alertmanager",
        "voice",
    ]
    assert list(KINDS) == list(BY_KIND) == kinds
    assert json.loads(json.dumps(KINDS))["pagerduty"] == [True, True, True]
