"""Slack behind the escalation stage: one message an incident, whatever happens in between, and nothing sent too soon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.schedules import directory_of
from daemon.escalate.triggers import Acked, Escalated, PageOwed, Recovered
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from tests.fakes import slack
from tests.fakes.ports import answer
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import CHANNEL, TOKEN, URL, FakeSlackApi
from tests.unit.escalate.house import OWED, PEOPLE, SCHEDULES, House

SECRETS = Environment({"T": TOKEN, "U": slack.URL, "S": "signing-secret-of-the-app"})
APP = {"slack": {"token": {"env": "T"}, "signing_secret": {"env": "S"}}}


@dataclass
class Slacked:
    """A house whose first level is told by Slack."""

    house: House
    api: FakeSlackApi
    hook: FakeSlack

    @property
    def page(self) -> dict[str, Any]:
        return self.api.posted[0]

    @property
    def header(self) -> str:
        return str(self.page["blocks"][0]["text"]["text"])


def told_by(house: House, channel: dict[str, Any]) -> Slacked:
    ana = PersonSpec.model_validate({"name": "Ana", "channels": [channel]})
    people = {**PEOPLE, "ana": ana}
    directory = directory_of(people, {"architecture": ("chloe",)}, SCHEDULES, KINDS)
    house.setup = replace(house.setup, directory=directory, ack_token=lambda *asked: f"{asked[0]}.{asked[2]}")
    house.stage.setup = house.setup
    house.book, faults = address_book(people, APP, SECRETS.context)
    assert [fault for fault in faults if not fault.warning and fault.path[1] == "ana"] == []
    api, hook = FakeSlackApi(), FakeSlack()
    house.http.on("POST", URL, api).on("POST", slack.URL, hook)
    return Slacked(house, api, hook)


@pytest.fixture
def slacked() -> Iterator[Slacked]:
    with Store.open(":memory:") as store:
        house = House(store)
        house.open()
        yield told_by(house, {"slack": CHANNEL})


def test_one_message_follows_the_incident_to_its_end(slacked: Slacked) -> None:
    house = slacked.house
    house.tell(OWED)
    house.pass_time(1)
    assert slacked.header.startswith("[CRIT L1] Hot storage is refusing writes")
    house.tell(Acked("ana", "slack"))
    house.pass_time(1)
    assert slacked.header.startswith("👀 Acknowledged · [CRIT L1] Hot storage is refusing writes")
    assert "Acknowledged by ana" in json.dumps(slacked.page)
    house.tell(Escalated("ana", "not my system"))
    house.pass_time(1)
    house.tell(Recovered("fail-over"))
    house.pass_time(1)
    assert slacked.header.startswith("🟢 Recovered")
    house.end()
    house.pass_time(1)
    assert slacked.header.startswith("✅ Resolved · [OVER] Hot storage")
    replies = slacked.api.posted[1:]
    assert {reply["thread_ts"] for reply in replies} == {slacked.page["ts"]}
    assert len(replies) == 4


def test_what_comes_back_before_its_end_is_told_aloud_and_can_be_taken_again(slacked: Slacked) -> None:
    """A page in a thread is heard by nobody who does not follow it."""
    house = slacked.house
    house.tell(OWED)
    house.pass_time(1)
    house.tell(Recovered("fail-over"))
    house.pass_time(1)
    house.tell(PageOwed("Relapsed after verified recovery", again=True))
    house.pass_time(1)
    assert slacked.header.startswith("🔴 Again · [CRIT L1]")
    assert "fleetmend-ack" in json.dumps(slacked.page)
    last = slacked.api.posted[-1]
    assert last["reply_broadcast"] is True
    assert "Relapsed after verified recovery" in json.dumps(last)


def test_the_page_keeps_its_place_over_a_restart(slacked: Slacked) -> None:
    house = slacked.house
    house.tell(OWED)
    house.pass_time(1)
    house.crash()
    house.end()
    house.pass_time(1)
    assert slacked.header.startswith("✅ Resolved")


def test_killed_between_slacks_answer_and_the_mark_it_stands_there_once_and_is_still_changed(
    slacked: Slacked,
) -> None:
    """Case 1, where the provider knows no repeat: it is looked for before it is posted again."""
    house = slacked.house
    house.tell(OWED)
    house.dispatch()
    [job] = house.take()
    house.send(job)
    house.crash()
    house.pass_time(2)
    assert len(slacked.api.posted) == 1
    house.end()
    house.pass_time(1)
    assert slacked.header.startswith("✅ Resolved")


def test_what_comes_again_after_its_end_is_a_message_of_its_own(slacked: Slacked) -> None:
    house = slacked.house
    house.tell(OWED)
    house.pass_time(1)
    house.end()
    house.pass_time(1)
    house.open("sf-2")
    house.tell(PageOwed("relapsed"), key="sf-2")
    house.pass_time(1)
    assert "thread_ts" not in slacked.api.posted[-1]


def test_in_a_crowd_whatever_stands_alone_is_changed_at_once_and_what_went_together_is_told_together(
    slacked: Slacked,
) -> None:
    """A message that is changed is no message more, so it waits for no token."""
    house, names = slacked.house, [f"sf-{number}" for number in range(1, 7)]
    for name in names:
        if name != "sf-1":
            house.open(name)
        house.tell(OWED, key=name)
    house.pass_time(120)
    alone = [one for one in slacked.api.posted if "thread_ts" not in one]
    assert 1 < len(alone) < len(names)
    for name in names:
        house.end(name)
    house.pass_time(5)
    over = ["Resolved" in one["blocks"][0]["text"]["text"] for one in alone]
    assert over == [True] * (len(alone) - 1) + [False], "the last one tells of several"
    house.pass_time(600)
    rows = [row for name in names for row in house.deliveries(name)]
    assert {row.state for row in rows if row.event is PageEvent.RESOLVE} == {DeliveryState.ACCEPTED}


@pytest.mark.parametrize("channel", [{"slack": {"env": "U"}}, {"slack": CHANNEL}], ids=["webhook", "bot"])
def test_asked_twice_to_come_again_in_seven_seconds_it_comes_once_and_not_before_fourteen(
    channel: dict[str, Any],
) -> None:
    """Case 4: a 429 is no loss, and hammering after one gets an app switched off."""
    with Store.open(":memory:") as store:
        house = House(store)
        house.open()
        slacked = told_by(house, channel)
        late = answer(429, "", {"Retry-After": "7"})
        for receiver in (slacked.api, slacked.hook):
            receiver.script += [late, late]
        begun = house.now
        house.tell(OWED)
        house.pass_time(60)
        first, second, third = (at - begun for at in house.tried_at)
        assert first <= 1
        assert second - first >= 7
        assert third - second >= 7
        assert third >= 14
        assert len(slacked.api.posted) + len(slacked.hook.posted) == 1
        [row] = house.deliveries()
        assert row.state is DeliveryState.ACCEPTED
