"""The three transition tables, for every state and every event."""

from __future__ import annotations

from itertools import product

import pytest

from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import ENDED, IncidentState
from daemon.incidents.transitions import (
    ESCALATION,
    INCIDENT,
    EscalationEvent,
    IllegalTransition,
    IncidentEvent,
    escalation_after,
    incident_after,
)
from remediations.run import RUN, IllegalMove, RunEvent, RunState, run_after


@pytest.mark.parametrize(("state", "event"), list(product(IncidentState, IncidentEvent)))
def test_an_incident_moves_by_its_table_or_not_at_all(state: IncidentState, event: IncidentEvent) -> None:
    if (state, event) in INCIDENT:
        assert incident_after(state, event) is INCIDENT[state, event]
    else:
        with pytest.raises(IllegalTransition, match=state):
            incident_after(state, event)


@pytest.mark.parametrize(("state", "event"), list(product(EscalationState, EscalationEvent)))
def test_an_escalation_moves_by_its_table_or_not_at_all(
    state: EscalationState, event: EscalationEvent
) -> None:
    if (state, event) in ESCALATION:
        assert escalation_after(state, event) is ESCALATION[state, event]
    else:
        with pytest.raises(IllegalTransition, match=state):
            escalation_after(state, event)


@pytest.mark.parametrize(("state", "event"), list(product(RunState, RunEvent)))
def test_a_run_moves_by_its_table_or_not_at_all(state: RunState, event: RunEvent) -> None:
    if (state, event) in RUN:
        assert run_after(state, event) is RUN[state, event]
    else:
        with pytest.raises(IllegalMove, match=state):
            run_after(state, event)


def test_a_contained_incident_never_closes_by_itself() -> None:
    assert incident_after(IncidentState.CONTAINED, IncidentEvent.CLEAR) is IncidentState.CONTAINED


def test_an_ended_incident_comes_back_only_when_it_outlives_a_persons_resolve() -> None:
    back = {event for (state, event), after in INCIDENT.items() if state in ENDED and after not in ENDED}
    assert back == {IncidentEvent.OUTLIVE}


def test_an_acknowledgement_never_ends_the_clock() -> None:
    assert escalation_after(EscalationState.PAGING, EscalationEvent.ACK) is EscalationState.ACKED
    assert escalation_after(EscalationState.ACKED, EscalationEvent.ESCALATE) is EscalationState.PAGING


def test_giving_up_is_possible_from_every_state_that_is_under_way() -> None:
    under_way = set(RunState) - {RunState.GAVE_UP, RunState.DONE}
    assert {state for state, event in RUN if event is RunEvent.GIVE_UP} == under_way


def test_a_rung_begins_only_from_rechecking() -> None:
    assert [state for state, event in RUN if event is RunEvent.ACT] == [RunState.RECHECKING]
