"""A person approves what they looked at: not what a reload made of it, and not for hours to come."""

from __future__ import annotations

import json
from typing import Any

from daemon.incidents.records import Order
from daemon.loop.messages import Recorded
from remediations.run import RunState
from tests.fakes.parts import Parts, config, loaded, rung

MINUTE = 60.0


def order(story: Parts, kind: str, **args: Any) -> None:
    incident = story.incident().id if kind == "approve" else None
    story.store.record(orders=[Order(0, story.now, kind, "ana", "cli", incident, args)])
    story.driver.hear(Recorded())
    story.run(2.0)


def proposed() -> Parts:
    story = Parts(config([rung("mend", autonomy="propose")]))
    story.run(20.0)
    story.broken.add("p0")
    story.until(MINUTE, lambda: bool(story.incidents()) and asks(story))
    return story


def asks(story: Parts) -> bool:
    return story.run_of(story.incident()).state is RunState.PROPOSED


def test_an_approval_that_a_short_maintenance_held_back_counts() -> None:
    story = proposed()
    order(story, "maintenance", reason="deploy", **{"for": MINUTE})
    order(story, "approve")
    story.run(1.5 * MINUTE)
    assert [call.rung for call in story.calls] == ["mend"], story.told()


def test_what_was_changed_since_it_was_proposed_asks_anew() -> None:
    story = proposed()
    changed = rung("mend", autonomy="propose")
    changed["do"]["http"]["timeout"] = "1m"
    story.driver.take(loaded(json.dumps(config([changed]))))
    order(story, "approve")
    assert story.calls == [], story.told()
    assert asks(story)
    order(story, "approve")
    assert [call.rung for call in story.calls] == ["mend"]
