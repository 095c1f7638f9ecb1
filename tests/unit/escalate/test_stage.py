"""The escalation stage on a real store: crash and restart, retries, order, and what is never lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from config.people import PersonSpec
from config.schedules import ScheduleSpec
from config.scope import scope_of
from config.secrets import Environment
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import KINDS, AddressBook, address_book
from daemon.escalate.direct import DirectPager
from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.post import post
from daemon.escalate.schedules import directory_of
from daemon.escalate.stage import Escalate, Setup
from daemon.escalate.triggers import Acked, Ended, HeadsUp, PageOwed, Trigger
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, IncidentState
from daemon.incidents.records import Delivery, DeliveryState, MuteKind, PageEvent, PipelineChange
from daemon.store.store import Store
from remediations.ports import Ambiguous, Unreachable
from remediations.run import RunState
from tests.fakes import pagerduty, rows
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.paging import POLICY
from tests.fakes.ports import FakeClock, FakeHttp, answer
from tests.fakes.standard_webhook import SECRET, FakeReceiver

OWED = PageOwed("Ladder exhausted")
PEOPLE = {
    "ana": PersonSpec.model_validate(
        {
            "name": "Ana",
            "timezone": "Europe/Paris",
            "channels": [{"pagerduty": {"routing_key": {"env": "K"}}}, {"console": {}}],
        }
    ),
    "ben": PersonSpec.model_validate({"name": "Ben", "channels": [{"console": {}}]}),
    "chloe": PersonSpec.model_validate({"name": "Chloe", "channels": [{"console": {}}]}),
}
SCHEDULES = {
    "primary": ScheduleSpec.model_validate(
        {"rotation": {"every": "1w", "starts": "2025-12-29 00:00", "people": ["ana"]}}
    )
}
DIRECTORY = directory_of(PEOPLE, {"architecture": ("chloe",)}, SCHEDULES, KINDS)


@dataclass
class House:
    """Store, stage and one worker, driven by hand. `crash` forgets everything that is not on disk."""

    store: Store
    provider: FakePagerDuty = field(default_factory=FakePagerDuty)
    clock: FakeClock = field(default_factory=FakeClock)
    setup: Setup = field(
        default_factory=lambda: Setup({"default": POLICY}, DIRECTORY, public_url="https://fm.example.org")
    )
    jobs: list[Job] = field(default_factory=list)
    tried_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage = Escalate(self.setup)
        self.http = FakeHttp(self.clock).on("POST", pagerduty.URL, self.provider)
        environment = Environment({"K": pagerduty.ROUTING_KEY})
        self.book, _ = address_book(PEOPLE, {}, environment.context)
        self.doors = Doors(self.http, self.clock, lambda text: text.replace(pagerduty.ROUTING_KEY, "***"))

    @property
    def now(self) -> float:
        return self.clock.now()

    def open(self, key: str = "sf-1", severity: str = "critical", **fields: Any) -> None:
        incident = rows.incident(
            key,
            severity=severity,
            failure_mode="storage_failure",
            scope=scope_of({"tier": "hot"}),
            findings=(FindingRecord("storage-writes", 0.042, "above 1%", self.now - 60, "firing"),),
            began_at=self.now - 60,
            detected_at=self.now,
            **fields,
        )
        run = rows.run(key, state=RunState.GAVE_UP, reason="nothing is left to try")
        with self.store.write() as uow:
            uow.apply(
                Change(
                    incident=incident,
                    run=run,
                    escalation=rows.escalation(key, severity=severity),
                    events=(Event(key, self.now, Kind.DETECTED, "detected"),),
                )
            )

    def tell(self, *triggers: Trigger, key: str = "sf-1") -> None:
        with self.store.write() as uow:
            uow.apply(self.stage.advance(uow, key, triggers, self.now).change)

    def end(self, key: str = "sf-1") -> None:
        with self.store.write() as uow:
            incident = uow.incidents.get(key)
            assert incident is not None
            uow.apply(
                Change(
                    incident=replace(
                        incident, state=IncidentState.RESOLVED, resolved_by="self", resolved_at=self.now
                    )
                )
            )
            uow.apply(self.stage.advance(uow, key, (Ended("It mended itself."),), self.now).change)

    def dispatch(self, slots: int = 8) -> None:
        with self.store.write() as uow:
            change = self.stage.dispatch(uow, self.now, slots)
            uow.apply(change)
        self.jobs += change.jobs

    def work(self) -> list[Receipt]:
        """The worker sends what it holds; receipts are booked."""
        receipts = []
        for job in self.take():
            receipt = self.send(job)
            self.book_receipt(job, receipt)
            receipts.append(receipt)
        return receipts

    def take(self) -> list[Job]:
        jobs, self.jobs = self.jobs, []
        return jobs

    def send(self, job: Job) -> Receipt:
        self.tried_at.append(self.now)
        return post(job.args, self.book, self.doors, self.clock.monotonic() + 10)

    def book_receipt(self, job: Job, receipt: Receipt) -> None:
        with self.store.write() as uow:
            uow.apply(self.stage.receipt(uow, job.key, receipt, self.now))

    def pass_time(self, seconds: float) -> None:
        """The loop looks every second, as it does live."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            with self.store.read() as uow:
                due = [row.id for row in uow.escalations.due(self.now)]
            for key in due:
                with self.store.write() as uow:
                    uow.apply(self.stage.tick(uow, key, self.now))
            self.dispatch()
            self.work()

    def crash(self) -> None:
        self.jobs = []
        self.stage = Escalate(self.setup)
        with self.store.write() as uow:
            uow.apply(self.stage.restart(uow, self.now))

    def deliveries(self, key: str = "sf-1") -> tuple[Delivery, ...]:
        with self.store.read() as uow:
            return uow.deliveries.of(key)

    def texts(self, key: str = "sf-1") -> list[str]:
        with self.store.read() as uow:
            return [event.text for event in uow.timeline.of(key)]


@pytest.fixture
def house() -> Iterator[House]:
    with Store.open(":memory:") as store:
        made = House(store)
        made.open()
        yield made


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
    with house.store.write() as uow:
        uow.apply(house.stage.abandoned(uow, job.key, house.now))
    [row] = house.deliveries()
    assert (row.state, row.receipt[:5]) == (DeliveryState.OWED, "maybe")
    house.book_receipt(job, Receipt(ReceiptKind.PERMANENT, "late"))
    assert house.deliveries() == (row,)


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
    assert "The same fault 1 time(s) in the seven days before" in text


def test_a_test_page_proves_one_channel(house: House) -> None:
    change = house.stage.test_page("ana", house.now)
    assert change is not None
    with house.store.write() as uow:
        uow.apply(change)
    house.dispatch()
    assert [receipt.kind for receipt in house.work()] == [ReceiptKind.OK]
    assert house.provider.pages[0].startswith("[TEST] This channel works.")
    assert house.stage.test_page("ana", house.now, position=7) is None
    assert house.stage.test_page("nobody", house.now) is None


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


def test_a_channel_taken_out_of_the_configuration_fails_and_the_next_one_follows(house: House) -> None:
    house.tell(OWED)
    house.book = AddressBook({})
    house.pass_time(1)
    states = {row.channel: row.state for row in house.deliveries()}
    assert states["pagerduty"] is DeliveryState.FAILED
    house.pass_time(1)
    assert {row.channel: row.state for row in house.deliveries()}["console"] is DeliveryState.ACCEPTED


def test_no_secret_is_in_any_row(house: House) -> None:
    house.provider.script = [answer(403, f"bad key {pagerduty.ROUTING_KEY}")]
    house.tell(OWED)
    house.pass_time(1)
    assert pagerduty.ROUTING_KEY not in repr(house.deliveries()) + repr(house.texts())


def test_an_unknown_incident_or_receipt_changes_nothing(house: House) -> None:
    with house.store.write() as uow:
        assert house.stage.advance(uow, "ghost", (OWED,), house.now).change.empty
        assert house.stage.receipt(uow, "ghost#1", Receipt(ReceiptKind.OK), house.now).empty
        assert house.stage.dispatch(uow, house.now, 8).empty


# ------------------------------------------------------------ without a store


def direct(house: House) -> DirectPager:
    return DirectPager(DIRECTORY, POLICY, house.book, house.doors)


def test_with_a_sick_store_one_page_goes_out_directly_and_is_recorded_later(house: House) -> None:
    pager = direct(house)
    assert pager.page("store", "disk full", house.now)
    assert pager.page("store", "disk full", house.now + 60)
    assert house.provider.pages == ["[CRIT L1] Fleetmend itself: store: disk full"]
    assert [event["dedup_key"] for event in house.provider.events] == ["fleetmend/daemon/store"]
    assert [event.kind for event in pager.records()] == [Kind.SENT]
    assert pager.records() == ()
    pager.over("store", "writes again", house.now + 90)
    assert house.provider.open == {}


def test_a_direct_page_that_reached_nobody_is_tried_again(house: House) -> None:
    house.provider.script = [Unreachable("refused")]
    pager = direct(house)
    assert not pager.page("store", "disk full", house.now)
    assert pager.page("store", "disk full", house.now + 1)
    assert len(house.provider.pages) == 1


def test_a_restarted_daemon_joins_the_same_direct_alert(house: House) -> None:
    direct(house).page("store", "disk full", house.now)
    direct(house).page("store", "disk full", house.now)
    assert len(house.provider.pages) == 1
