"""Every variant of the runbooks' table at the shipped timings: which rung mends it, what is tried in vain, who is paged.

The expectations are the tests' own table; the playbooks are the shipped ones. What stands in them as `propose` and the
demo allows is raised to `auto` here as well.
"""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import Incident, IncidentState
from remediations.run import RunState
from tests.acceptance.expected import ITSELF, STORIES
from tests.acceptance.variants import VARIANTS
from tests.fakes.story import ALLOWED, HOUR, WARM, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

EVERY_30S = "poll_interval: 30s\ntelemetry: {edge: {every: 30s}}\n"
"""Half the polls: these stories are many."""
LEARNT, LEARNING = {"ingestion_stopped:bad-config"}, 360.0
"""Silence is a finding only where traffic is known to be usual: five minutes of it have to be seen first."""
MENDED = [name for name, story in STORIES.items() if story.mended_by not in {None, ITSELF}]
UNMENDED = [name for name, story in STORIES.items() if story.mended_by is None]
HEALING = [name for name, story in STORIES.items() if story.mended_by == ITSELF]


def broken(name: str) -> Story:
    story = Story(ALLOWED + EVERY_30S, warm=LEARNING if name in LEARNT else WARM)
    VARIANTS[name].break_it(story.world)
    return story


def judged(story: Story, name: str) -> Incident:
    """The incident that the variant is about."""
    mode, scope = name.partition(":")[0], VARIANTS[name].scope
    mode = "storage_failure" if name == "api_degradation:slow-storage" else mode
    found = [i for i in story.incidents(mode) if dict(i.scope) == scope]
    assert len(found) == 1, story.told()
    return found[0]


def in_order(wanted: tuple[str, ...], found: list[str]) -> bool:
    rest = iter(found)
    return all(any(rung == other for other in rest) for rung in wanted)


def kinds_of_actions(story: Story) -> set[str]:
    return {a.action for i in story.incidents() for a in story.attempts(i) if a.started_at is not None}


@pytest.mark.parametrize("name", MENDED)
def test_what_a_rung_can_mend_is_mended_verified_and_paged_to_nobody(name: str) -> None:
    expected = STORIES[name]
    story = broken(name)
    story.ended(HOUR)
    incident = judged(story, name)
    assert incident.state is IncidentState.RESOLVED, story.told()
    assert incident.resolved_by == expected.mended_by, story.told()
    tried = story.tried(incident)
    assert tried[-1] == expected.mended_by
    assert tried == [*expected.contained_by, *expected.in_vain, expected.mended_by], story.told()
    assert story.all_paged() == [], story.told()
    assert not kinds_of_actions(story) & set(expected.never)
    every = {rung for i in story.incidents() for rung in story.tried(i)}
    assert not every & set(expected.never)


@pytest.mark.parametrize("name", UNMENDED)
def test_what_nothing_mends_is_paged_once_at_l1_and_stepped_back_from(name: str) -> None:
    expected = STORIES[name]
    story = broken(name)
    story.until(HOUR, lambda: bool(story.all_paged()))
    story.run(30.0)
    incident = judged(story, name)
    assert story.paged(incident) == [1], story.told()
    waits = story.run_of(incident).state is RunState.PROPOSED
    assert incident.stepped_back or waits, "it acts on though somebody was paged"
    assert not incident.ended
    assert in_order(expected.in_vain, story.tried(incident)), story.told()
    assert in_order(expected.contained_by, story.tried(incident)), story.told()
    contained = [rung for rung, verdict in story.verdicts(incident) if verdict == "contained"]
    assert contained == list(expected.contained_by), story.told()
    assert (incident.state is IncidentState.CONTAINED) == bool(expected.contained_by)
    assert not kinds_of_actions(story) & set(expected.never)
    assert not {rung for i in story.incidents() for rung in story.tried(i)} & set(expected.never)
    assert not story.events(incident, Kind.RECOVERED)
    assert [debt.rung for debt in story.debts(incident) if debt.rung in expected.contained_by] == list(
        expected.contained_by
    )


@pytest.mark.parametrize("name", HEALING)
def test_what_heals_inside_its_hold_is_nobodys_business(name: str) -> None:
    story = broken(name)
    variant = VARIANTS[name]
    assert variant.heal is not None
    story.run(variant.heals_after)
    variant.heal(story.world)
    story.run(600.0)
    assert story.incidents() == [], story.told()
    assert story.world.effects == []
