"""A round whose level is that of a round without changes need not be assessed: what would change it is another level."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.scope import Scope, scope_of
from daemon.assess.levels import Level, level_of
from daemon.assess.reconcile import Known
from daemon.assess.topology import Causes, is_total_of
from daemon.incidents.model import IncidentState
from detectors.board import Board, Finding, FindingState
from tests.unit.daemon.assess.test_reconcile import HOT, NOW, TOPOLOGY, WARM, assess, board, finding, incident

STANDS = incident()


def level(seen: Board, known: Known | None = None) -> Level | None:
    return level_of(seen, known or Known((STANDS,)), (), TOPOLOGY)


def test_a_value_that_moves_is_the_same_level_and_asks_for_nothing() -> None:
    moved = replace(board(finding(value=0.9, observed_at=NOW)), at=NOW + 15)
    assert level(board(finding())) == level(moved) is not None
    assert assess(moved, replace(STANDS, impact=moved_impact(moved))) == {}


def moved_impact(seen: Board) -> Any:
    (change,) = assess(seen).values()
    assert change.incident is not None
    return change.incident.impact


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (finding(state=FindingState.CLEARING), "its state"),
        (finding(since=NOW), "a new finding at the same place"),
        (finding(severity="high"), "its severity"),
        (finding(corroborated=True), "a second witness"),
        (finding(flapping="6 times"), "it flaps"),
        (finding(scope=WARM), "another place"),
    ],
)
def test_whatever_an_assessment_looks_at_makes_another_level(other: Finding, why: str) -> None:
    assert level(board(finding())) != level(board(other)), why
    assert level(board(finding())) != level(board(finding(), other)) or other.scope == HOT, why


@pytest.mark.parametrize(
    ("seen", "known", "why"),
    [
        (board(finding(), done=False), {}, "nothing is decided yet"),
        (board(finding(state=FindingState.NO_DATA)), {}, "blindness has its own dates"),
        (board(finding(blind_since=NOW - 5)), {}, "about to be blind"),
        (board(finding(), sources_down={"edge": (NOW, "refused")}), {}, "a source is down"),
        (board(finding()), {"state": IncidentState.RECOVERED}, "it may relapse by its newest reading"),
        (board(finding()), {"state": IncidentState.CLOSED}, "a person's word holds until a date"),
        (board(finding()), {"advises": True}, "somebody may take the advice"),
    ],
)
def test_where_time_alone_may_ask_for_a_change_there_is_no_level(
    seen: Board, known: dict[str, Any], why: str
) -> None:
    assert level(seen, Known((replace(STANDS, **known),))) is None, why


MODES = ("storage_failure", "api_degradation", "provider_outage", "data_quality")
scopes = st.dictionaries(
    st.sampled_from(["tier", "provider", "endpoint"]), st.sampled_from("ab"), max_size=3
).map(scope_of)
keys = st.tuples(st.sampled_from(MODES), scopes)


@given(st.lists(keys, max_size=12), keys)
def test_the_cause_is_the_first_wider_scope_else_the_first_declared_one(
    listed: list[tuple[str, Scope]], symptom: tuple[str, Scope]
) -> None:
    candidates = {str(number): key for number, key in enumerate(listed)}
    wider = [name for name, key in candidates.items() if is_total_of(key, symptom)]
    declared = [
        name
        for name, key in candidates.items()
        if any(rule.explains(key, symptom) for rule in TOPOLOGY.explains)
    ]
    assert Causes(candidates, TOPOLOGY).of(symptom) == next(iter([*wider, *declared]), None)
