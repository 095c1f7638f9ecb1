"""From the incidents of a story to its row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daemon.cli.expectations import EXPECTED
from daemon.cli.scenario import _at_an_end, begun_within, repeats, row_of, told
from daemon.document.dossier import Dossier
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, PageEvent, Phase
from remediations.run import RunState
from tests.fakes import rows

BEGAN = 95.0


def story(key: str = "po-1", **fields: Any) -> Dossier:
    restart = rows.attempt(rung="open-breaker", started_at=110.0, outcome="done", verdict="contained")
    over = rows.attempt(
        "k2", rung="fail-over-to-secondary", started_at=120.0, outcome="done", verdict="recovered"
    )
    undo = rows.attempt("k3", rung="open-breaker", phase=Phase.UNDO, started_at=130.0)
    intended = rows.attempt("k4", rung="rotate-credentials")
    dossier = Dossier(
        rows.incident(key, state=IncidentState.RESOLVED, resolved_by="fail-over-to-secondary"),
        run=rows.run(key, state=RunState.DONE),
        attempts=(restart, over, undo, intended),
    )
    return replace(dossier, **fields)


def page(event: PageEvent, state: DeliveryState = DeliveryState.ACCEPTED) -> Any:
    return rows.delivery(f"{event}/{state}", event=event, state=state)


def test_what_was_started_while_the_break_was_still_under_way_is_matched_with_the_effect_logs() -> None:
    assert [one.key for one in begun_within([story()], 105.0, 125.0)] == [story().attempts[0].key, "k2"]
    assert [one.key for one in begun_within([story()], 115.0, 125.0)] == ["k2"], "that of another break"


def test_a_mended_story_becomes_a_row() -> None:
    row = row_of("provider_outage", "no-answer", EXPECTED["provider_outage", "no-answer"], [story()], BEGAN)
    assert row.detected_after_s == 5.0
    assert [(action.rung, action.verdict) for action in row.actions] == [
        ("open-breaker", "contained"),
        ("fail-over-to-secondary", "recovered"),
    ], "an undo is no rung, and what was only intended was not carried out"
    assert (row.verdict, row.resolved_by, row.paged, row.forbidden_actions) == (
        "recovered",
        "fail-over-to-secondary",
        [],
        [],
    )


def test_what_went_wrong_is_told_with_its_timeline() -> None:
    seen = Event("po-1", 100.0, Kind.DETECTED, "provider-silent fires.")
    assert told([story(events=(seen,))]) == [
        "po-1 provider_outage at provider=navixy: resolved",
        "  1970-01-01T00:01:40.000Z detected: provider-silent fires.",
    ]


def test_no_incident_is_a_fault_that_healed_unseen() -> None:
    row = row_of("provider_outage", "self-heals", EXPECTED["provider_outage", "self-heals"], [], BEGAN)
    assert (row.detected_after_s, row.verdict, row.actions) == (None, "self_resolved", [])


def test_actions_on_a_symptom_are_forbidden() -> None:
    symptom = replace(story("ad-1"), incident=rows.incident("ad-1", failure_mode="api_degradation"))
    expected = EXPECTED["provider_outage", "no-answer"]
    row = row_of("provider_outage", "no-answer", expected, [story(), symptom], BEGAN)
    assert row.forbidden_actions == [
        "api_degradation: open-breaker",
        "api_degradation: fail-over-to-secondary",
    ]


def test_a_forbidden_kind_of_action_is_found_whichever_rung_orders_it() -> None:
    restarted = replace(story(), attempts=(rows.attempt(rung="kick", action="service", started_at=1.0),))
    expected = EXPECTED["provider_outage", "no-answer"]
    assert row_of("provider_outage", "no-answer", expected, [restarted], BEGAN).forbidden_actions == ["kick"]


def test_slow_storage_is_told_by_the_storage_incident() -> None:
    hot = replace(
        story("sf-1"),
        incident=rows.incident("sf-1", failure_mode="storage_failure", detected_at=103.0),
        attempts=(rows.attempt(rung="restart-writer", action="service", started_at=1.0),),
    )
    slow = Dossier(rows.incident("ad-1", failure_mode="api_degradation", state=IncidentState.SUPPRESSED))
    row = row_of(
        "api_degradation", "slow-storage", EXPECTED["api_degradation", "slow-storage"], [slow, hot], BEGAN
    )
    assert (row.detected_after_s, [action.rung for action in row.actions]) == (8.0, ["restart-writer"])


def test_pages_count_by_level_and_heads_ups_do_not() -> None:
    told = replace(
        story(),
        deliveries=(
            page(PageEvent.TRIGGER),
            page(PageEvent.HEADS_UP),
            page(PageEvent.REMIND),
            page(PageEvent.TRIGGER, DeliveryState.FAILED),
        ),
    )
    row = row_of("provider_outage", "both-down", EXPECTED["provider_outage", "both-down"], [told], BEGAN)
    assert row.paged == [1]


def test_a_story_is_at_its_end_when_it_ended_or_a_person_was_told() -> None:
    open_ = replace(story(), incident=rows.incident())
    stepped = replace(
        open_,
        incident=rows.incident(stepped_back=True),
        run=rows.run(state=RunState.GAVE_UP),
        deliveries=(page(PageEvent.TRIGGER),),
    )
    assert _at_an_end(story(), [])
    assert not _at_an_end(open_, [])
    assert _at_an_end(stepped, [])
    assert not _at_an_end(replace(stepped, deliveries=(page(PageEvent.TRIGGER, DeliveryState.OWED),)), [])
    assert not _at_an_end(replace(stepped, run=rows.run(state=RunState.UNDOING)), []), "still acting"


def test_a_symptom_is_at_its_end_with_its_cause() -> None:
    symptom = Dossier(rows.incident("ad-1", state=IncidentState.SUPPRESSED, explained_by="po-1"))
    cause = replace(
        story(),
        incident=rows.incident(stepped_back=True),
        run=rows.run(state=RunState.GAVE_UP),
        deliveries=(page(PageEvent.TRIGGER),),
    )
    assert _at_an_end(symptom, [symptom, cause])
    assert not _at_an_end(symptom, [symptom, story()]), "its cause is over, so it still has to be released"
    assert not _at_an_end(symptom, [symptom])


def test_incidents_that_did_alike_are_one_action_of_the_row() -> None:
    other = replace(story("po-2"), incident=rows.incident("po-2", detected_at=101.0))
    row = row_of(
        "provider_outage", "no-answer", EXPECTED["provider_outage", "no-answer"], [story(), other], BEGAN
    )
    assert [action.rung for action in row.actions] == ["open-breaker", "fail-over-to-secondary"]


def test_what_must_happen_once_is_found_when_it_happens_twice() -> None:
    again = rows.attempt("k5", rung="open-breaker", started_at=140.0)
    told = (page(PageEvent.TRIGGER), rows.delivery("second", event=PageEvent.TRIGGER))
    twice = replace(story(), attempts=(*story().attempts, again), deliveries=told)
    assert repeats([story()]) == []
    assert repeats([twice]) == ["po-1: open-breaker ran 2 times", "po-1: ana was paged 2 times at L1"]
