"""The daemon is killed before and after every durable write and every external effect of each of the demo's playbooks.

The points are found by telling each story once with instrumentation, and stand in a table: one that is not in it, or
that does not happen any more, fails. What was done, and who was told, is read from what happened to the pipeline and
the pager. The same on real processes: `tests/integration/daemon/test_crash_points.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from remediations.run import RunState
from tests.acceptance import crash_table
from tests.conftest import COUNTED, SOAK
from tests.fakes.crash_stories import DEMO, TALES, Tale, play, virtual
from tests.fakes.dying import Death, Telling, WatchedWorld, restarted, told
from tests.fakes.points import When
from tests.fakes.promises import Broken, broken, kept
from tests.fakes.story import Story

pytestmark = pytest.mark.timeout(400)
"""A playbook takes some seconds of processor time; a busy machine makes minutes of them."""

LONG = bool(os.environ.get(SOAK))
"""What is owed is given back after every death, and not only after those at its own points."""


@pytest.mark.parametrize("playbook", TALES)
def test_killed_before_and_after_every_point_of_a_playbook_nothing_is_done_twice_and_no_page_is_lost(
    playbook: str, record_property: Callable[[str, object], None]
) -> None:
    tellings = crash_table.tellings(playbook)
    assert crash_table.differences(playbook, tellings) == []
    for telling in tellings:
        with telling.store.read() as uow:
            whole = broken(kept(uow, telling.world.keys, telling.world.received, deaths=0))
        assert whole.all == [], "without a death"
    sum_, deaths, moments = Broken(), 0, set()
    for tale, death in _fresh(playbook, tellings):
        moments |= set(death.points)
        deaths += 1
        story = restarted(death, tale, DEMO, virtual(playbook))
        play(story, debts=death.late or LONG)
        wrong = judged(story)
        assert wrong.all == [], f"{tale.name}, killed {_moment(death)}: {wrong.all}\n{story.told()}"
        assert story.incidents(), f"{tale.name}, killed {_moment(death)}: the fault was lost"
        sum_ += wrong
    found = crash_table.points(tellings)
    assert len(moments) == 2 * len(found), "each point, before and after"
    record_property(
        COUNTED,
        f"{playbook}: {len(found)} points, killed before and after each ({deaths} deaths that differ), "
        f"{sum_.counts}",
    )


def test_an_action_that_ended_before_the_death_is_judged_from_the_first_look_on() -> None:
    """Until there is a board no step can change anything, and nobody is passed over for that."""
    tale, more = TALES["storage-hot"][1], virtual("storage-hot")
    ended = ("attempts fail-over-to-replica do done", When.AFTER)
    (death,) = (death for death in told(tale, DEMO, more).deaths if ended in death.points)
    story = restarted(death, tale, DEMO, more)
    story.run(2.0)
    assert story.run_of(story.incident()).state is RunState.VERIFYING, story.told()


def _fresh(playbook: str, tellings: list[Telling]) -> list[tuple[Tale, Death]]:
    """Each point in the first story in which it happens."""
    seen: set[object] = set()
    fresh = []
    for tale, telling in zip(TALES[playbook], tellings, strict=True):
        fresh += [(tale, death) for death in telling.deaths if set(death.points) - seen]
        seen |= {point for death in telling.deaths for point in death.points}
    return fresh


def _moment(death: Death) -> str:
    return ", ".join(f"{when} {name}" for name, when in death.points)


def judged(story: Story) -> Broken:
    """What was not kept by the end of a story."""
    world = story.world
    assert isinstance(world, WatchedWorld)
    with story.store.read() as uow:
        wrong = broken(kept(uow, world.keys, world.received))
    parked = [f"{name} is parked" for name in story.driver.loop.parked.items()]
    return Broken(wrong.duplicates, wrong.lost, [*wrong.unended, *parked])
