"""The deadline of an incident: without a verified recovery by then a person is paged, whatever the ladder does."""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.records import Phase
from remediations.run import RunState
from tests.acceptance.variants import REFUSES
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

MODE, FAIL_OVER = "storage_failure", "fail-over-to-replica"
SOON = "playbooks: {storage-hot: {deadline: 3m}}\n"
ASKS = f"playbooks: {{storage-hot: {{deadline: 3m, rungs: {{{FAIL_OVER}: {{autonomy: propose}}}}}}}}\n"


def test_it_is_paged_once_in_the_middle_of_a_rung_which_finishes_and_no_other_begins() -> None:
    story = Story(SOON, only=STORAGE)
    story.world.break_tier("hot", "both_refuse")
    story.until(20 * MINUTE, lambda: bool(story.incidents(MODE)) and bool(story.paged(story.incident(MODE))))
    incident = story.incident(MODE)
    (row,) = story.events(incident, Kind.DEADLINE)
    assert row.text == "No verified recovery 3 min after detection."
    assert 180.0 <= row.at - incident.detected_at <= 182.0
    assert story.run_of(incident).state is RunState.VERIFYING, "a rung in flight is not broken off"
    story.driver.crash()
    story.until(HOUR, lambda: story.incident(MODE).stepped_back)
    phases = [(a.rung, a.phase) for a in story.attempts(incident)]
    assert phases == [(FAIL_OVER, Phase.DO), (FAIL_OVER, Phase.UNDO)], (
        "its verify and its undo end; nothing is begun"
    )
    assert len(story.events(incident, Kind.DEADLINE)) == 1, "and the page is not owed again after a restart"
    assert story.paged(incident).count(1) == 1


def test_a_recovery_that_was_verified_in_time_is_nobodys_page() -> None:
    story = Story(SOON.replace("3m", "4m"), only=STORAGE)
    REFUSES(story.world)
    story.until(20 * MINUTE, lambda: bool(story.incidents(MODE)))
    story.run(4 * MINUTE + 5)
    incident = story.incident(MODE)
    assert incident.recovered_at is not None, "proved, and its `clear` is still awaited"
    assert not incident.ended
    assert (story.paged(incident), story.events(incident, Kind.DEADLINE)) == ([], [])


def test_a_proposal_that_waits_beyond_it_is_one_page_and_not_two() -> None:
    story = Story(ASKS, only=STORAGE)
    REFUSES(story.world)
    story.until(20 * MINUTE, lambda: bool(story.incidents(MODE)))
    story.run(4 * MINUTE)
    assert story.paged(story.incident(MODE)) == [1], "whoever was paged for the proposal knows"
