"""Advice: told like any fault, acted upon never, and in nobody's way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.scope import WHOLE, scope_of
from daemon.assess.causes import undecided_causes
from daemon.assess.reconcile import Known, reconcile
from daemon.incidents.model import FindingRecord, Incident, IncidentState
from detectors.board import Finding, FindingState
from tests.unit.daemon.assess.test_reconcile import (
    LIVE,
    NAVIXY,
    NOW,
    OEM,
    TELTONIKA,
    TOPOLOGY,
    assess,
    board,
    finding,
    incident,
    kinds,
    state_of,
)

PO = "provider_outage"
S = IncidentState


def advice(scope: Any = NAVIXY, **fields: Any) -> Finding:
    known = {"severity": "low", "detector": "below-usual", **fields}
    return replace(finding(PO, scope, **known), advises=True)


def advised(scope: Any = NAVIXY, **fields: Any) -> Incident:
    records = (FindingRecord("below-usual", 0.2, "> 1%", NOW - 300, "firing"),)
    return incident(PO, scope, severity="low", advises=True, **{"findings": records, **fields})


def test_advice_alone_opens_an_incident_that_only_advises() -> None:
    opened = assess(board(advice()))[PO, NAVIXY].incident
    assert opened is not None
    assert (opened.advises, opened.severity) == (True, "low")


def test_advice_adds_nothing_to_a_fault_that_may_be_acted_upon() -> None:
    """Else the fault would count as seen for as long as the advice stands, and be acted upon by it alone."""
    opened = assess(board(advice(), finding(PO, NAVIXY)))[PO, NAVIXY].incident
    assert opened is not None
    assert not opened.advises
    assert [record.detector for record in opened.findings] == [f"d-{PO}"]


def test_a_fault_ends_when_only_advice_is_left() -> None:
    changes = assess(board(advice()), incident(PO, NAVIXY))
    assert state_of(changes, PO, NAVIXY) == S.RESOLVED


def test_advice_that_becomes_a_fault_goes_on_as_a_new_incident_that_may_be_acted_upon() -> None:
    before = advised(stepped_back=True)
    found: list[Incident] = []
    for change in reconcile(board(advice(), finding(PO, NAVIXY)), Known((before,)), (), TOPOLOGY, NOW):
        assert change.incident is not None
        found.append(change.incident)
    old, new = sorted(found, key=lambda one: one.detected_at)
    assert (old.id, old.state, old.resolved_by) == (before.id, S.CLOSED, new.id)
    assert (new.state, new.advises, new.stepped_back, new.severity) == (S.OPEN, False, False, "critical")


def test_a_person_who_took_the_advice_keeps_the_wheel() -> None:
    before = advised(stepped_back=True)
    after = assess(board(advice(), finding(PO, NAVIXY)), before, taken=frozenset({before.id}))
    moved = after[PO, NAVIXY].incident
    assert moved is not None
    assert (moved.id, moved.stepped_back, moved.severity) == (before.id, True, "critical")
    assert kinds(after[PO, NAVIXY]) == ["severity"]


def test_advice_that_a_person_closed_does_not_keep_a_fault_quiet() -> None:
    closed = advised(state=S.CLOSED, quiet_until=NOW + 3600, resolved_by="ana")
    changes = reconcile(board(finding(PO, NAVIXY)), Known((closed,)), (), TOPOLOGY, NOW)
    opened = [c.incident for c in changes if c.incident is not None and c.incident.id != closed.id]
    assert [(one.state, one.advises) for one in opened] == [(S.OPEN, False)]


def test_advice_ends_with_its_finding() -> None:
    assert state_of(assess(board(), advised()), PO, NAVIXY) == S.RESOLVED


def test_advice_explains_nothing() -> None:
    """A provider far below its usual rate is no reason to let bad data of the same provider pass."""
    symptom = finding("data_quality", scope_of({"provider": "navixy", "field": "speed"}))
    changes = assess(board(advice(), symptom), advised())
    assert state_of(changes, "data_quality", symptom.scope) == S.OPEN


def test_advice_that_is_pending_holds_no_action_back() -> None:
    pending = advice(state=FindingState.PENDING)
    symptom = incident("data_quality", scope_of({"provider": "navixy", "field": "speed"}))
    assert undecided_causes(symptom, board(pending), TOPOLOGY, {"below-usual": 1800.0}) == ()
    assert undecided_causes(
        symptom, board(replace(pending, advises=False)), TOPOLOGY, {"below-usual": 1800.0}
    )


@pytest.mark.parametrize(
    ("open_now", "why"),
    [
        ((), "two of three are advised about, and one is down"),
        ((advised(WHOLE),), "an advice about all of them is open already"),
    ],
)
def test_advice_makes_no_shared_cause_of_a_single_fault(open_now: tuple[Incident, ...], why: str) -> None:
    """Nothing is done scope by scope about a shared cause: advice must not bring that about."""
    changes = assess(board(advice(TELTONIKA), advice(OEM), finding(PO, NAVIXY)), *open_now)
    down = changes[PO, NAVIXY].incident
    assert down is not None, why
    assert (down.state, down.advises) == (S.OPEN, False), why


def test_advice_about_most_providers_is_one_advice() -> None:
    changes = assess(board(advice(TELTONIKA), advice(OEM)))
    assert [(key, change.incident and change.incident.advises) for key, change in changes.items()] == [
        ((PO, WHOLE), True)
    ]


def test_a_symptom_of_a_fault_is_held_back_also_where_it_is_advice() -> None:
    hot = incident()
    slow = replace(finding("api_degradation", LIVE), advises=True)
    changes = assess(board(finding(), slow), hot)
    assert state_of(changes, "api_degradation", LIVE) == S.SUPPRESSED
