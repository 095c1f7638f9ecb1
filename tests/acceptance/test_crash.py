"""The daemon dies with every job handed over or in flight, or cannot write for a moment.

Whatever the moment: no action that may not be done twice is done twice, the incident ends resolved or paged, and no
page is lost. At every write and every effect it dies in `test_crash_points.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.incidents.change import Job
from daemon.incidents.records import DeliveryState, PageEvent
from tests.acceptance.variants import REFUSES
from tests.fakes.mortal import MortalStore
from tests.fakes.story import HOUR, MINUTE, Story

MODE = "storage_failure"
ONLY = ("storage-writes",)
FAIL_OVER = "/tiers/hot/failover"
PROBE, PAGE = (
    "detectors: {storage-writes: {fire: {for: 1m}, clear: {for: 1m}}}\n"
    "playbooks: {storage-hot: {rungs: {fail-over-to-replica: "
    f"{{on_interrupt: {settled}, verify: {{within: 3m, hold: 30s}}}}}}}}}}\n"
    for settled in ("probe", "page")
)

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""
"""Shorter holds than the pack's: what counts here are the moments, and there are many."""
DETECTED = 90.0


def mortal(more: str = PROBE) -> Story:
    return Story(more, only=ONLY, store=MortalStore.open("sqlite://"))


def commits_of(story: Story) -> int:
    assert isinstance(story.store, MortalStore)
    return story.store.commits


def over(story: Story) -> bool:
    found = story.incidents(MODE)
    return bool(found) and all(i.ended or (i.stepped_back and paged(story)) for i in found)


def paged(story: Story) -> bool:
    """Somebody was told, and nothing owed is left."""
    rows = [row for i in story.incidents(MODE) for row in story.deliveries(i)]
    triggers = [row for row in rows if row.event is PageEvent.TRIGGER]
    return bool(triggers) and all(row.state is DeliveryState.ACCEPTED for row in triggers)


def keeps_its_promises(story: Story) -> None:
    assert over(story), story.told()
    done = story.world.did(FAIL_OVER)
    assert len(done) == len({effect.key for effect in done}) <= 1, story.told()
    assert story.driver.loop.parked.items() == {}, story.told()
    for incident in story.incidents(MODE):
        if incident.stepped_back:
            assert any(body for _, body in story.world.sent), "nobody was told"
        if incident.recovered_by == "fail-over-to-replica":
            assert [debt.rung for debt in story.debts(incident)] == [incident.recovered_by], story.told()
        keys = [row.key for row in story.deliveries(incident)]
        assert len(keys) == len(set(keys))


def spans() -> tuple[int, int]:
    """Numbers of the first and the last commit between detection and the verdict."""
    story = mortal()
    REFUSES(story.world)
    story.run(DETECTED - 40.0)
    first = commits_of(story)
    story.until(
        HOUR, lambda: story.incident(MODE).recovered_at is not None if story.incidents(MODE) else False
    )
    return first, commits_of(story)


def test_a_store_that_is_full_for_a_moment_loses_no_outcome_and_no_page() -> None:
    """An outcome or a receipt that could not be written is written when it can be."""
    first, last = spans()
    for number in range(first, last + 1, 2):
        story = mortal()
        assert isinstance(story.store, MortalStore)
        story.store.full_at = number
        REFUSES(story.world)
        story.run(HOUR, until=lambda story=story: over(story))  # type: ignore[misc]
        keeps_its_promises(story)
        assert story.driver.direct or story.store.commits < number, "nobody was told of the sick store"


@pytest.mark.parametrize("kind", ["action", "post", "probe", "fetch"])
def test_killed_between_a_commit_and_the_hand_over_of_its_job(kind: str) -> None:
    story = mortal()
    REFUSES(story.world)
    story.run(DETECTED - 40.0)
    story.driver.doomed = _once(lambda job: job.kind == kind)
    story.run(HOUR, until=lambda: over(story))
    keeps_its_promises(story)


def test_killed_while_the_call_is_under_way_asks_whether_it_took_effect() -> None:
    story = mortal()
    REFUSES(story.world)
    story.until(10 * MINUTE, lambda: bool(story.world.did(FAIL_OVER)))
    story.driver.crash(down_for=20.0)
    story.until(HOUR, lambda: over(story))
    keeps_its_promises(story)
    incident = story.incident(MODE)
    assert incident.resolved_by == "fail-over-to-replica", story.told()
    assert story.paged(incident) == []
    assert locked(story) == ["tier=hot"], "nobody saw it end, and it did"


def test_killed_while_a_call_is_under_way_that_only_a_person_can_settle_pages_and_does_nothing_more() -> None:
    story = mortal(PAGE)
    REFUSES(story.world)
    story.until(10 * MINUTE, lambda: bool(story.world.did(FAIL_OVER)))
    story.driver.crash()
    story.until(HOUR, lambda: over(story))
    keeps_its_promises(story)
    assert story.paged(story.incident(MODE)) == [1], story.told()


def test_a_fail_over_that_may_have_been_locks_its_tier_until_a_probe_says_that_it_was_not() -> None:
    """Killed between the commit and the call; meanwhile the primary is well again, so there is nothing to be tried anew."""
    story = mortal()
    REFUSES(story.world)
    story.run(DETECTED - 40.0)
    story.driver.doomed = _once(lambda job: job.kind == "action")
    story.until(10 * MINUTE, lambda: locked(story) != [])
    assert locked(story) == ["tier=hot"]
    story.world.heal_tier("hot")
    story.until(HOUR, lambda: over(story))
    incident = story.incident(MODE)
    assert (incident.resolved_by, story.world.did(FAIL_OVER)) == ("self", []), story.told()
    assert (locked(story), story.debts(incident)) == ([], [])


def locked(story: Story) -> list[str]:
    with story.store.read() as uow:
        return [lock.target for lock in uow.locks.listed(story.now)]


def test_killed_between_the_pagers_answer_and_its_mark_sends_the_same_key_again() -> None:
    story = Story(only=("storage-down",), store=MortalStore.open("sqlite://"))
    story.world.kill("storage-writer-cold")
    story.until(10 * MINUTE, lambda: bool(story.world.sent))
    story.driver.crash()
    story.until(5 * MINUTE, lambda: len(story.world.sent) > 1)
    story.run(30.0)
    webhook_ids = [r.headers["webhook-id"] for r in story.world.http.sent("POST", "https://pager")]
    assert len(webhook_ids) == 2
    assert len(set(webhook_ids)) == 1, "a retry carries the id of the first try"
    assert story.paged(story.incident(MODE)) == [1]


def test_killed_during_a_back_off_the_message_is_tried_once_at_its_time() -> None:
    story = Story(only=("storage-down",))
    story.world.kill("storage-writer-cold")
    story.world.pager_answers = [503]
    story.until(10 * MINUTE, lambda: len(story.world.sent) == 1)
    story.run(0.5)
    (row,) = [r for r in story.deliveries(story.incident(MODE)) if r.event is PageEvent.TRIGGER]
    assert row.state is DeliveryState.OWED
    story.driver.crash(down_for=0.5)
    story.run(60.0)
    assert len(story.world.sent) == 2
    assert row.due_at <= story.world.sent[1][0] < row.due_at + 2.0


def _once(which: Callable[[Job], bool]) -> Callable[[Job], bool]:
    done: list[str] = []

    def doomed(job: Job) -> bool:
        if done or not which(job):
            return False
        done.append(job.key)
        return True

    return doomed
