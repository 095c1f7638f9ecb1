"""An incident whose ladder has ended costs nothing until it changes."""

from __future__ import annotations

from tests.fakes.story import STORAGE, Story


def gave_up() -> tuple[Story, str]:
    """A fault that nothing mends, its people told."""
    story = Story(only=STORAGE)
    story.world.liar = True
    story.world.break_tier("cold", "down")
    story.ended()
    (incident,) = story.incidents()
    story.run(60)
    return story, incident.id


def transactions(story: Story) -> float:
    count = story.driver.loop.metrics.registry.get_sample_value("fleetmend_store_transaction_seconds_count")
    assert count is not None
    return count


def test_it_takes_no_transaction_of_its_own() -> None:
    """Left are those of assessment and of checkpoints: no more than one a step."""
    story, incident = gave_up()
    assert incident in story.driver.loop.resting
    before, steps = transactions(story), story.driver.steps
    story.run(120)
    taken, rounds = transactions(story) - before, story.driver.steps - steps
    assert rounds > 10
    assert taken <= rounds + 2, "a step that looked at the incident would take two"


def test_a_crash_or_a_change_of_its_row_looks_at_it_again() -> None:
    story, incident = gave_up()
    story.driver.crash()
    assert not story.driver.loop.resting
    story.run(60)
    assert incident in story.driver.loop.resting
    story.world.liar = False
    story.world.heal_tier("cold")
    story.run(1200)
    assert incident not in story.driver.loop.resting
