"""A provider in trouble: one look at a time goes there, pages go by the next channel, and the end is said when it is back."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.escalate.breaker import PROBE_EVERY, SPREAD, Standing, held, provider, standings
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from remediations.ports import Unreachable
from tests.fakes import rows
from tests.fakes.ports import answer
from tests.unit.escalate.house import OWED, House

NOW = 10_000.0
S = DeliveryState


def tried(
    incident: str = "a", ago: float = 5.0, tries: int = 3, fault: str = "temporary", **fields: Any
) -> Delivery:
    """A page whose last try failed."""
    facts = {"fault": fault, **fields.pop("facts", {})} if fault else {}
    own = {
        "incident": incident,
        "tries": tries,
        "tried_at": NOW - ago,
        "facts": facts,
        "channel": "pagerduty",
    }
    return rows.delivery(f"{incident}/p", **(own | fields))


def fine(ago: float) -> Delivery:
    return tried("f", ago, 1, "", state=S.ACCEPTED, sent_at=NOW - ago)


DOWN = [tried("a"), tried("b", tries=1)]


@pytest.mark.parametrize(
    ("seen", "down", "why"),
    [
        (DOWN, True, "two incidents, four tries"),
        ([tried("a", tries=9)], False, "one incident may be the message's own fault"),
        ([tried(name, tries=1) for name in "abcdef"], False, "all at one instant: perhaps a blip"),
        ([*DOWN, fine(ago=3)], False, "it has taken one since"),
        ([*DOWN, fine(ago=60)], True, "it took one before that"),
        ([*DOWN, tried("c", 1, 1, "", state=S.FAILED)], False, "it answered: refused for good is no silence"),
        ([tried("a"), tried("b", address="ben/0")], False, "two keys are two providers"),
        ([tried("a", channel="sms"), tried("b", channel="sms", address="ben/0")], True, "one account of all"),
        ([tried("a", fault="ambiguous"), tried("b", fault="ambiguous")], True, "silence counts as well"),
    ],
)  # fmt: skip
def test_a_provider_is_down_after_repeated_failures_across_incidents(
    seen: list[Delivery], down: bool, why: str
) -> None:
    assert any(one.down for one in standings(seen, NOW).values()) is down, why


def test_what_one_message_was_asked_to_wait_holds_for_all_of_the_same_key_and_for_no_other() -> None:
    asked = tried("a", ago=2, tries=1, facts={"asked": 30.0})
    trouble = standings([asked], NOW)
    assert trouble == {"pagerduty ana/0": Standing(NOW + 28, down=False)}
    mine = rows.delivery("m", channel="pagerduty", due_at=NOW)
    other = rows.delivery("o", channel="pagerduty", address="ben/0", due_at=NOW)
    [later] = held([mine, other], trouble, (), NOW)
    assert later.row.key == "m"
    assert NOW + 28 <= later.row.due_at <= NOW + 28 + SPREAD, "not all at the same instant"
    assert not later.failing, "half a minute is no reason to wake somebody by another channel"
    assert standings([asked], NOW + 28) == {}


def test_who_is_asked_to_wait_for_long_pages_by_the_next_channel_meanwhile() -> None:
    trouble = standings([tried("a", facts={"asked": 900.0})], NOW)
    page, note = (rows.delivery(key, channel="pagerduty", event=event) for key, event in (
        ("p", PageEvent.TRIGGER), ("n", PageEvent.STATUS)))  # fmt: skip
    assert {one.row.key: one.failing for one in held([page, note], trouble, (), NOW)} == {
        "p": True,
        "n": False,
    }


def test_one_message_goes_to_a_provider_that_is_down_as_a_probe_the_most_urgent_and_the_others_wait() -> None:
    probing = standings(DOWN, NOW + PROBE_EVERY)
    page = rows.delivery("p", channel="pagerduty", created_at=NOW - 5)
    note = rows.delivery("n", channel="pagerduty", event=PageEvent.STATUS, created_at=NOW - 60)
    assert [one.row.key for one in held([note, page], probing, (), NOW + PROBE_EVERY)] == ["n"]
    in_hand = tried("a", state=S.SENDING)
    assert len(held([note, page], probing, (in_hand,), NOW + PROBE_EVERY)) == 2, "one at a time"


def test_what_nobody_can_be_told_in_time_is_given_up_and_owed_elsewhere() -> None:
    late = rows.delivery("p", channel="pagerduty", give_up_at=NOW)
    [one] = held([late], standings(DOWN, NOW), (), NOW)
    assert (one.row.state, one.failing) == (S.FAILED, True)


def test_the_provider_of_a_channel_is_the_account_its_messages_leave_by() -> None:
    assert provider(rows.delivery(channel="email")) == provider(
        rows.delivery(channel="email", address="ben/0")
    )
    assert provider(rows.delivery(channel="voice")) == provider(rows.delivery(channel="sms"))
    assert provider(rows.delivery(channel="slack")) != provider(
        rows.delivery(channel="slack", address="ben/0")
    )


def channels(house: House, key: str) -> dict[str, float]:
    """Channels by which a page of this incident was accepted, and how long after it was owed."""
    return {
        row.channel: row.sent_at - row.created_at
        for row in house.deliveries(key)
        if row.event is PageEvent.TRIGGER and row.sent_at is not None
    }


def test_with_a_dead_provider_the_third_incident_pages_by_the_next_channel_at_once_and_all_ends_arrive(
    house: House,
) -> None:
    house.provider.script = [Unreachable("refused")] * 60
    for key in ("sf-1", "sf-2"):
        if key != "sf-1":
            house.open(key)
        house.tell(OWED, key=key)
        house.pass_time(40)
    house.open("sf-3")
    house.tell(OWED, key="sf-3")
    tries = len(house.tried_at)
    house.pass_time(5)
    assert channels(house, "sf-3") == {"console": 0.0}, "no first try, no backoff"
    assert len(house.tried_at) - tries <= 1, "at most the probe went there"
    house.pass_time(120)
    assert len(house.tried_at) - tries <= 1 + 125 / PROBE_EVERY
    house.provider.script = []
    house.pass_time(40)
    assert len(house.provider.pages) == 3, "it is back: what is still wanted arrives"
    for key in ("sf-1", "sf-2", "sf-3"):
        house.end(key)
    house.pass_time(10)
    assert house.provider.open == {}


def test_the_end_of_a_page_waits_for_its_provider_to_be_back(house: House) -> None:
    for key in ("sf-2", "sf-3"):
        house.open(key)
    house.tell(OWED)
    house.pass_time(1)
    house.provider.script = [Unreachable("refused")] * 12
    for key in ("sf-2", "sf-3"):
        house.tell(OWED, key=key)
    house.pass_time(30)
    house.end()
    house.pass_time(20)
    assert [event["event_action"] for event in house.provider.events] == ["trigger"]
    house.provider.script = []
    house.pass_time(60)
    assert "fleetmend/sf-1" not in house.provider.open


def test_a_wait_that_was_asked_for_holds_other_incidents_of_the_same_key_and_comes_back_once(
    house: House,
) -> None:
    house.provider.script = [answer(429, "", {"Retry-After": "30"})]
    house.open("sf-2")
    house.tell(OWED)
    house.pass_time(2)
    house.tell(OWED, key="sf-2")
    start = house.now
    house.pass_time(45)
    assert len(house.provider.pages) == 2
    assert all(at - start >= 28 for at in house.tried_at[1:])
    assert set(channels(house, "sf-2")) == {"pagerduty"}
