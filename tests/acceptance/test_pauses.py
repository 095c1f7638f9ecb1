"""A pause holds before each step and on every path: a rung, its undo, a return. It is a list of reasons."""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import DebtState, PageEvent, Phase
from remediations.run import RunState
from tests.acceptance.variants import REFUSES
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

MODE, FAIL_OVER = "storage_failure", "fail-over-to-replica"
SOON = f"playbooks: {{storage-hot: {{rungs: {{{FAIL_OVER}: {{return: {{after: 12m}}}}}}}}}}"
"""Its incident is over by then."""
OVER = [{}, {"tier": "hot"}, {"failure_mode": MODE}, {"playbook": "storage-hot"}]


def hands(story: Story, free: int) -> None:
    story.driver.loop.pools.hands.size = free  # type: ignore[attr-defined]  # the virtual driver's own pool


def intended() -> Story:
    """Hot storage refuses writes; the fail-over is allowed, written down, and waits for a free hand."""
    story = Story(only=STORAGE)
    hands(story, 0)
    REFUSES(story.world)
    story.until(
        10 * MINUTE, lambda: bool(story.incidents(MODE)) and bool(story.attempts(story.incident(MODE)))
    )
    return story


def phases(story: Story, incident: Incident) -> list[tuple[Phase, str | None]]:
    return [(a.phase, a.outcome) for a in story.attempts(incident) if a.rung == FAIL_OVER]


@pytest.mark.parametrize("over", OVER, ids=["everything", "scope", "mode", "playbook"])
def test_what_is_written_down_and_not_begun_is_not_begun_under_a_pause(over: dict[str, str]) -> None:
    story = intended()
    story.order("pause", scope=over, reason="hands off")
    hands(story, 8)
    story.run(MINUTE)
    incident = story.incident(MODE)
    assert story.world.effects == [], story.told()
    assert phases(story, incident) == [(Phase.DO, "not_done")]
    assert story.paged(incident) == [1], "a pause does not lift by itself: a person is told"


def test_a_pause_of_another_tier_stops_nothing_here() -> None:
    story = intended()
    story.order("pause", scope={"tier": "warm"}, reason="disks are changed")
    hands(story, 8)
    story.until(MINUTE, lambda: bool(story.world.did("/tiers/hot/failover")))


def test_an_undo_is_not_begun_under_a_pause_and_a_person_is_told() -> None:
    story = Story(only=STORAGE)
    story.world.break_tier("hot", "both_refuse")
    story.until(10 * MINUTE, lambda: bool(story.world.did("/tiers/hot/failover")))
    story.order("pause", scope={"tier": "hot"}, reason="I look at it")
    story.until(HOUR, lambda: story.incident(MODE).stepped_back)
    incident = story.incident(MODE)
    assert story.world.did("/tiers/hot/failback") == []
    assert phases(story, incident) == [(Phase.DO, "done"), (Phase.UNDO, "not_done")]
    assert story.run_of(incident).state is RunState.GAVE_UP
    assert story.paged(incident) == [1]


def test_a_return_waits_for_every_reason_to_be_lifted() -> None:
    story = Story(f"{SOON}\nheads_up: {{notify: ['schedule:primary']}}\n", only=STORAGE)
    REFUSES(story.world)
    story.ended(HOUR)
    incident = story.incident(MODE)
    story.world.change(story.world.tiers["hot"], primary="healthy")
    story.order("pause", scope={"tier": "hot"}, reason="disks are changed")
    first = story.answer()
    story.order("pause", who="ben", scope={}, reason="a deployment")
    story.until(2 * HOUR, lambda: story.debts(incident)[0].state is DebtState.PROPOSED)
    told = [row.facts for row in story.deliveries(incident) if row.event is PageEvent.HEADS_UP]
    (asks,) = [facts["text"] for facts in told if facts["what"] == "asks"]
    assert f"fleetmend approve {incident.id} --rung {FAIL_OVER}" in asks, "nobody has to look for what asks"
    story.order("approve", incident, rung=FAIL_OVER)
    story.run(5.0)
    story.order("unpause", id=first)
    story.run(5.0)
    assert story.world.did("/tiers/hot/failback") == [], "ben's reason still holds"
    traces = [e.data for e in story.events(incident, Kind.GATES) if e.data.get("phase") == Phase.RETURN]
    gates = [gate for trace in traces for gate in trace["gates"] if gate["name"] == "maintenance"]
    reasons = [gate["inputs"]["reasons"] for gate in gates]
    assert [len(those) for those in reasons] == [2, 1], "each is recorded, and one of them was lifted"
    story.order("unpause", scope={})
    story.until(3 * MINUTE, lambda: story.debts(incident)[0].state is DebtState.PAID)
    assert len(story.world.did("/tiers/hot/failback")) == 1
