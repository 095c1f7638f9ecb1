"""Teams behind the escalation stage: what it says it did not deliver was not delivered."""

from __future__ import annotations

from dataclasses import replace

from config.people import PersonSpec
from config.secrets import Environment
from daemon.escalate.channels.registry import KINDS, address_book
from daemon.escalate.schedules import directory_of
from daemon.incidents.records import DeliveryState
from daemon.store.store import Store
from tests.fakes import teams
from tests.fakes.ports import answer
from tests.fakes.teams import FakeTeams
from tests.unit.escalate.house import OWED, PEOPLE, SCHEDULES, House

TOO_LARGE = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413"


def test_an_error_inside_a_200_is_a_failure_and_the_next_channel_is_used() -> None:
    """Case 19: 200 with "HTTP error 413"."""
    with Store.open(":memory:") as store:
        house, receiver = House(store), FakeTeams(script=[answer(200, TOO_LARGE)] * 2)
        house.open()
        ways = [{"teams": {"url": {"env": "U"}}}, {"console": {}}]
        people = {**PEOPLE, "ana": PersonSpec.model_validate({"name": "Ana", "channels": ways})}
        directory = directory_of(people, {"architecture": ("chloe",)}, SCHEDULES, KINDS)
        house.stage.setup = house.setup = replace(house.setup, directory=directory)
        house.book, _ = address_book(people, {}, Environment({"U": teams.URL}).context)
        house.http.on("POST", teams.URL, receiver)
        house.tell(OWED)
        house.pass_time(2)
        states = {row.channel: row.state for row in house.deliveries()}
        assert states == {"teams": DeliveryState.FAILED, "console": DeliveryState.ACCEPTED}
        assert any("HTTP error 413" in text for text in house.texts())
        assert receiver.posted == []
