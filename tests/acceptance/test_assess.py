"""What belongs together: shared causes, roll-ups, causes before symptoms, and several modes at once under the caps."""

from __future__ import annotations

from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import Phase
from tests.acceptance.variants import CONSUMERS, REFUSES
from tests.fakes.story import HOUR, MINUTE, Story

HOT_AND_API = ("storage-writes", "storage-reads", "api-latency")


def test_half_of_the_providers_at_once_are_one_incident_without_action_provider_by_provider() -> None:
    story = Story(only=("provider-errors",))
    for name in ("navixy", "teltonika"):
        story.world.change(story.world.consumers[name], primary="no-answer")
    story.until(20 * MINUTE, lambda: bool(story.incidents()))
    story.run(10 * MINUTE)
    incident = story.incident("provider_outage")
    assert dict(incident.scope) == {}
    assert (incident.impact.scopes, incident.impact.of) == (2, 3)
    assert story.world.effects == []
    assert story.paged(incident) == [1], story.told()


def test_providers_that_fail_within_one_hold_are_waited_for() -> None:
    """The first of them must not be acted upon when the second is about to make it a shared cause."""
    story = Story(only=("provider-errors",))
    story.world.change(story.world.consumers["navixy"], primary="no-answer")
    story.run(4 * MINUTE)
    story.world.change(story.world.consumers["teltonika"], primary="no-answer")
    story.run(12 * MINUTE)
    assert story.world.effects == [], story.told()
    whole = [i for i in story.incidents("provider_outage") if not i.scope]
    assert len(whole) == 1
    (navixy,) = [i for i in story.incidents("provider_outage") if dict(i.scope) == {"provider": "navixy"}]
    assert navixy.state in {IncidentState.SUPPRESSED, IncidentState.RESOLVED}, story.told()
    assert story.paged(navixy) == []


def test_three_fields_of_a_provider_are_one_incident() -> None:
    story = Story(only=("values-missing",))
    fields = {("navixy", name): 1.0 for name in ("speed", "fuel", "odometer")}
    story.world.change(story.world.transformer, missing=fields)
    story.until(20 * MINUTE, lambda: bool(story.incidents()))
    assert dict(story.incident("data_quality").scope) == {"provider": "navixy"}
    assert story.incident("data_quality").impact.scopes == 3


def test_storage_explains_a_slow_api_which_is_held_back_and_never_scaled() -> None:
    story = Story(only=HOT_AND_API)
    story.world.change(story.world.tiers["hot"], slow_reads=1.0, reason="writer_hung")
    story.ended(HOUR)
    storage, api = story.incident("storage_failure"), story.incident("api_degradation")
    assert storage.resolved_by == "restart-writer"
    assert story.events(api, Kind.SUPPRESSED), story.told()
    assert story.tried(api) == []
    assert story.all_paged() == []
    assert story.world.did("startProcess api-worker") == []


def test_an_api_that_outlives_its_cause_is_released_and_mended_for_itself() -> None:
    story = Story(only=HOT_AND_API)
    story.world.change(story.world.tiers["hot"], slow_reads=1.0, reason="writer_hung")
    story.world.change(story.world.api, fault="overload")
    story.ended(HOUR)
    api = story.incident("api_degradation")
    assert story.events(api, Kind.RELEASED), story.told()
    assert api.resolved_by == "scale-out"


def test_a_symptom_waits_while_its_declared_cause_is_pending() -> None:
    """The API fires four minutes before storage does; scaling out would have been the wrong thing."""
    story = Story(only=HOT_AND_API)
    story.world.change(story.world.api, slow={"live": 0.6})
    story.run(4 * MINUTE)
    story.world.break_tier("hot", "primary_refuses", primary="refusing")
    story.until(5 * MINUTE, lambda: bool(story.incidents("api_degradation")))
    story.run(90.0)
    api = story.incident("api_degradation")
    assert story.tried(api) == []
    assert "pending_cause" in story.said(api, Kind.WAITING)[0], story.told()
    story.until(5 * MINUTE, lambda: bool(story.incidents("storage_failure")))
    story.run(60.0)
    assert story.incident("api_degradation").state is IncidentState.SUPPRESSED
    assert story.tried(api) == []


def test_a_critical_incident_that_is_held_back_for_15_minutes_pages_for_itself() -> None:
    more = "topology: {explains: [{cause: {storage_failure: {tier: cold}}, symptom: storage_failure}]}"
    story = Story(more, only=("storage-writes", "storage-down"))
    story.world.kill("storage-writer-cold")
    story.until(10 * MINUTE, lambda: bool(story.incidents()))
    story.world.break_tier("hot", "both_refuse")
    story.until(10 * MINUTE, lambda: len(story.incidents("storage_failure")) == 2)
    hot = story.incident("storage_failure", tier="hot")
    assert hot.state is IncidentState.SUPPRESSED
    story.run(14 * MINUTE)
    assert story.paged(hot) == []
    story.run(90.0)
    assert story.paged(hot) == [1], story.told()
    late = story.deliveries(hot)[0].created_at - (hot.suppressed_at or 0.0)
    assert 900.0 <= late < 902.0
    assert story.tried(hot) == []


def test_several_modes_at_once_keep_to_the_caps_and_every_one_is_mended_or_paged() -> None:  # B1
    story = Story()
    REFUSES(story.world)
    story.world.change(story.world.api, cache="off")
    story.world.change(story.world.consumers["navixy"], limited=True)
    story.world.deploy("mapping", "wrong-source")
    most = 0

    def watch() -> bool:
        nonlocal most
        with story.driver.store.read() as uow:
            flying = {a.incident for a in uow.attempts.in_flight() if a.phase is not Phase.RETURN}
        most = max(most, len(flying))
        return bool(story.incidents()) and all(
            i.ended or (i.stepped_back and story.paged(i)) for i in story.incidents()
        )

    story.until(HOUR, watch)
    assert 1 <= most <= 2, story.told()
    modes = {i.failure_mode for i in story.incidents()}
    assert {"storage_failure", "api_degradation", "provider_outage", "transformation_failure"} <= modes


def test_all_consumers_gone_is_the_whole_pipeline_and_one_dead_consumer_is_one() -> None:
    story = Story()
    story.world.kill(CONSUMERS[0])
    story.ended(HOUR)
    one = story.incident("ingestion_stopped")
    assert dict(one.scope) == {"provider": "navixy"}
    assert story.world.counts() == {"startProcess ingestion-navixy": 1}
    assert one.resolved_by == "restart-consumers"
