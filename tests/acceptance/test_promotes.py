"""A promotion in the ladder: it waits for a person, is done once, and what was interrupted is found done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.incidents.model import IncidentState
from daemon.incidents.records import Order
from daemon.loop.messages import Recorded
from remediations.ports import Ambiguous
from remediations.run import RunState
from tests.fakes.databases import FakePair
from tests.fakes.parts import Parts, config

PROMOTE: dict[str, Any] = {
    "name": "promote-standby",
    "do": {"sql": {"promote": {"standby": {"env": "STANDBY"}, "primary": {"env": "PRIMARY"}}}},
    "verify": {"within": "2m", "hold": "20s"},
    "on_interrupt": "rerun",
}
"""Without a word on autonomy: under a daemon that may do everything by itself."""


def proposed(pair: FakePair) -> Parts:
    story = Parts(config([PROMOTE]), databases=pair)
    story.run(20.0)
    story.broken.add("p0")
    story.until(60.0, lambda: bool(story.pages))
    return story


def approve(story: Parts) -> None:
    order = Order(0, story.now, "approve", "ana", "cli", story.incident().id, {"rung": "promote-standby"})
    story.store.record(orders=[order])
    story.driver.hear(Recorded())


def test_a_promotion_is_proposed_and_nothing_is_touched_before_somebody_approves() -> None:
    pair = FakePair()
    story = proposed(pair)
    story.run(600.0)
    assert story.run_of(story.incident()).state is RunState.PROPOSED
    assert pair.touched == []


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "the answer is lost"])
def test_an_approved_promotion_is_done_once_and_proved(lost: bool) -> None:
    pair = FakePair()
    if lost:
        pair.standby.errors["SELECT pg_promote"] = Ambiguous("the connection was lost")
    story = proposed(pair)
    approve(story)
    story.until(120.0, lambda: not pair.standby.recovering)
    story.broken.clear()
    story.until(600.0, lambda: story.incident().ended)
    incident = story.incident()
    assert (incident.state, incident.resolved_by) == (IncidentState.RESOLVED, "promote-standby"), story.told()
    assert pair.standby.timeline == 2
    assert pair.standby.orders == ["SELECT pg_promote"]
    assert pair.primary.read_only
    said = json.dumps([story.pages, [event.data for event in story.events(incident)]], default=str)
    assert "0f3a9c" not in said
    assert "hot-b/fleet" in said
