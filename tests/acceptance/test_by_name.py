"""What must be seen, one story each, at the shipped timings: undo, unknown verdicts, proposals, interruptions, returns,
relapses, a person's `resolve`, maintenance.
"""

from __future__ import annotations

from functools import partial

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import DebtState, PageEvent
from remediations.run import RunState
from tests.acceptance.variants import REFUSES, VARIANTS
from tests.fakes.story import HOUR, MINUTE, STORAGE, Story
from tests.fakes.world import FOLDERS

FAIL_OVER = "fail-over-to-replica"
PROPOSED = f"playbooks: {{storage-hot: {{rungs: {{{FAIL_OVER}: {{autonomy: propose}}}}}}}}"
MODE = "storage_failure"


def refusing(more: str = "") -> Story:
    """The hot primary refuses writes; a fail-over mends it."""
    story = Story(more, only=STORAGE)
    REFUSES(story.world)
    return story


def fires(story: Story) -> None:
    story.until(10 * MINUTE, lambda: bool(story.incidents(MODE)))


def acted(story: Story) -> None:
    story.until(10 * MINUTE, lambda: bool(story.world.did("/tiers/hot/failover")))


def test_an_action_that_cannot_be_verified_because_the_scrape_died_is_paged_and_never_called_recovered() -> (
    None
):
    story = refusing()
    acted(story)
    story.world.silent = True
    story.run(30 * MINUTE)
    incident = story.incident(MODE)
    assert story.verdicts(incident) == [(FAIL_OVER, "unknown")], story.told()
    assert incident.stepped_back
    assert not incident.ended
    assert incident.blind
    assert story.run_of(incident).state is RunState.GAVE_UP
    assert 1 in story.paged(incident)
    assert len(story.world.did("/tiers/")) == 1
    assert story.events(incident, Kind.RECOVERED, Kind.RESOLVED) == []


def test_a_proposal_is_paged_waits_and_runs_once_it_is_approved() -> None:
    story = refusing(PROPOSED)
    fires(story)
    story.run(60.0)
    incident = story.incident(MODE)
    assert story.run_of(incident).state is RunState.PROPOSED
    assert story.paged(incident) == [1]
    story.order("approve", incident, rung="restart-writer")
    assert story.answer() == f"restart-writer is not proposed now: {FAIL_OVER} is"
    story.run(60.0)
    assert story.world.effects == []
    story.order("approve", incident, rung=FAIL_OVER)
    story.until(HOUR, lambda: story.incident(MODE).ended)
    incident = story.incident(MODE)
    assert incident.resolved_by == FAIL_OVER
    assert len(story.world.did("/tiers/hot/failover")) == 1
    assert story.paged(incident) == [1]
    assert [e.data["by"] for e in story.events(incident, Kind.APPROVED)] == ["ana"]


def test_an_approval_of_what_has_healed_meanwhile_does_nothing() -> None:
    story = refusing(PROPOSED)
    fires(story)
    story.run(10.0)
    incident = story.incident(MODE)
    story.world.heal_tier("hot")
    story.run(120.0)
    story.order("approve", incident)
    story.until(HOUR, lambda: story.incident(MODE).ended)
    assert story.incident(MODE).resolved_by == "self"
    assert story.world.effects == []


def test_a_proposal_that_nobody_answers_expires_and_does_nothing() -> None:
    story = refusing(PROPOSED)
    fires(story)
    story.run(31 * MINUTE)
    incident = story.incident(MODE)
    assert story.run_of(incident).state is RunState.GAVE_UP
    assert len(story.events(incident, Kind.EXPIRED)) == 1
    assert incident.stepped_back
    assert story.world.effects == []
    assert story.paged(incident).count(1) == 1


def test_a_rejected_proposal_steps_back() -> None:
    story = refusing(PROPOSED)
    fires(story)
    story.run(10.0)
    story.order("reject", story.incident(MODE), reason="the replica is being rebuilt")
    incident = story.incident(MODE)
    assert story.run_of(incident).state is RunState.GAVE_UP
    assert "rebuilt" in story.said(incident, Kind.REJECTED)[0]
    story.run(10 * MINUTE)
    assert story.world.effects == []


def test_on_interrupt_page_leaves_an_unknown_outcome_to_a_person() -> None:
    story = refusing(f"playbooks: {{storage-hot: {{rungs: {{{FAIL_OVER}: {{on_interrupt: page}}}}}}}}")
    story.world.ambiguous = True
    acted(story)
    story.run(60.0)
    incident = story.incident(MODE)
    assert [a.outcome for a in story.attempts(incident)] == ["unknown"], story.told()
    assert incident.stepped_back
    assert story.paged(incident) == [1]
    assert "unknown" in story.run_of(incident).reason
    story.run(10 * MINUTE)
    assert len(story.world.did("/tiers/hot/failover")) == 1


def test_on_interrupt_probe_finds_that_it_took_effect_and_goes_on() -> None:
    story = refusing()
    story.world.ambiguous = True
    story.until(HOUR, lambda: bool(story.incidents(MODE)) and story.incident(MODE).ended)
    incident = story.incident(MODE)
    assert incident.resolved_by == FAIL_OVER
    assert len(story.world.did("/tiers/hot/failover")) == 1
    assert story.paged(incident) == []


def test_an_action_that_reports_its_own_failure_is_in_vain_at_once() -> None:
    story = refusing()
    story.world.refusing = True
    story.until(HOUR, lambda: bool(story.incidents(MODE)) and story.incident(MODE).stepped_back)
    incident = story.incident(MODE)
    assert story.attempts(incident)[0].outcome == "failed"
    assert story.attempts(incident)[0].verdict == "not_recovered"
    took = story.attempts(incident)[0].verdict_at
    assert took is not None
    assert took - incident.detected_at < 5.0
    story.run(30.0)
    assert story.paged(incident) == [1]


def test_a_return_that_comes_due_is_paid_by_itself_where_it_may_be() -> None:
    more = "playbooks: {provider-outage: {rungs: {cut-request-rate: {return: {after: 10m}}}}}"
    story = Story(more, only=("provider-errors", "provider-silent"))
    navixy = story.world.consumers["navixy"]
    story.world.change(navixy, limited=True)
    story.ended(HOUR)
    incident = story.incident("provider_outage")
    assert navixy.factor == 0.25
    (debt,) = story.debts(incident)
    assert debt.state in {DebtState.OPEN, DebtState.DUE}
    story.world.change(navixy, limited=False)
    story.until(30 * MINUTE, lambda: story.debts(incident)[0].state is DebtState.PAID)
    assert navixy.factor == 1.0
    assert debt.due_at is not None
    assert story.now - debt.due_at < 60.0
    assert story.all_paged() == []


def test_a_return_that_comes_due_is_proposed_and_paid_only_after_its_pre_check() -> None:
    story = refusing(f"playbooks: {{storage-hot: {{rungs: {{{FAIL_OVER}: {{return: {{after: 10m}}}}}}}}}}")
    story.ended(HOUR)
    incident = story.incident(MODE)
    story.until(HOUR, lambda: story.debts(incident)[0].state is DebtState.PROPOSED)
    assert story.world.did("/tiers/hot/failback") == []
    story.order("approve", incident, rung="restart-writer")
    assert story.answer() == "restart-writer is not proposed"
    assert story.debts(incident)[0].state is DebtState.PROPOSED
    story.order("approve", incident, rung=FAIL_OVER)
    story.run(3 * MINUTE)
    assert story.world.did("/tiers/hot/failback") == [], "the primary is not healthy yet"
    story.world.change(story.world.tiers["hot"], primary="healthy", reason="ok")
    story.until(3 * MINUTE, lambda: story.debts(incident)[0].state is DebtState.PAID)
    assert len(story.world.did("/tiers/hot/failback")) == 1
    assert story.world.tiers["hot"].active == "primary"


def test_a_relapse_between_verify_and_clear_is_paged_and_starts_no_rung() -> None:
    story = refusing()
    story.until(
        HOUR, lambda: bool(story.incidents(MODE)) and story.incident(MODE).state is IncidentState.RECOVERED
    )
    story.world.change(story.world.tiers["hot"], error_share=1.0)
    story.until(5 * MINUTE, lambda: story.incident(MODE).state is IncidentState.OPEN)
    story.run(20 * MINUTE)
    incident = story.incident(MODE)
    assert story.events(incident, Kind.RELAPSED)
    assert incident.stepped_back
    assert 1 in story.paged(incident), story.told()
    assert story.tried(incident) == [FAIL_OVER]


def test_a_persons_resolve_on_a_firing_incident_holds_for_its_time_and_then_pages_again() -> None:
    story = Story(only=STORAGE)
    VARIANTS["storage_failure:cold-down"].break_it(story.world)
    story.until(10 * MINUTE, lambda: bool(story.incidents(MODE)))
    story.run(30.0)
    incident = story.incident(MODE)
    assert story.paged(incident) == [1]
    story.order("resolve", incident, reason="known", **{"for": 1200.0})
    closed_at = story.now
    incident = story.incident(MODE)
    assert incident.state is IncidentState.CLOSED
    assert incident.resolved_by == "ana"
    assert "not verified" in story.said(incident, Kind.CLOSED)[0]
    story.run(19 * MINUTE)
    assert story.paged(story.incident(MODE)) == [1]
    story.run(2 * MINUTE)
    incident = story.incident(MODE)
    assert incident.state is IncidentState.OPEN
    assert story.paged(incident) == [1, 1], story.told()
    again = [r for r in story.deliveries(incident) if r.event is PageEvent.TRIGGER][-1]
    assert 1199.0 <= again.created_at - closed_at < 1230.0


def test_a_persons_resolve_on_a_fault_that_ended_meanwhile_pages_nobody_again() -> None:
    story = Story(only=STORAGE)
    story.world.kill("storage-writer-cold")
    story.until(10 * MINUTE, lambda: bool(story.incidents(MODE)))
    story.run(30.0)
    story.order("resolve", story.incident(MODE), reason="starting it by hand", **{"for": 600.0})
    story.world.start("storage-writer-cold")
    story.run(20 * MINUTE)
    incident = story.incident(MODE)
    assert incident.state is IncidentState.CLOSED
    assert story.paged(incident) == [1]
    resolves = [r for r in story.deliveries(incident) if r.event is PageEvent.RESOLVE]
    assert len(resolves) == 1


@pytest.mark.parametrize("restarts", [0, 2], ids=["left alone", "restarted inside the window"])
def test_maintenance_that_a_fault_outlives_is_quiet_until_its_end_and_acts_then(restarts: int) -> None:
    story = Story(only=STORAGE)
    story.order("maintenance", reason="new disks", **{"for": 20 * MINUTE})
    began = story.now - 1.0
    REFUSES(story.world)
    for _ in range(restarts):
        story.run(6 * MINUTE)
        story.driver.crash(down_for=5.0)
    story.run(began + 20 * MINUTE - 5.0 - story.now)
    incident = story.incident(MODE)
    assert story.world.effects == []
    assert story.all_paged() == []
    assert story.run_of(incident).state is RunState.WAITING
    story.run(20.0)
    assert len(story.world.did("/tiers/hot/failover")) == 1, story.told()
    story.ended()
    assert story.incident(MODE).resolved_by == FAIL_OVER


def test_maintenance_that_an_unmendable_fault_outlives_pages_at_its_end() -> None:
    story = Story(only=STORAGE)
    story.order("maintenance", reason="new disks", **{"for": 20 * MINUTE})
    began = story.now - 1.0
    story.world.kill("storage-writer-cold")
    story.run(began + 20 * MINUTE - 5.0 - story.now)
    assert story.all_paged() == [], story.told()
    assert story.incidents(MODE)
    story.run(20.0)
    assert story.all_paged() == [(MODE, 1)], story.told()
    (row,) = [r for r in story.deliveries(story.incident(MODE)) if r.event is PageEvent.TRIGGER]
    assert row.sent_at is not None
    assert began + 20 * MINUTE <= row.sent_at < began + 20 * MINUTE + 20


def test_a_fault_that_ends_inside_a_maintenance_is_told_to_nobody() -> None:
    story = Story(only=STORAGE)
    story.order("maintenance", reason="new disks", **{"for": 30 * MINUTE})
    REFUSES(story.world)
    story.run(8 * MINUTE)
    story.world.heal_tier("hot")
    story.run(30 * MINUTE)
    assert story.incident(MODE).resolved_by == "self"
    assert story.deliveries(story.incident(MODE)) == []
    assert story.world.effects == []


CHANGED, UNCHANGED = "ingestion_stopped:bad-config", "ingestion_stopped:wont-start"


def stopped(variant: str, changed_ago: float | None = None) -> Story:
    """Ingestion stopped at shipped timings, seen to its end. `changed_ago`: seconds since somebody wrote to its files."""
    story = Story(only=("ingestion-silent", "consumer-down"), warm=360.0)  # traffic has to be known as usual
    if changed_ago is not None:
        story.world.files.switched[FOLDERS["ingestion"] / "current"] = story.now - changed_ago
    VARIANTS[variant].break_it(story.world)
    story.until(
        HOUR, lambda: bool(story.all_paged()) or (bool(story.incidents()) and story.incidents()[0].ended)
    )
    return story


def test_a_stop_that_a_change_of_the_configuration_preceded_is_rolled_back() -> None:
    story = stopped(CHANGED)
    assert len(story.world.did("link ingestion v002")) == 1
    incident = story.incident("ingestion_stopped")
    assert incident.resolved_by == "roll-back-config"
    assert not story.pages(incident)


@pytest.mark.parametrize(
    ("changed_ago", "why"), [(None, "nobody changed anything"), (3 * 3600.0, "longer ago than two hours")]
)
def test_a_stop_that_no_change_preceded_is_not_rolled_back_and_a_person_is_paged(
    changed_ago: float | None, why: str
) -> None:
    story = stopped(UNCHANGED, changed_ago)
    incident = story.incident("ingestion_stopped")
    assert not story.world.did("link ingestion"), why
    assert story.tried(incident) == ["restart-consumers"]
    skipped = {event.data["rung"]: event.data["reason"] for event in story.events(incident, Kind.SKIPPED)}
    assert "facts.config.body.changed_at" in skipped["roll-back-config"]
    assert "restart-on-previous-config" in skipped, "nothing was rolled back that it could be restarted on"
    assert story.paged(incident) == [1]


def test_a_stop_after_files_were_edited_by_hand_is_rolled_back_and_what_has_ended_is_started_again() -> None:
    story = stopped(UNCHANGED, changed_ago=600.0)
    assert len(story.world.did("link ingestion v001")) == 1
    tried = story.tried(story.incident("ingestion_stopped"))
    assert tried == ["restart-consumers", "roll-back-config", "restart-on-previous-config"]


def test_a_fault_that_comes_and_goes_is_told_at_its_fourth_firing_and_nothing_is_begun_any_more() -> None:
    """Fire and clear hold for five minutes each; four firings within six times that are flapping."""
    story = Story(only=STORAGE)
    cold = story.world.tiers["cold"]

    def newest() -> Incident:
        return max(story.incidents(MODE), key=lambda one: one.detected_at)

    for turn in range(1, 5):
        story.world.change(cold, error_share=1.0)
        story.until(10 * MINUTE, partial(_as_many, story, turn))
        assert newest().flapping == (turn == 4), story.told()
        story.world.change(cold, error_share=0.0)
        if turn < 4:
            story.until(15 * MINUTE, lambda: newest().ended)
    assert "fired 4 times within 1h" in story.said(newest(), Kind.FLAPPING)[0]
    assert story.run_of(newest()).reason == "it flaps: what mends it for moments does not mend it"
    story.until(2 * HOUR, lambda: newest().ended)
    incident = newest()
    assert story.tried(incident) == [], story.told()
    assert story.paged(incident)[0] == 1
    assert incident.resolved_by == "self"
    assert incident.resolved_at is not None
    assert incident.resolved_at - incident.detected_at >= HOUR, "as calm as it was restless"


def _as_many(story: Story, incidents: int) -> bool:
    return len(story.incidents(MODE)) == incidents
