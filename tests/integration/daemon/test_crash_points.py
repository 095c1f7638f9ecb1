"""kill -9 of real daemons with the demo's playbooks, before and after what they write and what they do to the world.

The points are those of the table (`tests/acceptance/crash_points.yaml`), where the virtual daemon is killed at each of
them. Here a story is told by many daemons: each is killed at the first of its moments that comes, the next goes on.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.crash_table import listed
from tests.conftest import COUNTED, SOAK
from tests.fakes.crash_stories import TALES
from tests.fakes.lives import Lives, Moment, both, together
from tests.fakes.living import Nursery
from tests.fakes.promises import Broken
from tests.fakes.served import served

pytestmark = pytest.mark.live

LEAST = 30
"""Kills of real processes in every run of the gate."""
TIMES = 3
"""In the soak: of each point, before and after."""
A_LIFE, SIDE_BY_SIDE = 8, 4
"""Moments of one story: more, and it never gets on. Stories at the same time."""
ROUNDS = 400
"""Stories of each playbook: a point that is not reached in so many is not reached at all."""

LATE = {"runs waiting", "timeline waiting", "timeline finding"}
"""On a busy machine the second witness may answer only after the detector fires: the rung waits for it."""

AT_ONCE = both(["lease", "checkpoints"])
"""Of every story: its daemons die while they start, and while nothing is detected yet."""
CHAINS: Mapping[tuple[str, int], set[Moment]] = {
    ("storage-hot", 1): {
        *AT_ONCE,
        ("timeline detected", "before"),
        ("timeline detected", "after"),
        ("runs diagnosing", "after"),
        ("attempts fail-over-to-replica do intended", "before"),
        *both(["http POST /tiers/hot/failover {}", "incidents recovered"]),
        *both(["incidents resolved", "webhook status"]),
    },
    ("ingestion-stopped", 1): {
        *AT_ONCE,
        *both(["attempts restart-consumers do started"]),
        *both(["deliveries trigger owed", "webhook trigger", "deliveries trigger accepted"]),
        *both(["incidents resolved", "webhook resolve", "deliveries resolve accepted"]),
    },
    ("data-quality", 2): {
        *AT_ONCE,
        *both(["timeline detected", "link mapping", "attempts roll-back-mapping do done"]),
        ("runs diagnosing", "after"),
        *both(["incidents recovered", "incidents resolved"]),
    },
}


@pytest.fixture
def tell(tmp_path: Path, nursery: Nursery) -> Iterator[Callable[..., Lives]]:
    """A story of a playbook with these moments, in a world of its own; its daemons are gone at the end."""
    made: list[Lives] = []
    with ExitStack() as worlds:

        def story(playbook: str, tale: int, moments: set[Moment]) -> Lives:
            folder = tmp_path / str(len(made))
            world = worlds.enter_context(served(folder / "world"))
            made.append(Lives(folder, world, nursery, playbook, TALES[playbook][tale], set(moments)))
            return made[-1]

        yield story
        for one in made:
            one.close()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_many_daemons_are_killed_and_nothing_is_done_twice_and_no_page_is_lost(
    tell: Callable[..., Lives], record_property: Callable[[str, object], None]
) -> None:
    stories = [tell(playbook, tale, moments) for (playbook, tale), moments in CHAINS.items()]
    wrong = together(stories, debts=False)
    kills = sum(len(story.died) for story in stories)
    record_property(COUNTED, f"real daemons: {kills} kills -9, {wrong.counts}")
    assert wrong.all == []
    assert kills >= LEAST, [(story.playbook, story.moments) for story in stories]


if os.environ.get(SOAK):

    @pytest.mark.timeout(7200)
    @pytest.mark.parametrize("playbook", TALES)
    def test_at_each_point_of_a_playbook_a_real_daemon_is_killed_three_times(
        tell: Callable[..., Lives], playbook: str, record_property: Callable[[str, object], None]
    ) -> None:
        points = listed()[playbook]
        whole = [tell(playbook, tale, set()) for tale in range(len(TALES[playbook]))]
        assert together(whole, debts=True).all == []
        reached = [set(story.points()) for story in whole]
        new = set().union(*reached) - set(points) - LATE
        assert not new, f"{playbook}: real points that the table does not know: {sorted(new)}"
        killed: Counter[Moment] = Counter()
        kills, sum_, chance = 0, Broken(), random.Random(playbook)
        for number in range(0, ROUNDS, SIDE_BY_SIDE):
            left = sorted(moment for moment in both(points) if killed[moment] < TIMES)
            if not left:
                break
            stories = []
            for tale in ((number + n) % len(whole) for n in range(SIDE_BY_SIDE)):
                own = [moment for moment in left if moment[0] in reached[tale]] or left
                stories.append(tell(playbook, tale, set(chance.sample(own, min(A_LIFE, len(own))))))
            sum_ += together(stories, debts=True)
            for story in stories:
                kills += len(story.died)
                killed.update(moment for death in story.died for moment in death)
        record_property(COUNTED, f"{playbook}: {len(points)} points, {kills} kills -9, {sum_.counts}")
        assert sum_.all == []
        left = sorted(moment for moment in both(points) if killed[moment] < TIMES)
        assert not left, f"{playbook}: killed less than {TIMES} times at {left}"
