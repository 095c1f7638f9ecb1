"""A reload changes the ladder under a run: the rung under way stays itself, and what is gone is a page, never silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.records import Phase
from remediations.run import RunState
from tests.acceptance.variants import REFUSES
from tests.fakes.parts import Parts, config, loaded, rung
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story, only, settings_of

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

MODE, FAIL_OVER = "storage_failure", "fail-over-to-replica"
GONE = "playbooks: {storage-hot: {enabled: false}}\n"
FEWER = """
playbooks:
  storage-hot:
    ladder:
      - name: look-again
        kind: cure
        when: "false"
        do: {http: {method: POST, url: "http://storage-admin:8080/tiers/hot/pool"}}
      - name: another
        kind: cure
        do: {http: {method: POST, url: "http://storage-admin:8080/tiers/hot/archive"}}
"""
AHEAD = """
playbooks:
  storage-hot:
    ladder:
      - name: fail-over-to-replica
        kind: cure
        do: {http: {method: POST, url: "http://storage-admin:8080/tiers/hot/failover"}}
        undo: {http: {method: POST, url: "http://storage-admin:8080/tiers/hot/failback"}}
        verify: {within: 6m, hold: 2m}
        autonomy: auto
"""
"""The same rung, first now: at its old place stands nothing."""


def verifying() -> Story:
    """A fail-over was made in vain, and is being verified."""
    story = Story(only=STORAGE)
    story.world.break_tier("hot", "both_refuse")
    story.until(10 * MINUTE, lambda: bool(story.world.did("/tiers/hot/failover")))
    story.run(5.0)
    assert story.run_of(story.incident(MODE)).state is RunState.VERIFYING
    return story


def reload(story: Story, more: str) -> None:
    story.driver.take(settings_of(story.base, only(*STORAGE), more))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (GONE, "its playbook storage-hot is not configured any more"),
        (FEWER, f"{FAIL_OVER} was taken out of its playbook meanwhile"),
    ],
    ids=["playbook", "rung"],
)
def test_a_rung_under_way_that_is_gone_is_a_page_and_nothing_else_is_undone_or_begun(
    more: str, reason: str
) -> None:
    story = verifying()
    reload(story, more)
    story.run(10 * MINUTE)
    incident = story.incident(MODE)
    assert incident.stepped_back, story.told()
    assert story.run_of(incident).reason == reason
    assert story.paged(incident)[:1] == [1]
    assert story.verdicts(incident) == [(FAIL_OVER, "unknown")]
    assert [effect.what.split()[0] for effect in story.world.effects] == ["/tiers/hot/failover"]


def test_a_rung_that_was_moved_is_verified_and_undone_as_itself() -> None:
    story = verifying()
    reload(story, AHEAD)
    story.until(HOUR, lambda: story.incident(MODE).stepped_back)
    incident = story.incident(MODE)
    assert [(a.rung, a.phase, a.outcome) for a in story.attempts(incident)] == [
        (FAIL_OVER, Phase.DO, "done"),
        (FAIL_OVER, Phase.UNDO, "done"),
    ]
    assert story.verdicts(incident) == [(FAIL_OVER, "not_recovered")]


def test_an_approval_counts_for_the_rung_that_was_proposed_and_for_no_other() -> None:
    asks = f"playbooks: {{storage-hot: {{rungs: {{{FAIL_OVER}: {{autonomy: propose}}}}}}}}"
    story = Story(asks, only=STORAGE)
    REFUSES(story.world)
    story.until(10 * MINUTE, lambda: bool(story.incidents(MODE)))
    story.run(30.0)
    incident = story.incident(MODE)
    assert story.run_of(incident).state is RunState.PROPOSED
    reload(story, FEWER)
    story.order("approve", incident)
    story.run(MINUTE)
    assert story.world.effects == [], story.told()
    assert story.run_of(incident).reason == f"{FAIL_OVER} was taken out of its playbook meanwhile"


def test_a_rung_that_comes_round_again_by_another_order_is_not_tried_twice_and_the_ladder_goes_on() -> None:
    def ladder(*names: str) -> dict[str, Any]:
        return config([rung(name, verify={"within": "30s", "hold": "10s"}) for name in names])

    story = Parts(ladder("first", "second", "third"))
    story.run(20.0)
    story.broken.add("p0")
    story.until(5 * MINUTE, lambda: len(story.calls) == 2)
    story.run(3.0)
    story.driver.take(loaded(json.dumps(ladder("second", "first", "third"))))
    story.until(5 * MINUTE, lambda: story.run_of(story.incident()).state is RunState.GAVE_UP)
    assert [call.rung for call in story.calls] == ["first", "second", "third"]
    (skipped,) = story.events(story.incident(), Kind.SKIPPED)
    assert (skipped.data["rung"], skipped.data["gate"]) == ("first", "tried")
    assert len(story.triggers(story.incident())) == 1
    assert story.driver.loop.parked.items() == {}
