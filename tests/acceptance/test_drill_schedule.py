"""Drills of the running daemon: by order, by schedule, caught up once, told once, quieted like anything else."""

from __future__ import annotations

import pytest

from config.drills import Weekly
from daemon.document.words import complaint
from daemon.escalate.wallclock import last_weekly
from daemon.incidents.drills import Drill, DrillState, Grade
from daemon.incidents.model import DRILL
from daemon.incidents.records import PageEvent
from remediations.ports import Unreachable
from tests.fakes.ports import EPOCH, answer
from tests.fakes.story import BASE, DAY, HOUR, MINUTE, Story, only, settings_of

HOST = "http://storage-admin:8080"
# Stories begin at 08:00 UTC on Monday, the fifth of January 2026.
WEEKLY = """
drills: {schedule: [{playbook: storage-warm, at: "Mon 08:05"}]}
"""
DAILY = """
drills: {schedule: [{playbook: storage-warm, at: "08:05"}]}
"""
ALWAYS_OPEN = 'working_hours: {days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00"}\n'


SELDOM = BASE.replace("poll_interval: 15s", "poll_interval: 15m").replace("every: 15s", "every: 15m")
"""Days of looking every quarter of a minute cost more than what they would show here."""


def story(more: str = "") -> Story:
    found = Story(more=more, base=SELDOM, only=("storage-writes",))
    found.world.http.on("OPTIONS", HOST, answer(404))
    return found


def drills(told: Story) -> list[Drill]:
    with told.driver.store.read() as uow:
        return list(uow.drills.newest())


def over(told: Story, count: int) -> bool:
    return sum(row.ended_at is not None for row in drills(told)) >= count


def break_it(told: Story) -> None:
    told.world.http.on("OPTIONS", HOST, Unreachable("connection refused"))


def mend_it(told: Story) -> None:
    told.world.http.on("OPTIONS", HOST, answer(404))


def of_drills(told: Story) -> list[str]:
    return [incident.state for incident in told.incidents(DRILL)]


def pages(told: Story) -> list[str]:
    return [str(row.event) for i in told.incidents(DRILL) for row in told.deliveries(i)]


def test_an_order_is_answered_with_its_drill_and_nothing_is_done() -> None:
    told = story()
    told.order("drill", playbook="storage-warm", scope={})
    name = told.answer()
    told.until(HOUR, lambda: over(told, 1))
    (row,) = drills(told)
    assert (row.id, row.who, row.state, row.plan) == (name, "ana", DrillState.PASSED, "")
    assert row.score[0] == row.score[1] > 0
    assert told.world.effects == []
    assert told.incidents() == []


def test_a_playbook_that_is_not_there_is_refused() -> None:
    told = story()
    told.order("drill", playbook="storage-lukewarm", scope={})
    assert told.answer().startswith("there is no playbook 'storage-lukewarm'")
    assert drills(told) == []


def test_a_failed_order_is_an_answer_and_pages_nobody() -> None:
    told = story()
    break_it(told)
    told.order("drill", playbook="storage-warm", scope={})
    told.until(HOUR, lambda: over(told, 1))
    assert drills(told)[0].state is DrillState.FAILED
    assert told.incidents() == []


def test_a_schedule_is_kept_and_seen_for_the_first_time_it_is_not_made_up_for() -> None:
    told = story(WEEKLY)
    told.run(MINUTE)
    assert drills(told) == []  # 08:05 of a week ago was before anyone asked
    told.until(HOUR, lambda: over(told, 1))
    told.run(6 * HOUR)
    assert len(drills(told)) == 1
    assert drills(told)[0].at == pytest.approx(EPOCH + 5 * MINUTE, abs=15 * MINUTE)


def test_one_that_was_missed_is_caught_up_once() -> None:
    told = story(DAILY)
    told.run(MINUTE)
    told.driver.crash(down_for=3 * DAY + HOUR)  # three of them are missed
    told.run(HOUR)
    assert len(drills(told)) == 1
    told.driver.crash(down_for=MINUTE)
    told.run(HOUR)
    assert len(drills(told)) == 1


def test_one_that_was_under_way_at_a_crash_is_asked_anew() -> None:
    told = story(WEEKLY)
    told.driver.doomed = lambda job: job.kind == "drill" and told.driver._life == 1
    told.until(HOUR, lambda: over(told, 1))
    assert told.driver._life == 2
    assert [row.state for row in drills(told)] == [DrillState.PASSED]


def test_a_failed_one_pages_once_until_it_passes_again() -> None:
    told = story(DAILY + ALWAYS_OPEN)
    break_it(told)
    told.until(HOUR, lambda: over(told, 1))
    told.run(2 * DAY)
    assert [row.state for row in drills(told)] == [DrillState.FAILED] * 3
    (incident,) = told.incidents(DRILL)
    assert (incident.severity, incident.state) == ("medium", "open")
    assert "storage-warm failed" in incident.impact.text
    assert complaint(incident).now == "fails its drill"
    assert told.paged(incident)[0] == 1
    assert pages(told).count(str(PageEvent.TRIGGER)) == 1
    assert told.attempts(incident) == []
    mend_it(told)
    told.run(DAY)
    assert of_drills(told) == ["resolved"]
    assert str(PageEvent.RESOLVE) in pages(told)
    break_it(told)
    told.run(DAY)
    assert of_drills(told) == ["resolved", "open"]


def test_a_failed_one_that_a_person_closed_pages_again_once_their_time_is_over() -> None:
    told = story(DAILY + ALWAYS_OPEN)
    break_it(told)
    told.until(HOUR, lambda: over(told, 1))
    (incident,) = told.incidents(DRILL)
    told.order("resolve", incident, reason="known", **{"for": 1.5 * DAY})
    told.run(DAY)
    assert of_drills(told) == ["closed"], "it failed once more, within that time"
    told.run(DAY)
    assert of_drills(told) == ["open"]
    assert pages(told).count(str(PageEvent.TRIGGER)) == 2


def test_it_pages_by_the_clock_of_what_is_medium_in_working_hours() -> None:
    told = story('drills: {schedule: [{playbook: storage-warm, at: "20:00"}]}\n')
    break_it(told)
    told.until(13 * HOUR, lambda: over(told, 1))
    told.run(MINUTE)
    (incident,) = told.incidents(DRILL)
    sent = [row.due_at for row in told.deliveries(incident) if row.sent_at is not None]
    assert sent == []
    told.run(14 * HOUR)
    assert any(row.sent_at is not None for row in told.deliveries(incident))


@pytest.mark.parametrize("kind", ["silence", "maintenance"])
def test_a_silence_of_the_playbook_quiets_its_page(kind: str) -> None:
    told = story(DAILY + ALWAYS_OPEN)
    told.order(kind, scope={"playbook": "storage-warm"}, reason="rebuilt", **{"for": 6 * HOUR})
    break_it(told)
    told.until(HOUR, lambda: over(told, 1))
    told.run(HOUR)
    assert str(PageEvent.TRIGGER) not in pages(told)


def test_a_scope_in_maintenance_is_left_alone_and_held() -> None:
    told = story(DAILY + ALWAYS_OPEN)
    told.order("maintenance", scope={"tier": "warm"}, reason="new disks", **{"for": 6 * HOUR})
    break_it(told)
    told.until(HOUR, lambda: over(told, 1))
    (row,) = drills(told)
    assert (row.state, row.grade) == (DrillState.PASSED, Grade.HELD)
    assert of_drills(told) == []
    assert not told.world.http.sent("OPTIONS")


def test_it_waits_while_its_own_failure_stands() -> None:
    told = Story(more='drills: {schedule: [{playbook: storage-warm, at: "08:12"}]}', only=("storage-writes",))
    told.world.break_tier("cold", "down", errors=1.0)
    told.until(9 * MINUTE, lambda: bool(told.incidents("storage_failure")))
    told.run(10 * MINUTE)
    assert drills(told) == []
    told.world.heal_tier("cold")
    told.until(20 * MINUTE, lambda: over(told, 1))


def test_what_is_taken_off_the_schedule_is_nobodys_failure() -> None:
    told = story(DAILY + ALWAYS_OPEN)
    break_it(told)
    told.until(HOUR, lambda: over(told, 1))
    assert of_drills(told) == ["open"]
    told.driver.take(settings_of(SELDOM, only("storage-writes"), ALWAYS_OPEN))
    told.run(HOUR)
    assert of_drills(told) == ["resolved"]


@pytest.mark.parametrize(
    ("at", "zone", "back"),
    [
        ("08:00", "UTC", 0.0),  # this very instant
        ("08:01", "UTC", DAY - MINUTE),
        ("Mon 07:00", "UTC", HOUR),
        ("Tue 10:00", "UTC", 6 * DAY - 2 * HOUR),
        ("Mon 09:00", "Europe/Paris", 0.0),
    ],
)
def test_the_newest_time_of_a_schedule(at: str, zone: str, back: float) -> None:
    assert last_weekly(zone, Weekly.parse(at), EPOCH) == EPOCH - back
