"""What must not hold up a page: a future that a clock made up, tries that a death cut short, a list that was reordered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from daemon.escalate.breaker import standings
from daemon.escalate.dispatch import DUE_AT_ONCE
from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.outbox import FALLBACK_AFTER, begin, recovered_from_restart, settle
from daemon.escalate.pacing import RATED, Sort, Told, told
from daemon.escalate.receipts import RENEW
from daemon.escalate.rules import Level, Policy
from daemon.escalate.schedules import Person, Way
from daemon.escalate.stage import Escalate
from daemon.incidents.change import Change
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from tests.fakes import rows
from tests.unit.escalate.crowd import Crowd, crowd

NOW = 10_000.0
HOUR = 3600.0
LATER = Receipt(ReceiptKind.TEMPORARY, "503")
SILENT = Receipt(ReceiptKind.AMBIGUOUS, "no answer in time")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(":memory:") as opened:
        yield opened


def set_back(house: Crowd, seconds: float) -> None:
    house.clock.step(-seconds)
    with house.store.write() as uow:
        uow.apply(house.stage.stepped_back(uow, house.now))


def replace_directory(house: Crowd, *ways: str) -> Escalate:
    """The stage after a reload that gave Ana these channels."""
    ana = Person("ana", "Ana", "UTC", tuple(Way(place, kind) for place, kind in enumerate(ways)))
    directory = replace(house.setup.directory, people={**house.setup.directory.people, "ana": ana})
    return Escalate(replace(house.setup, directory=directory))


def told_of(house: Crowd, name: str) -> bool:
    return any(name in one.ids for one in house.sent)


@pytest.mark.parametrize("kind", ["email", "sms", "voice"])
def test_what_a_clock_dates_in_the_future_takes_no_turn_of_a_page(store: Store, kind: str) -> None:
    house = crowd(store, kind)
    for name in ("sf-1", "sf-2", "sf-3"):
        house.page(name)
        house.pass_time(90)
    set_back(house, HOUR)
    house.page("sf-4")
    house.pass_time(2)
    assert told_of(house, "sf-4")


def test_nor_does_it_fill_what_a_provider_takes_in_a_minute(store: Store) -> None:
    house = crowd(store, "pagerduty")
    many = RATED["pagerduty"].most
    house.page(*(f"sf-{number}" for number in range(many)))
    house.pass_time(many // 8 + 2)
    set_back(house, HOUR)
    house.page("last")
    house.pass_time(2)
    assert told_of(house, "last")


def test_nor_does_a_provider_that_failed_then_stay_in_trouble_until_then() -> None:
    asked = {"fault": "temporary", "asked": 30.0}
    later = [
        rows.delivery(f"{name}/p", incident=name, tries=3, tried_at=NOW + HOUR, facts=asked) for name in "ab"
    ]
    assert standings(later, NOW) == {}


def test_what_is_counted_is_what_was_sent_by_now() -> None:
    sent = rows.delivery("a/p", incident="a", state=DeliveryState.ACCEPTED, sent_at=NOW)
    assert told([sent], NOW) == (Told(NOW, Sort.PAGE, "a"),)
    assert told([replace(sent, sent_at=NOW + 1)], NOW) == ()


def test_a_death_during_the_last_try_that_counts_still_brings_the_next_channel() -> None:
    row = replace(begin(rows.delivery("k", tries=FALLBACK_AFTER - 1)), give_up_at=None)
    again = recovered_from_restart(row, NOW)
    first = settle(begin(again), LATER, NOW)
    assert first.failing
    assert not settle(begin(first.row), LATER, NOW).failing, "once"


def test_word_of_a_text_that_was_taken_before_the_clock_was_set_back_is_not_waited_for_until_then(
    store: Store,
) -> None:
    house = crowd(store, "sms", "voice")
    house.answers = [Receipt(ReceiptKind.OK, "201", proof_within=120.0)]
    house.page("sf-1")
    house.pass_time(1)
    set_back(house, HOUR)
    with store.read() as uow:
        [row] = uow.deliveries.to_look_at(house.now + 120.0)
    assert row.look_at == house.now + 120.0


def test_a_reload_that_puts_another_channel_in_the_place_of_the_one_that_failed_leaves_it_to_be_tried(
    store: Store,
) -> None:
    house = crowd(store, "email")
    house.page("sf-1")
    house.stage = replace_directory(house, "webhook")
    house.answers = [Receipt(ReceiptKind.PERMANENT, "ana/0 has no channel email any more")]
    house.pass_time(2)
    assert [one.kind for one in house.sent] == ["webhook"]


@pytest.mark.parametrize("kind", ["sms", "voice"])
def test_a_page_that_would_wait_for_minutes_goes_by_the_next_channel_meanwhile(
    store: Store, kind: str
) -> None:
    """A carrier's limits are of hours; the first page of an incident is not to wait for them where there is another way."""
    house = crowd(store, kind, "email")
    for number in range(24):
        house.page(f"sf-{number:02}")
        for _ in range(12):
            house.pass_time(1)
            house.clock.advance(9)
    every = {f"sf-{number:02}" for number in range(24)}
    house.pass_time(90)
    assert {name for one in house.sent for name in one.ids} == every
    first = {name: min(one.at for one in house.sent if name in one.ids) for name in every}
    for name in every:
        [*_, row] = [row for row in house.deliveries(name) if row.event is PageEvent.TRIGGER]
        assert first[name] - row.created_at <= 130, name


def test_a_page_whose_provider_gives_no_answer_goes_by_the_next_channel_at_once_and_on_under_its_key(
    store: Store,
) -> None:
    """Half a minute is gone by then, and nobody knows whether it arrived; three tries would take two minutes."""
    house = crowd(store, "sms", "email")
    house.answers = [SILENT]
    house.page("sf-1")
    house.pass_time(2)
    assert [one.kind for one in house.sent] == ["email"]
    house.answers = [SILENT]
    house.pass_time(300)
    assert [one.kind for one in house.sent] == ["email", "sms"]
    [first, *_, last] = [key for key in house.tried if "/sms." in key]
    assert first == last


def test_a_note_of_which_nobody_knows_whether_it_arrived_is_owed_nowhere_else() -> None:
    note = begin(rows.delivery("k", event=PageEvent.HEADS_UP))
    assert not settle(note, SILENT, NOW).failing


def test_one_provider_that_hangs_leaves_workers_for_the_others(store: Store) -> None:
    house = crowd(store, "pagerduty", "email")
    house.page(*(f"sf-{number}" for number in range(20)))
    house.dispatch(slots=8)
    hung = house.take()
    assert len(hung) == 6
    house.dispatch(slots=2)
    assert house.take() == []
    house.book_receipt(hung[0], Receipt(ReceiptKind.PERMANENT, "404"))
    house.dispatch(slots=3)
    assert sorted(job.args["channel"] for job in house.take()) == ["email", "pagerduty"]


@pytest.mark.parametrize("event", [PageEvent.STATUS, PageEvent.TRIGGER])
def test_a_page_is_seen_behind_any_number_of_messages_that_are_due_longer(
    store: Store, event: PageEvent
) -> None:
    house = crowd(store, "opsgenie")
    house.open("noisy")
    notes = [
        rows.delivery(
            f"noisy/{n}", incident="noisy", event=event, channel="alertmanager", address=f"p{n}/0",
            created_at=house.now - 60, due_at=house.now - 60, give_up_at=house.now + 60,
        )
        for n in range(DUE_AT_ONCE)
    ]  # fmt: skip
    renewed = [
        replace(
            note, key=f"{note.key}/r", event=PageEvent.TRIGGER, sent_at=house.now - 90, facts={RENEW: 150.0}
        )
        for note in notes
    ]
    with store.write() as uow:
        uow.apply(Change(deliveries=(*notes, *renewed)))
    house.page("sf-1")
    house.dispatch(slots=8)
    assert "sf-1" in [job.incident for job in house.take()]


def test_a_reminder_that_fails_goes_by_a_channel_that_an_earlier_reminder_went_by(store: Store) -> None:
    house = crowd(store, "sms", "email", policy=Policy((Level(("person:ana",)),), remind={"critical": 300.0}))
    house.page("sf-1")
    house.pass_time(890)
    assert [one.kind for one in house.sent] == ["sms", "email", "sms"]
    house.answers = [Receipt(ReceiptKind.PERMANENT, "550")]
    house.pass_time(20)
    assert [one.kind for one in house.sent] == ["sms", "email", "sms", "sms"]
