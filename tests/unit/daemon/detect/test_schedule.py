"""Slots do not drift, nothing is asked twice at once, and what is late is counted."""

from __future__ import annotations

import pytest

from config.scope import WHOLE
from daemon.detect.fetching import Asked, Fetch
from daemon.detect.schedule import Place, Schedule, Slots

MAIN: Place = (Asked.SOURCE, "main", WHOLE, "")


def fetch(at: float, key: str = "k") -> Fetch:
    return Fetch(key, Asked.SOURCE, "main", at, at + 10)


@pytest.mark.parametrize(
    ("calls", "passed", "why"),
    [
        ([0, 5, 10, 20], [1, 0, 1, 1], "one slot in ten seconds"),
        ([0, 13, 20], [1, 1, 1], "lateness does not move the next slot"),
        ([0, 35, 40], [1, 3, 1], "slots that passed are counted once"),
        ([100, 40], [1, 1], "a clock that stepped back does not stop the slots"),
    ],
)
def test_slots_keep_their_places(calls: list[float], passed: list[int], why: str) -> None:
    slots = Slots(10, calls[0])
    assert [slots.due(at) for at in calls] == passed, why


def test_a_question_under_way_is_not_asked_again_and_its_slots_are_counted() -> None:
    schedule = Schedule()
    assert schedule.turn(MAIN, 10, 0)
    schedule.sent(fetch(0))
    assert not schedule.turn(MAIN, 10, 10)
    assert schedule.skipped == {"main": 1}


def test_a_question_past_its_deadline_is_given_up_once() -> None:
    schedule = Schedule()
    schedule.sent(fetch(0))
    assert list(schedule.overdue(10)) == []
    assert [late.key for late in schedule.overdue(11)] == ["k"]
    assert list(schedule.overdue(12)) == []
    assert schedule.late == {"main": 1}


def test_a_new_interval_takes_effect_at_once() -> None:
    schedule = Schedule()
    schedule.turn(MAIN, 3600, 0)
    assert not schedule.turn(MAIN, 5, 1)
    assert schedule.turn(MAIN, 5, 6)


def test_the_next_due_time_is_the_nearest_slot_or_deadline() -> None:
    schedule = Schedule()
    schedule.turn(MAIN, 100, 0)
    assert schedule.next_at() == 100
    schedule.sent(fetch(0))
    assert schedule.next_at() == 10


def test_what_is_no_longer_wanted_is_forgotten() -> None:
    schedule = Schedule()
    schedule.turn(MAIN, 10, 0)
    schedule.hurry(MAIN, 5)
    schedule.forget(set())
    assert schedule.slots == {}
    assert schedule.urgent == set()
