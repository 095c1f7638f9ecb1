"""An undo is carried out, seen to have taken effect, and only then is the next rung considered; else a person is paged."""

from __future__ import annotations

import pytest

from daemon.incidents.change import Job
from daemon.incidents.events import Kind
from daemon.incidents.records import DebtState
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story

FAIL_OVER = "fail-over-to-replica"
MODE = "storage_failure"


def in_vain() -> Story:
    """Hot writes fail on primary and replica alike."""
    story = Story(only=STORAGE)
    story.world.break_tier("hot", "both_refuse")
    return story


def acted(story: Story) -> None:
    story.until(10 * MINUTE, lambda: bool(story.world.did("/tiers/hot/failover")))


def test_an_undo_runs_and_is_verified_before_the_next_rung() -> None:
    story = in_vain()
    story.until(HOUR, lambda: bool(story.world.did("/tiers/hot/read-only")))
    incident = story.incident(MODE)
    assert story.undone(incident) == [FAIL_OVER], story.told()
    assert story.world.tiers["hot"].active == "primary"
    order = [e.kind for e in story.events(incident) if e.kind in {Kind.UNDOING, Kind.UNDONE}]
    assert order == [Kind.UNDOING, Kind.UNDONE]
    undone = story.events(incident, Kind.UNDONE)[0]
    later = [e for e in story.events(incident, Kind.STARTED) if e.data["rung"] == "read-only-with-spool"]
    assert undone.data["outcome"] == "done"
    assert undone.at <= later[0].at
    assert [d.state for d in story.debts(incident) if d.rung == FAIL_OVER] == [DebtState.PAID]


@pytest.mark.parametrize("took", [True, False], ids=["and it took effect", "and nothing was done"])
def test_an_undo_that_nobody_saw_end_is_settled_by_what_is_seen_of_it(*, took: bool) -> None:
    """The daemon dies as it hands the undo over: whether a worker had got it, nobody knows."""
    story = in_vain()
    acted(story)

    def dies(job: Job) -> bool:
        doomed = job.kind == "action" and "/undo/" in job.key
        if doomed and took:
            story.world.tiers["hot"].active = "primary"
        return doomed

    story.driver.doomed = dies
    story.until(HOUR, lambda: story.driver._life == 2)
    story.driver.doomed = None
    incident = story.incident(MODE)
    story.until(HOUR, lambda: story.incident(MODE).stepped_back)
    assert story.world.did("/tiers/hot/failback") == [], "never done blindly a second time"
    owed = [debt.state for debt in story.debts(incident) if debt.rung == FAIL_OVER]
    with story.store.read() as uow:
        locked = [lock.target for lock in uow.locks.listed(story.now) if lock.incident == incident.id]
    assert bool(story.world.did("/tiers/hot/read-only")) is took, "the next rung comes once it is undone"
    assert [e.data["outcome"] for e in story.events(incident, Kind.UNDONE)] == ["done" if took else "unknown"]
    assert (owed == [DebtState.PAID]) is took
    assert (locked == []) is took
    assert ("could not be undone" in story.run_of(incident).reason) is not took


def test_an_undo_that_does_not_show_is_a_page_and_no_further_rung() -> None:
    story = in_vain()
    acted(story)
    story.run(60.0)
    story.world.liar = True  # the failback is answered 200, and the replica stays active
    story.until(HOUR, lambda: story.incident(MODE).stepped_back)
    incident = story.incident(MODE)
    assert "could not be proved undone" in story.run_of(incident).reason
    assert story.paged(incident) == [1]
    assert story.world.did("/tiers/hot/read-only") == []
