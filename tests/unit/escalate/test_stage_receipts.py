"""Receipts on a real store: what a provider says after it took a message, or does not say in time."""

from __future__ import annotations

from typing import Any

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.receipts import RENEWED_FOR, Fate, Report, progress, reported
from daemon.escalate.triggers import Acked
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.unit.escalate.house import OWED, House

TAKEN = Receipt(ReceiptKind.OK, "201", provider_id="PD1", proof_within=120.0)


def told(house: House, receipt: Receipt = TAKEN) -> Delivery:
    """Ana's page was taken by its provider."""
    house.tell(OWED)
    house.dispatch()
    [job] = house.take()
    house.book_receipt(job, receipt)
    return first(house)


def first(house: House) -> Delivery:
    """Ana's page."""
    return next(row for row in house.deliveries() if row.event is PageEvent.TRIGGER)


def says(house: House, fate: Fate, *, key: str = "", **fields: Any) -> bool:
    """The provider reports; whether a message was found."""
    order = reported(Report(fate, provider_id="PD1", **fields), "pagerduty", house.now, key=key)
    with house.store.write() as uow:
        change = house.stage.heard(uow, order, house.now)
        if change is not None:
            uow.apply(change)
        return change is not None


def look(house: House) -> None:
    with house.store.write() as uow:
        for change in house.stage.look(uow, house.now):
            uow.apply(change)


def states(house: House) -> dict[str, DeliveryState]:
    return {row.channel: row.state for row in house.deliveries() if row.event is PageEvent.TRIGGER}


def test_a_page_goes_from_queued_to_acknowledged_by_what_is_heard(house: House) -> None:
    house.tell(OWED)
    said = [progress(first(house))]
    house.dispatch()
    [job] = house.take()
    house.book_receipt(job, TAKEN)
    said.append(progress(first(house)))
    for fate in (Fate.DELIVERED, Fate.SEEN):
        assert says(house, fate)
        said.append(progress(first(house)))
    house.tell(Acked("ana", "pagerduty"))
    said.append(progress(first(house)))
    assert said == ["queued", "accepted", "delivered", "seen", "acked"]
    assert "Delivered: trigger to ana by pagerduty" in house.texts()


def test_a_page_that_is_not_delivered_goes_by_the_next_channel_at_once_and_both_hear_of_the_end(
    house: House,
) -> None:
    told(house)
    assert says(house, Fate.UNDELIVERED, detail="30003")
    assert states(house) == {"pagerduty": DeliveryState.FAILED, "console": DeliveryState.OWED}
    house.pass_time(1)
    house.end()
    house.pass_time(2)
    ends = {row.channel for row in house.deliveries() if row.event is PageEvent.RESOLVE}
    assert ends == {"pagerduty", "console"}


def test_without_a_word_by_the_channels_deadline_the_next_channel_follows_once_at_the_same_level(
    house: House,
) -> None:
    told(house)
    house.clock.advance(119)
    look(house)
    assert states(house) == {"pagerduty": DeliveryState.ACCEPTED}
    house.clock.advance(1)
    look(house)
    look(house)
    assert states(house) == {"pagerduty": DeliveryState.ACCEPTED, "console": DeliveryState.OWED}
    assert {row.level for row in house.deliveries()} == {1}
    assert "Nobody says that it arrived: trigger to ana by pagerduty" in house.texts()
    assert says(house, Fate.DELIVERED), "better late than never"
    assert progress(first(house)) == "delivered"


def test_a_page_that_was_answered_needs_no_proof(house: House) -> None:
    told(house)
    house.tell(Acked("ana"))
    house.clock.advance(300)
    look(house)
    assert states(house) == {"pagerduty": DeliveryState.ACCEPTED}


def test_an_acknowledgement_by_someone_else_leaves_a_silent_page_without_a_second_one(house: House) -> None:
    told(house)
    house.tell(Acked("ben"))
    house.clock.advance(300)
    look(house)
    assert states(house) == {"pagerduty": DeliveryState.ACCEPTED}


def test_a_callback_that_comes_before_our_own_mark_stands_and_the_mark_changes_nothing(house: House) -> None:
    house.tell(OWED)
    house.dispatch()
    [job] = house.take()
    assert not says(house, Fate.DELIVERED), "its name is not known yet"
    assert says(house, Fate.DELIVERED, key=first(house).key)
    house.book_receipt(job, Receipt(ReceiptKind.AMBIGUOUS, "no answer"))
    [row] = house.deliveries()
    assert (row.state, progress(row), row.provider_id) == (DeliveryState.ACCEPTED, "delivered", "PD1")


def test_a_word_about_another_kinds_message_or_an_unknown_one_changes_nothing(house: House) -> None:
    row = told(house)
    order = reported(Report(Fate.DELIVERED), "sms", house.now, key=row.key)
    with house.store.write() as uow:
        assert house.stage.heard(uow, order, house.now) is None
    assert not says(house, Fate.DELIVERED, key="ghost")
    assert house.deliveries() == (row,)


def test_what_has_to_be_renewed_is_sent_anew_until_the_end_and_told_once(house: House) -> None:
    renewed = Receipt(ReceiptKind.OK, "200", renew=60.0)
    told(house, renewed)
    for _ in range(3):
        house.clock.advance(60)
        look(house)
        house.dispatch()
        [job] = house.take()
        house.book_receipt(job, renewed)
    house.tell(Acked("ana"))
    house.dispatch()
    house.work()
    house.clock.advance(60)
    look(house)
    house.dispatch()
    [job] = house.take()
    assert job.args["message"].event is PageEvent.TRIGGER, "an acknowledgement ends nothing there"
    house.book_receipt(job, renewed)
    assert sum(text.startswith("Sent to ana by pagerduty (trigger)") for text in house.texts()) == 1
    house.end()
    sent = 0
    for _ in range(int(RENEWED_FOR / 60) + 4):
        look(house)
        house.dispatch()
        for job in house.take():
            sent += 1
            house.book_receipt(job, renewed)
        house.clock.advance(60)
    assert sent == 1 + RENEWED_FOR / 60 - 1, "the end is said again for six minutes, and then no more"
    assert {row.state for row in house.deliveries()} <= {DeliveryState.ACCEPTED, DeliveryState.DROPPED}
