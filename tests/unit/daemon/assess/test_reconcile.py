"""Findings against what is open: one incident a mode and scope, cause before symptom, and nothing closed unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from config.scope import Scope, scope_of
from daemon.assess.reconcile import Known, reconcile
from daemon.assess.topology import Topology
from daemon.incidents.change import Change
from daemon.incidents.model import BLIND, FindingRecord, Impact, Incident, IncidentState
from daemon.incidents.reported import Reported
from detectors.board import Board, Finding, FindingState
from remediations.verification import Reading, Seen

NOW = 50_000.0
S = IncidentState
HOT, WARM = scope_of({"tier": "hot"}), scope_of({"tier": "warm"})
NAVIXY, TELTONIKA, OEM = (scope_of({"provider": name}) for name in ("navixy", "teltonika", "oem-a"))
PROVIDERS = frozenset({NAVIXY, TELTONIKA, OEM})
LIVE = scope_of({"endpoint": "live"})
TOPOLOGY = Topology.model_validate(
    {
        "explains": [
            {"cause": {"storage_failure": {"tier": "hot"}}, "symptom": "api_degradation"},
            {"cause": {"provider_outage": {}}, "symptom": "data_quality", "same": ["provider"]},
        ],
        "roll_up": {"data_quality": {"by": "provider", "from": 3}},
        "shared_cause": "50%",
    }
)


def finding(
    mode: str = "storage_failure",
    scope: Scope = HOT,
    state: FindingState = FindingState.FIRING,
    **fields: Any,
) -> Finding:
    known: dict[str, Any] = {
        "since": NOW - 300, "value": 0.2, "threshold": "> 1%", "severity": "critical", "observed_at": NOW - 5,
        "source": "edge", **fields,
    }  # fmt: skip
    return Finding(fields.pop("detector", known.pop("detector", f"d-{mode}")), mode, scope, state, **known)


def board(*findings: Finding, done: bool = True, **fields: Any) -> Board:
    known: dict[str, Any] = {"populations": {"provider_outage": PROVIDERS}, "sources_down": {}, **fields}
    return Board(NOW, done, {(f.detector, f.scope): f for f in findings}, **known)


def incident(
    mode: str = "storage_failure", scope: Scope = HOT, state: IncidentState = S.OPEN, **fields: Any
) -> Incident:
    known: dict[str, Any] = {
        "severity": "critical", "began_at": NOW - 600, "detected_at": NOW - 300,
        "findings": (FindingRecord(f"d-{mode}", 0.2, "> 1%", NOW - 300, "firing"),), "impact": Impact(1, 1, "hot"),
        **fields,
    }  # fmt: skip
    return Incident(f"{mode[:2]}-{dict(scope)}", mode, scope, state=state, **known)


def assess(
    now_seen: Board, /, *incidents: Incident, reported: Sequence[Reported] = (), **known: Any
) -> dict[tuple[str, Scope], Change]:
    changes = reconcile(now_seen, Known(incidents, **known), reported, TOPOLOGY, NOW)
    return {(c.incident.failure_mode, c.incident.scope): c for c in changes if c.incident is not None}


def kinds(change: Change) -> list[str]:
    return [str(event.kind) for event in change.events]


def state_of(changes: dict[tuple[str, Scope], Change], mode: str, scope: Scope) -> str | None:
    change = changes.get((mode, scope))
    return None if change is None or change.incident is None else str(change.incident.state)


# ---------------------------------------------------------------------- opening and standing


def test_nothing_is_decided_before_every_detector_finished_a_round() -> None:
    assert assess(board(finding(), done=False)) == {}


@pytest.mark.parametrize(
    ("state", "opens"),
    [
        (FindingState.PENDING, False),
        (FindingState.FIRING, True),
        (FindingState.CLEARING, True),
        (FindingState.NO_DATA, False),
    ],
)
def test_only_what_fires_opens_an_incident(state: FindingState, opens: bool) -> None:
    changes = assess(board(finding(state=state)))
    assert (("storage_failure", HOT) in changes) == opens


def test_two_detectors_of_one_mode_at_one_scope_are_one_incident_of_the_worse_severity() -> None:
    changes = assess(board(finding(detector="a", severity="high"), finding(detector="b")))
    (change,) = changes.values()
    assert change.incident is not None
    assert change.incident.severity == "critical"
    assert {record.detector for record in change.incident.findings} == {"a", "b"}
    assert change.escalation is not None


def test_what_stands_as_it_is_writes_nothing() -> None:
    opened = next(iter(assess(board(finding())).values())).incident
    assert opened is not None
    assert assess(board(finding(value=0.9)), opened) == {}


def test_severity_only_rises() -> None:
    worse = assess(board(finding(severity="critical")), incident(severity="high"))
    assert "severity" in kinds(worse["storage_failure", HOT])
    milder = assess(board(finding(severity="low")), incident())
    assert all("severity" not in kinds(change) for change in milder.values())


# ---------------------------------------------------------------------- the end: B4


def test_observed_health_over_the_hold_resolves() -> None:
    changes = assess(board(), incident())
    assert state_of(changes, "storage_failure", HOT) == "resolved"
    assert changes["storage_failure", HOT].incident.resolved_by == "self"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("state", "recovered_by", "by"),
    [
        (S.RECOVERED, "restart-writer", "restart-writer"),
        (S.OPEN, "restart-writer", "self"),
        (S.SUPPRESSED, None, "self"),
    ],
)
def test_who_resolved_it_is_the_rung_only_if_it_stood_recovered(
    state: IncidentState, recovered_by: str | None, by: str
) -> None:
    changes = assess(board(), incident(state=state, recovered_by=recovered_by))
    assert changes["storage_failure", HOT].incident.resolved_by == by  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("known", "seen", "why"),
    [
        ({}, board(finding(state=FindingState.NO_DATA)), "B4: what is not seen is not healthy"),
        (
            {"in_flight": frozenset({incident().id})},
            board(),
            "a rung under way finishes its verification first",
        ),
    ],
)
def test_it_is_not_closed(known: dict[str, Any], seen: Board, why: str) -> None:
    assert state_of(assess(seen, incident(), **known), "storage_failure", HOT) is None, why


def test_a_contained_incident_never_closes_by_itself() -> None:
    changes = assess(board(), incident(state=S.CONTAINED))
    assert state_of(changes, "storage_failure", HOT) in {None, "contained"}


def test_a_recovered_incident_that_breaches_again_relapses_and_steps_back() -> None:
    recovered = incident(state=S.RECOVERED, recovered_by="restart-writer")
    seen = {recovered.id: Reading(NOW, Seen.BREACH, NOW)}
    change = assess(board(finding()), recovered, seen=seen)["storage_failure", HOT]
    assert change.incident is not None
    assert change.incident.state is S.OPEN
    assert change.incident.stepped_back
    assert kinds(change) == ["relapsed"]


@pytest.mark.parametrize("seen", [Seen.OK, Seen.UNKNOWN])
def test_a_recovered_incident_still_clearing_is_no_relapse(seen: Seen) -> None:
    recovered = incident(state=S.RECOVERED, recovered_by="restart-writer")
    changes = assess(
        board(finding(state=FindingState.CLEARING)), recovered, seen={recovered.id: Reading(NOW, seen, NOW)}
    )
    assert all("relapsed" not in kinds(change) for change in changes.values())


@pytest.mark.parametrize(
    ("quiet_until", "fires", "state"),
    [(NOW + 60, True, None), (NOW - 1, True, "open"), (NOW + 60, False, "closed")],
    ids=["still held", "outlived", "ended meanwhile"],
)
def test_a_fault_that_a_person_closed_stays_closed_until_its_time(
    quiet_until: float, fires: bool, state: str | None
) -> None:
    closed = incident(state=S.CLOSED, quiet_until=quiet_until, resolved_by="ana", resolved_at=NOW - 100)
    changes = assess(board(*([finding()] if fires else [])), closed)
    assert state_of(changes, "storage_failure", HOT) == state
    if state == "open":
        assert "relapsed" in kinds(changes["storage_failure", HOT])


# ---------------------------------------------------------------------- cause before symptom, total before partial


def test_a_symptom_is_held_back_in_the_round_in_which_both_appear() -> None:
    changes = assess(board(finding(), finding("api_degradation", LIVE, severity="high")))
    assert state_of(changes, "storage_failure", HOT) == "open"
    assert state_of(changes, "api_degradation", LIVE) == "suppressed"


def test_only_the_declared_cause_explains() -> None:
    changes = assess(board(finding(scope=WARM), finding("api_degradation", LIVE, severity="high")))
    assert state_of(changes, "api_degradation", LIVE) == "open"


def test_labels_that_have_to_agree_must_agree() -> None:
    speed = scope_of({"provider": "navixy", "field": "speed"})
    for scope, state in ((NAVIXY, "suppressed"), (TELTONIKA, "open")):
        changes = assess(board(finding("provider_outage", scope), finding("data_quality", speed)))
        assert state_of(changes, "data_quality", speed) == state


def test_a_symptom_that_outlives_its_cause_is_released() -> None:
    cause = incident()
    symptom = incident("api_degradation", LIVE, S.SUPPRESSED, explained_by=cause.id, suppressed_at=NOW - 60)
    changes = assess(board(finding("api_degradation", LIVE)), cause, symptom)
    assert state_of(changes, "api_degradation", LIVE) == "open"
    assert "released" in kinds(changes["api_degradation", LIVE])


def test_a_cause_whose_rung_is_being_verified_explains_although_it_is_off_the_board() -> None:
    """Its detector cleared a moment before the verdict: it is open until then, and what it explains is held back."""
    cause = incident()
    symptom = incident("api_degradation", LIVE, S.SUPPRESSED, explained_by=cause.id, suppressed_at=NOW - 60)
    changes = assess(board(finding("api_degradation", LIVE)), cause, symptom, in_flight=frozenset({cause.id}))
    assert state_of(changes, "api_degradation", LIVE) in {None, "suppressed"}
    change = changes.get(("api_degradation", LIVE))
    assert change is None or "released" not in kinds(change)


def test_a_total_failure_suppresses_the_partial_ones_beneath_it() -> None:
    changes = assess(board(finding("ingestion_stopped", scope_of({})), finding("ingestion_stopped", NAVIXY)))
    assert state_of(changes, "ingestion_stopped", NAVIXY) in {None, "suppressed"}
    assert state_of(changes, "ingestion_stopped", scope_of({})) == "open"


# ---------------------------------------------------------------------- one for many


def test_half_of_the_providers_at_once_are_one_shared_cause() -> None:
    changes = assess(board(finding("provider_outage", NAVIXY), finding("provider_outage", TELTONIKA)))
    assert list(changes) == [("provider_outage", scope_of({}))]
    change = changes["provider_outage", scope_of({})]
    assert change.incident is not None
    assert (change.incident.impact.scopes, change.incident.impact.of) == (2, 3)
    assert change.incident.impact.text == "2 of 3 providers: navixy, teltonika"
    assert change.events[0].data["shared_cause"] is True


@pytest.mark.parametrize(
    ("population", "firing", "why"),
    [
        (frozenset({NAVIXY, TELTONIKA}), (NAVIXY, TELTONIKA), "two providers are no population"),
        (PROVIDERS, (NAVIXY,), "one of three is one outage"),
    ],
)
def test_fewer_are_single_outages(population: frozenset[Scope], firing: tuple[Scope, ...], why: str) -> None:
    seen = board(
        *(finding("provider_outage", scope) for scope in firing), populations={"provider_outage": population}
    )
    assert {scope for _, scope in assess(seen)} == set(firing), why


def field(name: str, provider: str = "navixy") -> Scope:
    return scope_of({"provider": provider, "field": name})


def test_three_fields_of_one_provider_roll_up_and_two_do_not() -> None:
    three = assess(board(*(finding("data_quality", field(name)) for name in ("speed", "fuel", "odometer"))))
    assert list(three) == [("data_quality", NAVIXY)]
    two = assess(board(*(finding("data_quality", field(name)) for name in ("speed", "fuel"))))
    assert set(two) == {("data_quality", field("speed")), ("data_quality", field("fuel"))}


def test_an_open_roll_up_keeps_its_parts_until_it_ends() -> None:
    whole = incident("data_quality", NAVIXY)
    changes = assess(board(finding("data_quality", field("speed"))), whole)
    assert ("data_quality", field("speed")) not in changes
    assert state_of(changes, "data_quality", NAVIXY) in {None, "open"}


# ---------------------------------------------------------------------- blindness


def test_a_source_that_is_down_is_one_incident_whatever_it_leaves_in_the_dark() -> None:
    dark = [finding(scope=scope, state=FindingState.NO_DATA) for scope in (HOT, WARM)]
    changes = assess(board(*dark, sources_down={"edge": (NOW - 400, "connection refused")}))
    assert list(changes) == [(BLIND, scope_of({"source": "edge"}))]


def test_a_firing_fault_that_cannot_be_seen_any_more_is_blind_and_seen_again_when_it_is() -> None:
    blind = assess(board(finding(blind=True)), incident())["storage_failure", HOT]
    assert blind.incident is not None
    assert blind.incident.blind
    assert "blind" in kinds(blind)
    again = assess(board(finding()), replace(blind.incident, version=0))["storage_failure", HOT]
    assert "sighted" in kinds(again)


EDGE = scope_of({"source": "edge"})


@pytest.mark.parametrize(
    ("back_since", "state", "why"),
    [
        (NOW - 3, None, "its telemetry is there again and has only to last"),
        (None, "open", "it outlives its cause"),
    ],
)
def test_blindness_whose_cause_ended_is_released_only_while_it_lasts(
    back_since: float | None, state: str | None, why: str
) -> None:
    held = incident(BLIND, EDGE, S.SUPPRESSED, explained_by="in-1", suppressed_at=NOW - 60, findings=())
    dark = finding("data_quality", NAVIXY, FindingState.NO_DATA, back_since=back_since)
    changes = assess(board(dark), held)
    assert state_of(changes, BLIND, EDGE) in {state, None if state else "suppressed"}, why
    released = [change for change in changes.values() if "released" in kinds(change)]
    assert bool(released) is (state == "open"), why


@pytest.mark.parametrize(
    ("pending", "told", "why"),
    [
        ({}, False, "the provider is seen to fail, and will be told in a moment"),
        ({"state": FindingState.FIRING}, True, "it is told: what it explains is held back by it"),
        ({"blind_since": NOW - 5}, True, "nobody sees it, so it may stay like that"),
        ({"since": NOW - 900}, True, "a quarter of an hour is enough"),
        ({"scope": TELTONIKA}, True, "another provider's is no cause of it"),
        ({"mode": "api_degradation"}, True, "what is no declared cause explains nothing"),
    ],
)
def test_blindness_waits_for_the_fault_that_is_about_to_explain_it(
    pending: dict[str, Any], told: bool, why: str
) -> None:
    """What is dead takes its numbers along: a page about those, a moment before the one about it, tells nothing."""
    dark = finding("data_quality", NAVIXY, FindingState.NO_DATA)
    given = {"mode": "provider_outage", "scope": NAVIXY, "state": FindingState.PENDING, "since": NOW - 3}
    changes = assess(board(dark, finding(detector="d", **{**given, **pending})))
    assert ((BLIND, EDGE) in changes) is told, why
    assert (BLIND, EDGE) in assess(board(dark))
    down = board(dark, finding(detector="d", **given), sources_down={"edge": (NOW - 400, "refused")})
    assert (BLIND, EDGE) in assess(down), "no fault of the pipeline takes the source itself away"


# ---------------------------------------------------------------------- alerts


def alert(**fields: Any) -> Reported:
    known: dict[str, Any] = {
        "fingerprint": "f-1", "failure_mode": "storage_failure", "scope": HOT, "severity": "high", "since": NOW - 30,
        "verify_with": "storage-writes", "text": "StorageWriteErrors", **fields,
    }  # fmt: skip
    return Reported(**known)


def test_an_alert_opens_an_incident_that_its_detector_is_to_verify() -> None:
    change = assess(board(), reported=[alert()])["storage_failure", HOT]
    assert change.incident is not None
    assert change.incident.alerts == ("f-1",)
    assert [record.detector for record in change.incident.findings] == ["storage-writes"]


def test_an_alert_that_is_not_repeated_keeps_what_a_detector_still_sees() -> None:
    opened = assess(board(finding()), reported=[alert()])["storage_failure", HOT].incident
    assert opened is not None
    changes = assess(board(finding()), opened)
    assert state_of(changes, "storage_failure", HOT) == "open"
