"""Alertmanager behind the escalation stage: an alert goes on as long as its incident, and ends with it, whoever restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.alertmanager import FIRES_FOR, RENEWED_EVERY, Alertmanager, AlertmanagerSpec
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.channels.shared import Shared
from daemon.escalate.message import ReceiptKind
from daemon.escalate.outbox import ANEW_AT_ONCE
from daemon.escalate.owed import PAGES
from daemon.escalate.schedules import directory_of
from daemon.escalate.triggers import Acked, PageOwed, Recovered
from daemon.incidents.change import Change
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from tests.fakes.alertmanager_out import SERVER, TOKEN, URL, FakeAlertmanager, identity
from tests.fakes.channel_benches import page
from tests.fakes.ports import FakeClock, FakeHttp, answer
from tests.unit.escalate.house import OWED, PEOPLE, SCHEDULES, House

SPEC = {"url": SERVER, "auth": {"bearer": {"env": "T"}}, "labels": {"team": "fleet"}}
MINUTE = 60


@dataclass
class Alerted:
    """A house whose first level is told by an Alertmanager."""

    house: House
    alerts: FakeAlertmanager

    @property
    def firing(self) -> list[str]:
        return self.alerts.firing()

    def pass_time(self, seconds: int) -> None:
        """As the loop does, every ten seconds."""
        for _ in range(seconds // 10):
            self.house.clock.advance(9)
            with self.house.store.write() as uow:
                for change in self.house.stage.look(uow, self.house.now):
                    uow.apply(change)
                for change in self.house.stage.detour(uow, self.house.now):
                    uow.apply(change)
            self.house.pass_time(1)


@pytest.fixture
def alerted() -> Iterator[Alerted]:
    with Store.open(":memory:") as store:
        house = House(store)
        house.open()
        ways = [{"alertmanager": SPEC}, {"console": {}}]
        ana = PersonSpec.model_validate({"name": "Ana", "channels": ways})
        people = {**PEOPLE, "ana": ana}
        directory = directory_of(people, {"architecture": ("chloe",)}, SCHEDULES, KINDS)
        house.setup = replace(house.setup, directory=directory)
        house.stage.setup = house.setup
        house.book, _ = address_book(people, {}, Environment({"T": TOKEN}).context)
        alerts = FakeAlertmanager(clock=house.clock)
        house.http.on("POST", URL, alerts)
        yield Alerted(house, alerts)


def test_an_alert_fires_as_long_as_its_incident_and_ends_with_it(alerted: Alerted) -> None:
    house = alerted.house
    house.tell(OWED)
    for _ in range(20):
        alerted.pass_time(MINUTE)
        assert alerted.firing == ["sf-1"]
    house.end()
    alerted.pass_time(10)
    assert alerted.firing == []
    assert len({identity(alert) for alert in alerted.alerts.posts}) == 1


def test_an_end_is_sent_again_for_five_minutes_and_then_no_more(alerted: Alerted) -> None:
    alerted.house.tell(OWED)
    alerted.pass_time(10)
    alerted.house.end()
    ended_at = alerted.house.now
    alerted.pass_time(20 * MINUTE)
    ends = [alert for alert in alerted.alerts.posts if alerted.alerts.ended(alert)]
    tries = [at for at in alerted.house.tried_at if at >= ended_at]
    assert len(ends) >= 5
    assert tries[-1] - ended_at >= 5 * MINUTE
    assert tries[-1] - ended_at <= 8 * MINUTE
    rows = {row.event: row for row in alerted.house.deliveries()}
    assert rows[PageEvent.RESOLVE].state is DeliveryState.ACCEPTED


@pytest.mark.parametrize("told", [Acked("ana"), Recovered("fail-over")], ids=["acknowledged", "recovered"])
def test_what_is_not_over_goes_on_standing(alerted: Alerted, told: Acked | Recovered) -> None:
    alerted.house.tell(OWED)
    alerted.pass_time(10)
    alerted.house.tell(told)
    alerted.pass_time(15 * MINUTE)
    assert alerted.firing == ["sf-1"]


def test_it_goes_on_over_a_restart_of_the_daemon(alerted: Alerted) -> None:
    alerted.house.tell(OWED)
    alerted.pass_time(MINUTE)
    alerted.house.crash()
    alerted.house.clock.advance(FIRES_FOR - 2 * RENEWED_EVERY)
    assert alerted.firing == ["sf-1"]
    alerted.pass_time(6 * MINUTE)
    assert alerted.firing == ["sf-1"]


def test_an_alertmanager_that_was_away_past_the_level_s_deadline_is_told_when_it_is_back(
    alerted: Alerted,
) -> None:
    house = alerted.house
    house.tell(OWED)
    alerted.pass_time(10)
    alerted.alerts.script += [answer(503, "away")] * 100
    alerted.pass_time(40 * MINUTE)
    assert alerted.firing == [], "it ended by itself"
    first = min(house.deliveries(), key=lambda row: row.created_at)
    assert first.state is DeliveryState.OWED
    alerted.alerts.script.clear()
    alerted.pass_time(3 * MINUTE)
    assert alerted.firing == ["sf-1"]
    house.end()
    alerted.pass_time(MINUTE)
    assert alerted.firing == []


def test_an_alertmanager_that_goes_away_pages_nobody_who_was_told(alerted: Alerted) -> None:
    """What is only kept standing is owed to nobody else: not after three tries, nor as its provider is in trouble."""
    house, names = alerted.house, [f"sf-{number}" for number in range(1, 5)]
    for name in names:
        if name != "sf-1":
            house.open(name)
        house.tell(OWED, key=name)
    alerted.pass_time(20)
    for name in names:
        house.tell(Acked("ana"), key=name)
    alerted.alerts.script += [answer(503, "away")] * 1_000
    alerted.pass_time(20 * MINUTE)
    rows = [row for name in names for row in house.deliveries(name) if row.person == "ana"]
    assert {row.channel for row in rows if row.event in PAGES} == {"alertmanager"}
    alerted.alerts.script.clear()
    alerted.pass_time(4 * MINUTE)
    assert sorted(alerted.firing) == names


@pytest.mark.parametrize("said", [403, 503], ids=["refused", "away"])
def test_an_end_that_was_told_once_is_not_tried_for_ever(alerted: Alerted, said: int) -> None:
    house = alerted.house
    house.tell(OWED)
    alerted.pass_time(10)
    house.end()
    alerted.pass_time(10)
    alerted.alerts.script += [answer(said, "not now")] * 1_000
    alerted.pass_time(15 * MINUTE)
    tried = len(house.tried_at)
    alerted.pass_time(10 * MINUTE)
    assert len(house.tried_at) == tried
    assert {row.state for row in house.deliveries()} == {DeliveryState.ACCEPTED}


def test_what_is_refused_for_a_while_stands_again_once_it_is_not(alerted: Alerted) -> None:
    """A proxy that has lost its way says 404 to everything."""
    alerted.house.tell(OWED)
    alerted.pass_time(10)
    alerted.alerts.script += [answer(404, "no such page")] * 4
    alerted.pass_time(12 * MINUTE)
    assert alerted.alerts.script == []
    alerted.pass_time(3 * MINUTE)
    assert alerted.firing == ["sf-1"]


def test_who_was_not_told_yet_goes_before_what_only_goes_on_standing(alerted: Alerted) -> None:
    house, names = alerted.house, [f"sf-{number}" for number in range(1, 8)]
    for name in names:
        if name != "sf-1":
            house.open(name)
        house.tell(OWED, key=name)
    alerted.pass_time(20)
    house.clock.advance(RENEWED_EVERY)
    with house.store.write() as uow:
        for change in house.stage.look(uow, house.now):
            uow.apply(change)
    house.open("sf-9")
    house.tell(OWED, key="sf-9")
    house.dispatch(slots=8)
    jobs = house.take()
    assert jobs[0].incident == "sf-9"
    assert len(jobs) == 1 + ANEW_AT_ONCE


def test_reminders_and_levels_do_not_multiply_what_is_sent(alerted: Alerted) -> None:
    """One alert is renewed once a minute, however often its people were told."""
    alerted.house.tell(OWED)
    alerted.pass_time(14 * MINUTE)
    asked = sum(1 for row in alerted.house.deliveries() if row.channel == "alertmanager")
    assert asked == 2
    assert 12 <= len(alerted.alerts.posts) <= 14 + asked


def test_what_relapses_while_its_end_is_still_told_fires_again(alerted: Alerted) -> None:
    house = alerted.house
    house.tell(OWED)
    alerted.pass_time(10)
    house.end()
    alerted.pass_time(MINUTE)
    with house.store.write() as uow:
        incident = uow.incidents.get("sf-1")
        assert incident is not None
        uow.apply(
            Change(incident=replace(incident, state=IncidentState.OPEN, resolved_by=None, resolved_at=None))
        )
    house.tell(PageOwed("relapsed", again=True))
    for _ in range(12):
        alerted.pass_time(MINUTE)
        assert alerted.firing == ["sf-1"]


def test_the_record_tells_of_a_page_and_not_of_every_time_it_is_sent_again(alerted: Alerted) -> None:
    alerted.house.tell(OWED)
    alerted.pass_time(4 * MINUTE)
    assert sum(1 for text in alerted.house.texts() if text.startswith("Sent to ana")) == 1


# ------------------------------------------------------------ what is sent


def spec(**more: Any) -> AlertmanagerSpec:
    return AlertmanagerSpec.model_validate({"url": SERVER, **more})


def test_the_labels_are_of_the_incident_and_ours_with_what_its_routes_need() -> None:
    alert = Alertmanager().render(page(facet="storage_failure"), spec(labels={"team": "fleet"}), 0.0)
    assert alert is not None
    assert alert["labels"] == {
        "alertname": "FleetmendIncident",
        "fleetmend_incident": "sf-1",
        "severity": "critical",
        "failure_mode": "storage_failure",
        "scope": "tier hot",
        "team": "fleet",
    }


def test_a_test_page_ends_by_itself() -> None:
    alerts = FakeAlertmanager(clock=(clock := FakeClock()))
    doors = Doors(FakeHttp(clock).on("POST", URL, alerts), clock, str)
    context = Environment({"T": TOKEN}).context
    told = page(PageEvent.TEST, dedup_key="fleetmend/test/ana/0")
    receipt = Alertmanager().send(
        told, AlertmanagerSpec.model_validate(SPEC, context=context), Shared(), doors, 1_010.0, short=False
    )
    assert (receipt.kind, receipt.renew) == (ReceiptKind.OK, None)
    assert alerts.firing() == ["test/ana/0"]
    clock.advance(FIRES_FOR)
    assert alerts.firing() == []


@pytest.mark.parametrize("event", [PageEvent.STATUS, PageEvent.HEADS_UP, PageEvent.DIGEST])
def test_what_asks_for_nobody_is_no_alert(event: PageEvent) -> None:
    assert Alertmanager().render(page(event), spec(), 0.0) is None


@pytest.mark.parametrize("name", ["alertname", "fleetmend_incident", "severity", "__name__"])
def test_a_label_that_is_ours_cannot_be_set(name: str) -> None:
    with pytest.raises(ValueError, match="set by Fleetmend"):
        spec(labels={name: "x"})


def test_a_page_past_a_sick_store_fires_for_a_day_as_no_row_will_send_it_again() -> None:
    told = Alertmanager().render(page(key="-/direct/store/trigger"), spec(), 0.0)
    assert told is not None
    assert told["endsAt"].startswith("1970-01-02")


def test_what_proves_who_we_are_is_not_sent_in_the_clear_unnoticed() -> None:
    context = Environment({"T": TOKEN}).context
    written = {"url": "http://am.example.org", "auth": {"bearer": {"env": "T"}}}
    clear = AlertmanagerSpec.model_validate(written, context=context)
    assert Alertmanager().doubts(clear, Shared()) != []
    assert Alertmanager().doubts(spec(), Shared()) == []
