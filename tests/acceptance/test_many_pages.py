"""Many incidents at once through the whole loop: a person reads at most five messages in five minutes, and all is told.

Numbers of the research (paging, section 6): 1 000 incidents in 60 s. The gate runs a share of them, the soak all.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from daemon.incidents.model import STORM, IncidentState
from daemon.incidents.records import DeliveryState, PageEvent
from tests.conftest import SOAK
from tests.fakes.tiers import Tiers

pytestmark = pytest.mark.timeout(900)

COUNT = 1000 if os.environ.get(SOAK) else 120
FIVE_MINUTES, MOST = 300.0, 5
STEP = 5.0
"""Seconds: telemetry is asked that often."""
ALONE: dict[str, Any] = {"playbooks": {}, "storm": {"share": "100%"}, "remind": {}}
"""Nothing mends anything, and nothing is a storm: every incident is a page of its own."""


class Told:
    """What the receiver got, by the story's clock."""

    def __init__(self, story: Tiers) -> None:
        self.story = story
        self.at: list[float] = []

    def run(self, seconds: float) -> None:
        """In steps, so that the time of each message is known to within one."""
        for _ in range(int(seconds / STEP)):
            self.story.run(STEP)
            self.at += [self.story.time.now()] * (len(self.story.pages) - len(self.at))

    @property
    def most(self) -> int:
        return max(sum(start <= at < start + FIVE_MINUTES for at in self.at) for start in self.at)

    def ids(self, kind: str) -> list[str]:
        return sorted(
            name
            for page in self.story.pages
            if page["type"] == f"incident.{kind}"
            for name in page["data"].get("incidents", [page["data"]["incident"]])
        )


def test_incidents_that_come_by_hundreds_are_five_messages_at_most_and_all_are_told_and_ended(
    record_property: Any,
) -> None:
    story = Tiers(COUNT * 5 // 4, 0, 8, more=ALONE)
    told = Told(story)
    told.run(10)
    for step in range(12):
        story.broken.update(range(COUNT * (step + 1) // 12))
        told.run(STEP)
    began = story.time.now() - 60
    assert told.at[0] - began <= 10, "the first page goes with the first poll"
    told.run(200)
    every = sorted(incident.id for incident in story.incidents())
    assert len(every) == COUNT
    assert told.most <= MOST
    named = told.ids("trigger")
    assert named == every if COUNT <= 400 else set(named) <= set(every)
    rows = [row for incident in story.incidents() for row in story.deliveries(incident)]
    assert {row.state for row in rows} == {DeliveryState.ACCEPTED}
    pages = len(told.at)
    story.broken.clear()
    told.run(400)
    assert {incident.state for incident in story.incidents()} == {IncidentState.RESOLVED}
    assert told.most <= MOST
    ends = [
        row.incident
        for incident in story.incidents()
        for row in story.deliveries(incident)
        if row.event is PageEvent.RESOLVE and row.state is DeliveryState.ACCEPTED
    ]
    assert sorted(ends) == every, "whoever was told of it hears its end, once"
    record_property(
        "counted", f"{COUNT} incidents in 60 s, whole loop: {pages} pages, {len(told.at) - pages} ends"
    )


def test_what_still_fails_when_a_storm_is_over_is_told_together() -> None:
    story = Tiers(150, 0, 8, more={**ALONE, "storm": {"share": "34%"}})
    told = Told(story)
    told.run(20)
    story.broken.update(range(75))
    told.run(30)
    (storm,) = (incident for incident in story.incidents() if incident.failure_mode == STORM)
    assert [page["data"]["incident"] for page in story.pages] == [storm.id]
    story.broken -= set(range(30, 75))
    told.run(600)
    assert next(i for i in story.incidents() if i.id == storm.id).ended
    left = sorted(i.id for i in story.incidents() if i.failure_mode != STORM and not i.ended)
    assert len(left) == 30
    assert sorted(set(told.ids("trigger")) - {storm.id}) == left
    assert told.most <= MOST
    assert len(story.pages) <= 4, "the storm, its end, and what is left in one or two"
