"""Many incidents at once: a person reads a handful of messages, nothing is dropped, and the record says how each went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.owed import PAGES
from daemon.escalate.pacing import WAITED
from daemon.escalate.rules import Level, Policy
from daemon.escalate.triggers import Acked, HeadsUp
from daemon.incidents.change import Change
from daemon.incidents.events import Kind
from daemon.incidents.model import DAEMON
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from tests.unit.escalate.crowd import crowd
from tests.unit.escalate.house import OWED

pytestmark = pytest.mark.timeout(400)
"""A thousand incidents take seconds of processor time; a busy machine makes minutes of them."""
LATER = Receipt(ReceiptKind.TEMPORARY, "503")
REFUSED = Receipt(ReceiptKind.PERMANENT, "404")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(":memory:") as opened:
        yield opened


def names(count: int, prefix: str = "sf") -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]


def test_a_thousand_incidents_in_sixty_seconds_are_at_most_five_messages_in_five_minutes(
    store: Store, record_property: Callable[[str, object], None]
) -> None:
    """Target of the research (section 6): every incident reachable from them, the first page at once."""
    count = 1000
    house = crowd(store, "webhook")
    every = names(count)
    for second in range(60):
        house.page(*every[second * count // 60 : (second + 1) * count // 60])
        house.pass_time(1)
    first = house.sent[0].at - house.now + 60
    house.until_told()
    assert first <= 1, "the first page goes at once"
    assert house.most_within(300) <= 5
    assert house.ids() == every, "each once"
    [last] = [one.message for one in house.sent if len(one.ids) > 100]
    for name in last.several:
        assert name in last.body
    assert last.headline.startswith(f"[CRIT L1] {len(last.several)} more incidents, worst: Hot storage")
    assert all(house.deliveries(name)[0].state is DeliveryState.ACCEPTED for name in every)
    record_property("counted", f"{count} incidents in 60 s: {len(house.sent)} messages to one person")


def test_forty_incidents_in_ten_minutes_are_at_most_three_calls_and_all_are_told(store: Store) -> None:
    """Case 23 (goalert#1084): a number that calls in bursts is blocked as spam."""
    house = crowd(store, "voice")
    every = names(40)
    for name in every:
        house.page(name)
        house.pass_time(1)
        house.clock.advance(14)
    in_ten_minutes = len(house.sent)
    house.until_told()
    assert in_ten_minutes <= 3
    assert house.most_within(900) <= 3
    assert house.ids() == every


def test_texts_stay_within_five_in_a_quarter_of_an_hour(store: Store) -> None:
    house = crowd(store, "sms")
    every = names(60)
    for name in every:
        house.page(name)
        house.pass_time(1)
        house.clock.advance(29)
    house.until_told()
    assert (house.most_within(900), house.most_within(3600)) <= (5, 11)
    assert house.ids() == every


def test_two_incidents_are_two_pages_and_five_at_once_are_two_messages_the_worst_first(store: Store) -> None:
    house = crowd(store, "slack")
    house.page("sf-1", "sf-2")
    house.pass_time(1)
    assert [one.ids for one in house.sent] == [("sf-1",), ("sf-2",)]
    house.clock.advance(400)
    house.page("sf-3", "sf-4", severity="high")
    house.page("sf-5")
    house.page("sf-6", severity="high")
    house.pass_time(1)
    assert [one.ids for one in house.sent[2:]] == [("sf-5",), ("sf-3", "sf-4", "sf-6")]
    message = house.sent[-1].message
    assert message.headline.startswith("[HIGH L1] 3 more incidents, worst: ")
    assert ("All incidents", "https://fm.example.org/incidents") in message.links
    assert [part.split(" ", 1)[0] for part in message.parts[:-1]] == ["sf-3", "sf-4", "sf-6"]
    assert "[HIGH L1]: Hot storage is refusing writes" in message.parts[0]
    assert message.parts[-1].startswith(
        "All of them: https://fm.example.org/incidents, or fleetmend incidents."
    )


def test_one_incident_is_not_held_up_by_its_own_reminders(store: Store) -> None:
    house = crowd(store, "slack", policy=Policy((Level(("person:ana",)),), remind={"critical": 5.0}))
    house.page("sf-1")
    house.pass_time(30)
    assert len(house.sent) >= 6


def test_a_page_that_waits_says_so_once_and_why(store: Store) -> None:
    house = crowd(store, "slack")
    house.page("sf-1", "sf-2")
    house.pass_time(1)
    house.page("sf-3")
    house.pass_time(20)
    [row] = house.deliveries("sf-3")
    assert (row.state, row.due_at) == (DeliveryState.OWED, house.now + 60)
    assert row.error == "waits: ana has just had others by slack; what waits goes together"
    assert row.facts[WAITED] == house.now - 19
    [said] = [text for text in house.texts("sf-3") if text.startswith("Waits")]
    assert said == f"Waits 79 s (trigger to ana by slack): {row.error.removeprefix('waits: ')}"
    house.page("sf-4")
    house.pass_time(60)
    assert house.sent[-1].ids == ("sf-3", "sf-4")
    assert house.texts("sf-3")[-1] == "Sent to ana by slack (trigger), in one message about 2 incidents"
    assert house.deliveries("sf-3")[0].error == ""


def test_what_is_acknowledged_or_over_before_it_goes_drops_out_and_nothing_goes_if_all_are(
    store: Store,
) -> None:
    house = crowd(store, "slack")
    house.page("sf-1", "sf-2")
    house.pass_time(1)
    house.page("sf-3", "sf-4", "sf-5", "sf-6")
    house.pass_time(1)
    house.tell(Acked("ben"), key="sf-3")
    house.end("sf-4")
    house.pass_time(90)
    assert [one.ids for one in house.sent[2:]] == [("sf-5", "sf-6")]
    house.page("sf-7", "sf-8")
    house.end("sf-7")
    house.tell(Acked("ben"), key="sf-8")
    house.pass_time(200)
    assert len(house.sent) == 3


@pytest.mark.parametrize("how", ["a provider that is busy", "a crash"])
def test_what_went_together_comes_again_together_under_the_same_key_and_nothing_joins_it(
    store: Store, how: str
) -> None:
    house = crowd(store, "slack")
    house.page("sf-1", "sf-2", "sf-3", "sf-4")
    if how == "a crash":
        house.dispatch()
        house.crash()
    else:
        house.answers = [LATER, LATER]
        house.dispatch()
        house.work()
    house.page("sf-5", "sf-6")
    house.tell(Acked("ben"), key="sf-4")
    house.pass_time(30)
    pages = [one for one in house.sent if one.message.event in PAGES]
    assert sorted(one.ids for one in pages) == [("sf-1",), ("sf-2", "sf-3")], (
        "nobody needs the fourth any more"
    )
    house.until_told()
    assert sorted(house.sent[-1].ids) == ["sf-5", "sf-6"]
    if how == "a crash":
        assert all(one.message.maybe for one in pages)
    else:
        assert sorted(house.tried[:2]) == sorted(house.tried[2:4])


def test_a_message_about_many_is_never_sent_again_in_parts(store: Store) -> None:
    """Whatever moved some of its rows: a receiver that knows the key would take the rest for a repeat."""
    house = crowd(store, "webhook")
    house.page("sf-1", "sf-2", "sf-3", "sf-4")
    house.answers = [LATER, LATER]
    house.dispatch()
    house.work()
    with store.write() as uow:
        moved = [row for row in uow.deliveries.of("sf-3") if row.tries]
        uow.apply(Change(deliveries=tuple(replace(row, due_at=row.due_at + 90) for row in moved)))
    house.pass_time(30)
    assert sorted(one.ids for one in house.sent) == [("sf-1",), ("sf-2", "sf-3", "sf-4")]


def test_of_a_message_that_is_tried_again_one_incident_may_be_left(store: Store) -> None:
    house = crowd(store, "webhook")
    house.page("sf-1", "sf-2", "sf-3")
    house.answers = [LATER, LATER]
    house.dispatch()
    house.work()
    house.end("sf-3")
    house.pass_time(30)
    left = next(one for one in house.sent if one.ids == ("sf-2",))
    assert left.message.key in house.tried[:2]
    assert left.message.headline.startswith("[CRIT L1] 1 more incident, worst: Hot storage")


def test_a_message_about_many_that_cannot_go_is_owed_by_the_next_channel_for_each(store: Store) -> None:
    two = Policy((Level(("person:ana",)), Level(("person:ben",), after={"critical": 900.0})))
    house = crowd(store, "slack", policy=two)
    house.page("sf-1", "sf-2", "sf-3", "sf-4")
    house.answers = [REFUSED, REFUSED]
    house.dispatch()
    house.work()
    with store.read() as uow:
        levels = [escalation.level for n in range(1, 5) if (escalation := uow.escalations.get(f"sf-{n}"))]
    assert levels == [2, 2, 2, 2], "nobody could be reached at the first: the next level at once, for each"
    house.until_told()
    assert {(one.person, name) for one in house.sent for name in one.ids} == {
        ("ben", f"sf-{number}") for number in range(1, 5)
    }


def test_ends_of_pages_that_went_together_go_together_and_each_hears_one(store: Store) -> None:
    house = crowd(store, "slack")
    every = names(30)
    house.page(*every)
    house.pass_time(100)
    assert house.ids() == every
    for name in every:
        house.end(name)
    house.until_told()
    ends = [one for one in house.sent if one.message.event is PageEvent.RESOLVE]
    assert len(ends) <= 2
    assert sorted(name for one in ends for name in one.ids) == every
    assert ends[-1].message.headline == "[OVER] 29 incidents are over, Hot storage among them"
    assert house.most_within(300) <= 5


def test_an_end_waits_for_its_page_and_is_not_needed_where_that_never_went(store: Store) -> None:
    house = crowd(store, "slack")
    house.page(*names(3))
    house.pass_time(1)
    house.page("sf-late")
    house.pass_time(1)
    house.end("sf-late")
    house.until_told()
    assert "sf-late" not in house.ids()


def test_notes_wait_while_much_is_told_and_take_no_pages_place(store: Store) -> None:
    people = ("person:ana",)
    house = crowd(store, "slack", policy=Policy((Level(people),), heads_up=people))
    for name in names(6, "hu"):
        house.open(name)
        house.tell(HeadsUp("fail-over"), key=name)
    house.pass_time(2)
    assert [len(one.ids) for one in house.sent] == [1, 5], "two messages about six heads-ups"
    house.page("sf-1", "sf-2")
    house.pass_time(1)
    assert [one.ids for one in house.sent[2:]] == [("sf-1",), ("sf-2",)]
    house.open("hu-x")
    house.tell(HeadsUp("fail-over"), key="hu-x")
    house.pass_time(60)
    assert len(house.sent) == 4, "three messages in five minutes are no quiet"
    house.until_told()
    assert house.sent[-1].ids == ("hu-x",)


def test_a_page_about_the_daemon_itself_goes_though_others_wait(store: Store) -> None:
    house = crowd(store, "slack")
    house.page(*names(5))
    house.pass_time(1)
    house.open("dm-1")
    with store.write() as uow:
        incident = uow.incidents.get("dm-1")
        assert incident is not None
        uow.apply(Change(incident=replace(incident, failure_mode=DAEMON)))
    house.tell(OWED, key="dm-1")
    house.pass_time(1)
    assert house.sent[-1].ids == ("dm-1",)


def test_pagerduty_gets_an_event_for_each_incident_and_no_more_than_it_takes(store: Store) -> None:
    """About 120 events a minute for each integration key."""
    house = crowd(store, "pagerduty")
    every = names(150)
    house.page(*every)
    for _ in range(60):
        house.dispatch(slots=64)
        house.work()
        house.clock.advance(2)
    assert [one.message.several for one in house.sent] == [()] * 150
    assert house.ids() == every
    assert house.most_within(60) <= 120


def test_the_console_shows_every_page_at_once(store: Store) -> None:
    house = crowd(store, "console")
    every = names(30)
    house.page(*every)
    house.pass_time(1)
    with store.read() as uow:
        sent = [event for name in every for event in uow.timeline.of(name) if event.kind is Kind.SENT]
    assert len(sent) == 30
    assert all(row.event in PAGES for name in every for row in house.deliveries(name))


def test_a_text_that_cannot_be_made_still_tells_of_all(store: Store) -> None:
    house = crowd(store, "slack")
    person = house.setup.directory.people["ana"]
    people = {**house.setup.directory.people, "ana": replace(person, timezone="No/Where")}
    house.stage.setup = replace(house.setup, directory=replace(house.setup.directory, people=people))
    house.page(*names(5))
    house.pass_time(1)
    assert house.ids() == names(5)
    assert house.sent[-1].message.headline == "[CRIT L1] 4 more incidents"
    assert house.sent[-1].message.parts[-1] == f"4 critical more: {' '.join(names(5)[1:])}"
