"""One suite for every channel that goes out: what each of them owes whoever relies on it.

A channel joins by a bench: a strict receiver that can be told to refuse, and a look at what arrived there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.escalate.channels.email import Email
from daemon.escalate.channels.registry import CHANNELS
from daemon.escalate.message import ReceiptKind
from daemon.incidents.records import PageEvent
from tests.fakes.channel_benches import HTTP, UGLY, Bench, email, page
from tests.fakes.smtp import Mailbox, mail_server


@pytest.fixture(params=["email", *HTTP])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "email":
        box = Mailbox()
        with mail_server(box) as port:
            yield email(box, port)
    else:
        yield HTTP[request.param]()


@pytest.fixture(params=list(HTTP))
def http_bench(request: pytest.FixtureRequest) -> Bench:
    """Channels that go over HTTP: they have answers that SMTP has not."""
    return HTTP[request.param]()


def test_the_suite_knows_every_channel_that_goes_out() -> None:
    known = {"email", *(make().entry.channel.kind for make in HTTP.values())}
    assert {channel.kind for channel in CHANNELS if channel.available and not channel.local} == known


def test_a_page_arrives_whole(bench: Bench) -> None:
    receipt = bench.send(page())
    assert receipt.kind is ReceiptKind.OK
    [(_, event, text)] = bench.arrived()
    assert event == "trigger"
    for part in (page().headline, "Impact: 1 of 3 tiers.", "https://fleetmend.example.org/incidents/sf-1"):
        assert bench.told(part) in text


def test_a_resolve_arrives_as_such(bench: Bench) -> None:
    bench.send(page())
    assert (
        bench.send(page(PageEvent.RESOLVE, headline="[OVER] Hot storage: mended by fail-over")).kind
        is ReceiptKind.OK
    )
    assert [event for _, event, _ in bench.arrived()] == ["trigger", "resolve"]


def test_being_asked_to_slow_down_is_heeded(http_bench: Bench) -> None:
    http_bench.fail("slow down")
    receipt = http_bench.send(page())
    assert (receipt.kind, receipt.retry_after) == (ReceiptKind.TEMPORARY, 7.0)


@pytest.mark.parametrize(
    ("kind", "seconds"), [("slow down until", 90.0), ("slow down for days", 900.0)], ids=["a date", "clamped"]
)
def test_retry_after_may_be_a_date_and_is_bounded(http_bench: Bench, kind: str, seconds: float) -> None:
    http_bench.fail(kind)
    assert http_bench.send(page()).retry_after == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize("kind", ["broken", "absent"])
def test_what_may_work_later_is_temporary_and_nothing_arrived(bench: Bench, kind: str) -> None:
    bench.fail(kind)
    assert bench.send(page()).kind is ReceiptKind.TEMPORARY
    assert bench.arrived() == []


def test_silence_after_sending_is_ambiguous_and_the_repeat_has_the_same_identity(bench: Bench) -> None:
    """Case 1: whoever can tell a repeat from a second page is given the means to."""
    bench.fail("silent")
    assert bench.send(page()).kind is ReceiptKind.AMBIGUOUS
    if isinstance(bench.entry.channel, Email):
        return  # the server of this test hangs up for good; identity is tested below
    assert bench.send(page()).kind is ReceiptKind.OK
    assert len({identity for identity, _, _ in bench.arrived()}) == 1


def test_the_same_delivery_has_the_same_identity_and_another_has_not(bench: Bench) -> None:
    for event in (PageEvent.TRIGGER, PageEvent.TRIGGER, PageEvent.RESOLVE):
        bench.send(page(event))
    identities = [identity for identity, _, _ in bench.arrived()]
    assert identities[0] == (identities[1] if len(identities) > 2 else identities[0])
    assert len(set(identities)) == (1 if bench.entry.channel.tracks else 2)


def test_a_refusal_is_permanent_and_its_detail_holds_no_secret(bench: Bench) -> None:
    bench.fail("refused")
    receipt = bench.send(page())
    assert receipt.kind is ReceiptKind.PERMANENT
    assert bench.secret not in repr(receipt)


def test_a_redirect_is_not_followed(http_bench: Bench) -> None:
    http_bench.fail("moved")
    assert http_bench.send(page()).kind is ReceiptKind.PERMANENT
    assert http_bench.arrived() == []


def test_what_is_too_much_goes_again_once_in_short(bench: Bench) -> None:
    """Case 3: a rejected page is a lost page."""
    bench.fail("too much")
    receipt = bench.send(page())
    assert (receipt.kind, receipt.shortened) == (ReceiptKind.OK, True)
    [(_, _, text)] = bench.arrived()
    assert bench.told(page().headline) in text
    assert "Impact" not in text


def test_it_is_shortened_once_and_not_for_ever(http_bench: Bench) -> None:
    http_bench.fail("too much")
    http_bench.fail("too much")
    assert http_bench.send(page()).kind is ReceiptKind.PERMANENT


@pytest.mark.parametrize("size", [200, 5_000, 600_000, 2_000_000])
def test_any_size_and_any_unicode_arrives(bench: Bench, size: int) -> None:
    """Cases 2 and 3: 5000 characters of emoji and marks, and two megabytes of log, both arrive."""
    long = ("👩‍👩‍👧‍👦é" * (size // 9))[:size]
    receipt = bench.send(page(headline=long, parts=(long, UGLY), source=long))
    assert receipt.kind is ReceiptKind.OK, receipt
    assert len(bench.arrived()) == 1


def test_hostile_text_breaks_nothing(bench: Bench) -> None:
    receipt = bench.send(
        page(headline=UGLY, parts=(UGLY,), source=UGLY, component=UGLY, group=UGLY, facet=UGLY)
    )
    assert receipt.kind is ReceiptKind.OK, receipt
    [(_, _, text)] = bench.arrived()
    assert bench.shows in text


def test_a_secret_that_slipped_into_a_text_does_not_leave(bench: Bench) -> None:
    bench.send(page(headline=f"x {bench.secret}", parts=(bench.secret,), source=bench.secret))
    [(_, _, text)] = bench.arrived()
    where_it_belongs = 1 if bench.entry.channel.kind == "pagerduty" else 0
    assert text.count(bench.secret) == where_it_belongs
