"""What the escalation stage writes, to whom, and what it never writes."""

from __future__ import annotations

from dataclasses import replace

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.message import ReceiptKind
from daemon.escalate.schedules import directory_of
from daemon.escalate.setup import Setup
from daemon.escalate.triggers import PageOwed
from daemon.incidents.change import Change
from daemon.incidents.records import DeliveryState, FailoverLock, MuteKind, PageEvent, PipelineChange
from daemon.store.store import Store
from tests.fakes import pagerduty, rows
from tests.fakes.paging import POLICY
from tests.fakes.ports import answer
from tests.fakes.standard_webhook import SECRET, FakeReceiver
from tests.unit.escalate.house import DIRECTORY, OWED, PEOPLE, SCHEDULES, House


def test_a_text_that_cannot_be_composed_goes_out_plain_and_does_not_stop_the_others() -> None:
    with Store.open(":memory:") as store:
        bad = replace(
            DIRECTORY,
            people={**DIRECTORY.people, "ana": replace(DIRECTORY.people["ana"], timezone="No/Where")},
        )
        house = House(store, setup=Setup({"default": POLICY}, bad))
        house.open()
        house.tell(OWED)
        house.pass_time(1)
        [event] = house.provider.events
        assert event["payload"]["summary"] == "[TRIGGER] L1 incident sf-1: Ladder exhausted"
        assert any("a plain one goes out" in text for text in house.texts())


def test_after_resume_giving_up_again_is_a_new_page(house: House) -> None:
    house.tell(OWED)
    house.pass_time(1)
    with house.store.write() as uow:
        run = uow.runs.get("sf-1")
        assert run is not None
        uow.apply(Change(run=replace(run, released_at=house.now + 1)))
    house.clock.advance(60)
    house.tell(PageOwed("Gave up again"))
    assert [row.event for row in house.deliveries()].count(PageEvent.TRIGGER) == 2


def test_a_running_policy_outlives_a_reload(house: House) -> None:
    house.tell(OWED)
    house.pass_time(1)
    house.stage.setup = replace(house.setup, policies={"default": replace(POLICY, levels=POLICY.levels[:1])})
    house.pass_time(15 * 60)
    assert any(row.person == "ben" for row in house.deliveries())


def test_a_page_tells_what_goes_on_around(house: House) -> None:
    house.open("sf-2")
    with house.store.write() as uow:
        uow.pipeline.add(PipelineChange(house.now - 600, "deployed writer 2.4", "ci", "abc123", rows.NAVIXY))
    house.tell(OWED)
    house.pass_time(1)
    text = house.provider.events[0]["payload"]["custom_details"]["page"]
    assert "deployed writer 2.4 by ci abc123" in text
    assert "Also open: sf-2 (Hot storage)." in text
    assert "This fault came for the second time in seven days" in text


def test_a_page_tells_what_is_locked_by_its_incident_and_what_quiets_it(house: House) -> None:
    now = house.now
    pause = {"kind": MuteKind.PAUSE, "starts_at": now - 1, "ends_at": now + 999}
    with house.store.write() as uow:
        uow.locks.save(FailoverLock("hot", now + 3600, "sf-1", "failed over"))
        uow.locks.save(FailoverLock("warm", now + 3600, "sf-2", "not ours"))
        uow.apply(
            Change(
                mutes=(
                    rows.mute("all", owner="ben", matchers={}, **pause),
                    rows.mute("other", owner="chloe", matchers={"tier": "cold"}, **pause),
                )
            )
        )
    house.tell(OWED)
    house.pass_time(1)
    text = house.provider.events[0]["payload"]["custom_details"]["page"]
    assert "hot is locked until" in text
    assert "pause by ben until" in text
    assert "not ours" not in text
    assert "pause by chloe" not in text


def test_a_test_page_proves_one_channel(house: House) -> None:
    change = house.stage.test_page("ana", house.now)
    with house.store.write() as uow:
        uow.apply(change)
    house.dispatch()
    assert [receipt.kind for receipt in house.work()] == [ReceiptKind.OK]
    assert house.provider.pages[0].startswith("[TEST] This channel works.")
    assert house.stage.test_page("ana", house.now, channel="voice").deliveries == ()
    assert house.stage.test_page("nobody", house.now).deliveries == ()


def test_a_days_low_incidents_are_one_message(house: House) -> None:
    """Three incidents, one mail: to the reader it is a digest, on the record each has its row."""
    people = {
        **PEOPLE,
        "chloe": PersonSpec.model_validate(
            {
                "name": "Chloe",
                "channels": [{"webhook": {"url": "https://h.example.org/x", "secret": {"env": "S"}}}],
            }
        ),
    }
    receiver = FakeReceiver(house.clock)
    house.http.on("POST", "https://h.example.org/x", receiver)
    house.book, _ = address_book(people, {}, Environment({"K": pagerduty.ROUTING_KEY, "S": SECRET}).context)
    house.stage.setup = replace(
        house.setup, directory=directory_of(people, {"architecture": ("chloe",)}, SCHEDULES, KINDS)
    )
    keys = ["low-1", "low-2", "low-3"]
    for key in keys:
        house.open(key, severity="low")
        house.tell(OWED, key=key)
    house.end("low-2")
    house.clock.advance(24 * 3600)
    receiver.script = [answer(503)]
    house.pass_time(20)
    [payload] = receiver.taken.values()
    assert payload["data"]["headline"] == "[DIGEST] 3 low incident(s), 2 still open"
    assert [key in payload["data"]["text"] for key in keys] == [True] * 3
    assert [row.state for key in keys for row in house.deliveries(key)] == [DeliveryState.ACCEPTED] * 3


def test_held_pages_are_named_so_that_lifting_a_silence_lets_them_out(house: House) -> None:
    with house.store.write() as uow:
        uow.apply(
            Change(
                mutes=(
                    rows.mute(
                        kind=MuteKind.SILENCE, starts_at=house.now - 1, ends_at=house.now + 999, matchers={}
                    ),
                )
            )
        )
    house.tell(OWED)
    with house.store.read() as uow:
        assert house.stage.held(uow) == ("sf-1",)
    assert house.deliveries() == ()


def test_no_secret_is_in_any_row(house: House) -> None:
    house.provider.script = [answer(403, f"bad key {pagerduty.ROUTING_KEY}")]
    house.tell(OWED)
    house.pass_time(1)
    assert pagerduty.ROUTING_KEY not in repr(house.deliveries()) + repr(house.texts())
