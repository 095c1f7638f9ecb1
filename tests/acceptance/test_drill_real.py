"""A drill for real: carried out, seen, taken back at once, and all is as before; or it says what is not, and pages."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.incidents.drills import Drill, DrillState, Grade
from daemon.incidents.model import DRILL, Incident
from daemon.incidents.records import PageEvent
from remediations.ports import Unreachable
from tests.fakes.ports import answer
from tests.fakes.story import BASE, MINUTE, Story, only, settings_of

ALLOWED = "drills: {for_real: true}\n"
HOSTS = ("storage-admin", "api", "ingestion-navixy", "transformation")
OVER = {DrillState.PASSED, DrillState.FAILED, DrillState.REFUSED}
WATCHED = ("storage-writes",)
FAIL_OVER, FAIL_BACK = "/tiers/hot/failover", "/tiers/hot/failback"


def story(more: str = ALLOWED, base: str = BASE) -> Story:
    told = Story(more=more, base=base, only=WATCHED)
    for host in HOSTS:
        told.world.http.on("OPTIONS", f"http://{host}:8080", answer(404))
    return told


def newest(told: Story) -> Drill:
    with told.driver.store.read() as uow:
        return uow.drills.newest()[0]


def drilled(told: Story, playbook: str, rung: str = "", **scope: str) -> Drill:
    told.order("drill", playbook=playbook, scope=scope, rung=rung, for_real=True)
    told.until(10 * MINUTE, lambda: newest(told).state in OVER)
    return newest(told)


def incident(told: Story) -> Incident:
    (found,) = told.incidents(DRILL)
    return found


def of(row: Drill, rung: str) -> tuple[Grade, str]:
    check = next(check for check in row.scopes[0].checks if check.name == f"{rung} for real")
    return check.grade, check.text


def what(told: Story) -> list[str]:
    return [effect.what.strip() for effect in told.world.effects]


def test_a_fail_over_goes_there_and_back() -> None:
    told = story()
    row = drilled(told, "storage-hot", "fail-over-to-replica")
    assert of(row, "fail-over-to-replica") == (
        Grade.PASSED,
        "carried out, seen, taken back; all is as before",
    )
    assert row.state is DrillState.PASSED
    assert what(told) == [FAIL_OVER, FAIL_BACK]
    assert told.world.tiers["hot"].active == "primary"
    assert incident(told).state == "resolved"
    assert told.deliveries(incident(told)) == []
    with told.driver.store.read() as uow:
        assert uow.debts.unpaid() == ()
        assert uow.locks.listed(told.now) == ()


def test_workers_are_scaled_out_and_in() -> None:
    told = story()
    assert told.world.workers == 2
    row = drilled(told, "api-degradation", "scale-out")
    assert of(row, "scale-out")[0] is Grade.PASSED, row
    assert told.world.workers == 2
    assert len(what(told)) >= 2


def test_all_that_can_be_taken_back_is_done_one_after_the_other() -> None:
    told = story()
    row = drilled(told, "storage-warm")
    grades = {check.name: check.grade for check in row.scopes[0].checks if check.name.endswith("for real")}
    assert grades == {
        "restart-writer for real": Grade.PASSED,
        "enlarge-pool for real": Grade.PASSED,
        "archive-old-data for real": Grade.UNASKED,  # nothing takes it back
        "spool-writes for real": Grade.PASSED,
    }
    assert row.state is DrillState.PASSED


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "for_real is not set"),
        (ALLOWED + "autonomy: observe\n", "observe"),
    ],
)
def test_it_is_done_only_where_it_is_allowed(more: str, said: str) -> None:
    told = story(more)
    told.order("drill", playbook="storage-hot", scope={}, rung="fail-over-to-replica", for_real=True)
    assert said in told.answer()
    told.run(MINUTE)
    assert told.world.effects == []


def test_it_is_never_done_to_what_is_broken() -> None:
    told = story()
    told.world.break_tier("cold", "down", errors=1.0)
    told.until(10 * MINUTE, lambda: bool(told.incidents("storage_failure")))
    done = len(told.world.effects)
    told.order("drill", playbook="storage-hot", scope={}, rung="fail-over-to-replica", for_real=True)
    assert "stands open" in told.answer()
    told.run(MINUTE)
    assert len(told.world.effects) == done


def test_paused_it_is_refused_and_nothing_is_done() -> None:
    told = story()
    told.order("pause", scope={}, reason="hands off")
    row = drilled(told, "storage-hot", "fail-over-to-replica")
    assert row.state is not DrillState.PASSED
    assert told.world.effects == []


def test_a_liar_is_found_out_and_what_it_left_is_a_page() -> None:
    """Every call is answered 200 and nothing happens: the effect does not show."""
    told = story()
    told.world.liar = True
    row = drilled(told, "storage-hot", "fail-over-to-replica")
    grade, text = of(row, "fail-over-to-replica")
    assert (grade, row.state) == (Grade.FAILED, DrillState.FAILED)
    assert "did not show" in text
    assert told.deliveries(incident(told)) == []  # nothing was left behind


def test_what_cannot_be_taken_back_is_a_page() -> None:
    told = story()
    told.order("drill", playbook="storage-hot", scope={}, rung="fail-over-to-replica", for_real=True)
    told.until(5 * MINUTE, lambda: FAIL_OVER in what(told))
    told.world.refusing = True
    told.until(10 * MINUTE, lambda: newest(told).state in OVER)
    row = newest(told)
    assert row.state is DrillState.FAILED
    assert "not as before" in of(row, "fail-over-to-replica")[1]
    assert incident(told).state == "open"
    assert str(PageEvent.TRIGGER) in [str(d.event) for d in told.deliveries(incident(told))]
    told.run(5 * MINUTE)
    assert incident(told).state == "open"


def test_a_pause_in_the_middle_holds_it_and_once_lifted_it_is_taken_back() -> None:
    told = story()
    begun(told)
    told.order("pause", scope={}, reason="wait a moment")
    told.run(20.0)
    assert what(told) == [FAIL_OVER]
    told.order("unpause", scope={})
    told.until(10 * MINUTE, lambda: newest(told).state in OVER)
    assert what(told) == [FAIL_OVER, FAIL_BACK]
    assert (newest(told).state, incident(told).state) == (DrillState.PASSED, "resolved")


def begun(told: Story) -> None:
    """A fail-over is carried out, and not taken back yet."""
    told.order("drill", playbook="storage-hot", scope={}, rung="fail-over-to-replica", for_real=True)
    told.until(5 * MINUTE, lambda: FAIL_OVER in what(told))


def test_a_playbook_that_is_taken_away_in_the_middle_is_taken_back_and_told() -> None:
    told = story()
    begun(told)
    told.driver.take(settings_of(BASE, only(*WATCHED), ALLOWED, "playbooks: {storage-hot: {enabled: false}}"))
    told.until(10 * MINUTE, lambda: newest(told).state in OVER)
    assert what(told) == [FAIL_OVER, FAIL_BACK]
    assert newest(told).state is DrillState.FAILED
    assert incident(told).state == "open"  # nobody can say by which conditions all is as before


def test_probes_that_fall_silent_in_the_middle_do_not_keep_it_from_being_taken_back() -> None:
    told = story()
    begun(told)
    told.world.http.on("GET", "http://storage-admin:8080", Unreachable("connection refused"))
    told.until(15 * MINUTE, lambda: newest(told).state in OVER)
    assert what(told) == [FAIL_OVER, FAIL_BACK]
    assert newest(told).state is DrillState.FAILED
    assert incident(told).state == "open"


@pytest.mark.parametrize("part", ["do", "back 0"])
def test_a_crash_in_the_middle_leaves_nothing_behind(part: str) -> None:
    told = story()

    def dies(job: Any) -> bool:
        return job.kind == "action" and job.key.endswith(part) and told.driver._life == 1

    told.driver.doomed = dies
    row = drilled(told, "storage-hot", "fail-over-to-replica")
    assert told.driver._life == 2
    assert row.state is DrillState.FAILED  # nobody saw that it worked
    assert told.world.tiers["hot"].active == "primary"
    assert max(what(told).count(effect) for effect in (FAIL_OVER, FAIL_BACK)) <= 1
    assert incident(told).state == "resolved"
