"""The escalation stage on a real store: crash and restart, retries, order, and what is never lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.escalate.channels.registry import AddressBook
from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.triggers import Acked, HeadsUp
from daemon.incidents.records import DeliveryState, PageEvent
from remediations.ports import Ambiguous, Unreachable
from tests.fakes.ports import answer
from tests.unit.escalate.house import OWED, House


def test_a_page_is_owed_in_the_commit_sent_after_it_and_booked(house: House) -> None:
    house.tell(OWED)
    assert [row.state for row in house.deliveries()] == [DeliveryState.OWED]
    assert house.provider.events == []
    house.dispatch()
    assert [row.state for row in house.deliveries()] == [DeliveryState.SENDING]
    assert [receipt.kind for receipt in house.work()] == [ReceiptKind.OK]
    [row] = house.deliveries()
    assert (row.state, row.sent_at) == (DeliveryState.ACCEPTED, house.now)
    [event] = house.provider.events
    assert event["payload"]["summary"].startswith("[CRIT L1] Hot storage is refusing writes (4.2%)")
    assert "Why you: Ladder exhausted" in event["payload"]["custom_details"]["page"]


def test_a_page_carries_the_link_of_its_reader(house: House) -> None:
    signed = replace(
        house.setup, ack_token=lambda incident, person, level, now: f"{incident}.{person}.{level}.{now:.0f}"
    )
    house.stage.setup = signed
    house.tell(OWED)
    house.pass_time(1)
    links = {link["text"]: link["href"] for link in house.provider.events[0]["links"]}
    assert links["Acknowledge"] == f"https://fm.example.org/a/sf-1.ana.1.{house.now:.0f}"


def test_killed_between_the_providers_answer_and_the_mark_the_same_key_goes_again_as_one_page(
    house: House,
) -> None:
    """Case 1."""
    house.tell(OWED)
    house.dispatch()
    [job] = house.take()
    assert house.send(job).kind is ReceiptKind.OK
    house.crash()
    house.dispatch()
    house.work()
    assert [event["dedup_key"] for event in house.provider.events] == ["fleetmend/sf-1"] * 2
    assert len(house.provider.pages) == 1
    assert {row.state for row in house.deliveries()} == {DeliveryState.ACCEPTED}


@pytest.mark.parametrize("point", ["before dispatch", "after dispatch", "after sending"])
def test_a_crash_anywhere_loses_no_page(house: House, point: str) -> None:
    house.tell(OWED)
    if point != "before dispatch":
        house.dispatch()
    if point == "after sending":
        house.send(house.jobs[0])
    house.crash()
    house.pass_time(2)
    assert len(house.provider.pages) == 1


def test_a_provider_that_asks_for_seven_seconds_twice_gets_one_page_after_fourteen(house: House) -> None:
    """Case 4."""
    house.provider.script = [answer(429, "", {"Retry-After": "7"})] * 2
    start = house.now
    house.tell(OWED)
    house.dispatch()
    house.work()
    house.pass_time(30)
    assert [at - start for at in house.tried_at] == [0, 7, 14]
    assert len(house.provider.events) == 1


def test_a_resolve_is_the_first_thing_after_a_restart_and_comes_exactly_once(house: House) -> None:
    """Case 6."""
    house.tell(OWED)
    house.pass_time(1)
    house.crash()
    house.end()
    house.pass_time(3)
    house.crash()
    house.pass_time(3)
    assert [event["event_action"] for event in house.provider.events] == ["trigger", "resolve"]
    assert house.provider.open == {}


def test_a_page_whose_fate_is_unknown_gets_its_resolve_after_a_crash(house: House) -> None:
    house.tell(OWED)
    house.dispatch()
    house.send(house.take()[0])
    house.crash()
    house.end()
    house.pass_time(2)
    assert [event["event_action"] for event in house.provider.events] == ["trigger", "resolve"]


def test_a_resolve_does_not_overtake_the_page_in_flight(house: House) -> None:
    house.tell(OWED)
    house.dispatch()
    [job] = house.take()
    house.end()
    house.dispatch()
    assert house.jobs == [], "the page is not settled yet"
    house.book_receipt(job, house.send(job))
    house.dispatch()
    house.work()
    assert [event["event_action"] for event in house.provider.events] == ["trigger", "resolve"]


def test_a_dead_provider_brings_the_next_channel_and_the_page_itself_when_it_is_back(house: House) -> None:
    house.provider.script = [Unreachable("refused")] * 5
    house.tell(OWED)
    house.pass_time(240)
    states = {(row.channel, row.event): row.state for row in house.deliveries()}
    assert states["console", PageEvent.TRIGGER] is DeliveryState.ACCEPTED
    assert states["pagerduty", PageEvent.TRIGGER] is DeliveryState.ACCEPTED
    assert len(house.provider.pages) == 1


def test_silence_of_the_provider_is_tried_again_under_the_same_key(house: House) -> None:
    house.provider.script = [Ambiguous("no answer")]
    house.tell(OWED)
    house.pass_time(15)
    assert len(house.provider.events) == 2
    assert len(house.provider.pages) == 1


def test_an_abandoned_job_is_ambiguous_and_its_late_receipt_changes_nothing(house: House) -> None:
    house.tell(OWED)
    house.dispatch()
    [job] = house.take()
    house.book_receipt(job, Receipt(ReceiptKind.AMBIGUOUS, "no answer in time"))
    known = house.deliveries()
    [row] = [one for one in known if one.channel == "pagerduty"]
    assert (row.state, row.receipt[:5]) == (DeliveryState.OWED, "maybe")
    house.book_receipt(job, Receipt(ReceiptKind.PERMANENT, "late"))
    assert house.deliveries() == known


@pytest.mark.parametrize("how", ["noticed", "while the daemon was down"])
def test_a_clock_that_is_set_back_keeps_no_page_waiting(house: House, how: str) -> None:
    house.provider.script = [Unreachable("refused")]
    house.tell(OWED)
    house.pass_time(1)
    assert house.provider.pages == []
    house.clock.step(-7200)
    if how == "noticed":
        with house.store.write() as uow:
            uow.apply(house.stage.stepped_back(uow, house.now))
    else:
        house.crash()
    house.pass_time(2)
    assert len(house.provider.pages) == 1


def test_what_the_console_shows_needs_no_worker(house: House) -> None:
    house.tell(OWED)
    house.pass_time(1)
    house.tell(HeadsUp("fail-over"))
    house.dispatch(slots=0)
    assert [row.state for row in house.deliveries() if row.channel == "console"] == [DeliveryState.ACCEPTED]
    assert house.jobs == []


def test_no_more_is_handed_out_than_there_are_free_workers(house: House) -> None:
    for number in range(5):
        house.open(f"sf-{number + 2}")
        house.tell(OWED, key=f"sf-{number + 2}")
    house.dispatch(slots=3)
    assert len(house.jobs) == 3
    house.work()
    house.dispatch(slots=3)
    assert len(house.jobs) == 2


def test_the_same_destination_gets_one_message_at_a_time_of_an_incident(house: House) -> None:
    house.tell(OWED)
    house.dispatch()
    house.tell(Acked("ana"))
    house.dispatch()
    assert len(house.jobs) == 1
    house.work()
    house.dispatch()
    house.work()
    assert [event["event_action"] for event in house.provider.events] == ["trigger", "acknowledge"]


def test_a_channel_taken_out_of_the_configuration_fails_and_the_next_one_follows(house: House) -> None:
    house.tell(OWED)
    house.book = AddressBook({})
    house.pass_time(1)
    states = {row.channel: row.state for row in house.deliveries()}
    assert states["pagerduty"] is DeliveryState.FAILED
    house.pass_time(1)
    assert {row.channel: row.state for row in house.deliveries()}["console"] is DeliveryState.ACCEPTED


def test_an_unknown_incident_or_receipt_changes_nothing(house: House) -> None:
    with house.store.write() as uow:
        assert house.stage.advance(uow, "ghost", (OWED,), house.now).change.empty
        assert house.stage.receipt(uow, "ghost#1", Receipt(ReceiptKind.OK), house.now) == ()
        assert house.stage.dispatch(uow, house.now, 8).empty
