"""A person may close what still fires; what was switched for it is not switched back on that word alone."""

from __future__ import annotations

from typing import Any

from daemon.incidents.model import IncidentState
from daemon.incidents.records import Debt, DebtState, Order
from daemon.loop.messages import Recorded
from tests.fakes.parts import HOST, Parts, config, rung

MINUTE, HOUR = 60.0, 3600.0
BACK = {"http": {"method": "POST", "url": f"{HOST}/back/{{{{ scope.provider }}}}"}}


def closed() -> Parts:
    """A switch was made in vain, and a person closed the incident for an hour."""
    switch = rung("switch", **{"return": {"after": "30s", "do": BACK, "autonomy": "auto"}})
    story = Parts(config([switch]))
    story.run(20.0)
    story.broken.add("p0")
    story.until(MINUTE, lambda: bool(story.calls))
    order(story, "resolve", reason="the supplier is on it", **{"for": HOUR})
    story.run(2 * MINUTE)
    assert story.incident().state is IncidentState.CLOSED
    return story


def order(story: Parts, kind: str, **args: Any) -> None:
    story.store.record(orders=[Order(0, story.now, kind, "ana", "cli", story.incident().id, args)])
    story.driver.hear(Recorded())
    story.run(2.0)


def debt(story: Parts) -> Debt:
    incident = story.incident().id
    with story.store.read() as uow:
        (found,) = uow.debts.of(incident)
    return found


def test_what_is_closed_and_still_fires_is_not_switched_back_until_it_is_well() -> None:
    story = closed()
    assert [call.rung for call in story.calls] == ["switch"], story.told()
    assert debt(story).state is DebtState.DUE
    assert "what a person closed" in debt(story).note
    story.broken.clear()
    story.until(2 * MINUTE, lambda: debt(story).state is DebtState.PAID)
    assert [call.rung for call in story.calls] == ["switch", "back"]


def test_a_persons_word_for_this_very_return_is_enough() -> None:
    story = closed()
    order(story, "approve", rung="switch")
    story.until(MINUTE, lambda: debt(story).state is DebtState.PAID)
    assert [call.rung for call in story.calls] == ["switch", "back"]
