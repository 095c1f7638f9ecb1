"""Who waits is not asked again until something that matters to it has changed, or for long enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.incidents.model import STORM, Incident, IncidentState
from daemon.loop.standing import LONG_PATIENCE, PATIENCE, Around, Need, Open, Standing
from remediations.guardrails.calm import storm_reason
from remediations.run import Run, RunState
from tests.fakes import rows
from tests.fakes.story import Story

NOW = 1_000.0
INCIDENT = rows.incident("sf-1", detected_at=NOW - 60)
WAITS = rows.run(
    "sf-1", state=RunState.WAITING, due_at=NOW + 600, reason="in_flight: in flight overall: 8 of 8", version=3
)
CALM = Around(NOW, (None, True, ()), (("a", None),), None, full=True)
RULES = Story(only=("storage-down",), warm=0.0).driver.loop.stages.mitigate.rules


def found(run: Run | None = WAITS, incident: Incident = INCIDENT, storm: Incident | None = None) -> Open:
    return Open(1, (incident,), {} if run is None else {run.id: run}, (), storm)


def need(
    after: float, *, run: Run | None = WAITS, then: Run | None = None, around: Around = CALM, at: Around | None = None,
    incident: Incident = INCIDENT,
) -> Need:  # fmt: skip
    """What is needed `after` seconds after a step that changed nothing, when things stand as given by then."""
    standing = Standing()
    standing.unchanged(INCIDENT, found(run), around, NOW)
    return standing.need(incident, found(then or run, incident), at or around, RULES, NOW + after)


def test_who_was_never_asked_is_asked() -> None:
    assert Standing().need(INCIDENT, found(), CALM, RULES, NOW) is Need.NOW


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"incident": replace(INCIDENT, version=INCIDENT.version + 1)}, "its incident moved"),
        ({"then": replace(WAITS, version=4)}, "its run moved, as by a probe's answer"),
        ({"at": CALM._replace(stop=("the kill switch exists", True, ()))}, "somebody stops everything"),
        ({"at": CALM._replace(stop=(None, True, ("pause-1",)))}, "somebody pauses or mutes"),
        ({"at": CALM._replace(full=False, in_flight=())}, "a slot is free"),
    ],
)
def test_what_matters_to_who_waits_for_a_slot(change: dict[str, Any], why: str) -> None:
    assert need(0.1, **change) is Need.NOW, why


def test_what_does_not_matter_while_every_slot_is_taken() -> None:
    moved = CALM._replace(board_at=NOW + 5, in_flight=(("b", None),))
    assert need(5.0, at=moved) is Need.NONE
    assert need(LONG_PATIENCE, at=moved) is Need.ROUTINE, "and all the same, once in a while"


def test_who_waits_for_something_else_than_a_slot_is_asked_though_every_slot_is_taken() -> None:
    """A rung that mends nothing needs none."""
    run = replace(WAITS, reason="lock: x is held by sf-2")
    assert need(PATIENCE, run=run) is Need.NOW


def test_the_end_of_a_wait_is_its_own() -> None:
    short = replace(WAITS, due_at=NOW + 2)
    assert need(1.9, run=short) is Need.NONE
    assert need(2.0, run=short) is Need.NOW


def test_a_storm_is_waited_for_whatever_else_its_rung_waits_for() -> None:
    standing = rows.incident("st-1", failure_mode=STORM, state=IncidentState.OPEN)
    run = replace(WAITS, reason=f"storm: {storm_reason('st-1')}; lock: x is held by sf-2")
    stormy = CALM._replace(storm=standing.id, full=False)
    assert need(5.0, run=run, around=stormy, at=stormy._replace(board_at=NOW + 5)) is Need.NONE
    assert need(5.0, run=run, around=stormy, at=stormy._replace(storm=None)) is Need.NOW, "it is over"


@pytest.mark.parametrize("state", [RunState.RECHECKING, RunState.WAITING])
def test_who_looks_at_the_telemetry_or_at_a_guardrail_looks_again_every_second(state: RunState) -> None:
    run, free = replace(WAITS, state=state), CALM._replace(full=False)
    assert need(0.5, run=run, around=free) is Need.NONE
    assert need(PATIENCE, run=run, around=free) is Need.NOW
    assert need(0.5, run=run, around=free, at=free._replace(board_at=NOW + 0.5)) is Need.NOW


def test_a_verification_looks_at_every_new_board() -> None:
    run = replace(WAITS, state=RunState.VERIFYING)
    assert need(5.0, run=run) is Need.NONE
    assert need(1.0, run=run, at=CALM._replace(board_at=NOW + 1)) is Need.NOW


def test_an_action_that_ended_is_looked_at() -> None:
    run = replace(WAITS, state=RunState.ACTING, attempt="a")
    assert need(5.0, run=run) is Need.NONE
    assert need(5.0, run=run, at=CALM._replace(in_flight=(("a", "done"),))) is Need.NOW


def test_an_incident_past_its_deadline_is_asked_whatever_stands_still() -> None:
    name = next(name for name, book in RULES.playbooks.items() if book.failure_mode == "storage_failure")
    late = replace(INCIDENT, playbook=name, detected_at=NOW - RULES.playbooks[name].deadline + 1)
    standing = Standing()
    standing.unchanged(late, found(incident=late), CALM, NOW)
    assert standing.need(late, found(incident=late), CALM, RULES, NOW + 0.5) is Need.NONE
    assert standing.need(late, found(incident=late), CALM, RULES, NOW + 1.0) is Need.NOW


def test_other_rules_ask_everybody_anew() -> None:
    standing = Standing()
    standing.keep(["sf-1"], RULES)
    standing.unchanged(INCIDENT, found(), CALM, NOW)
    standing.keep(["sf-1"], replace(RULES, leave_after=1.0))
    assert standing.need(INCIDENT, found(), CALM, RULES, NOW + 0.1) is Need.NOW


def test_what_a_round_leaves_comes_first_in_the_next_and_that_one_owes_nothing_to_others() -> None:
    """Else a hundred that have something to do in every round would keep the loop from ever resting."""
    standing = Standing()
    names = ["a", "b", "c", "d"]
    assert standing.leave(["c", "d"]), "another round follows at once"
    assert standing.longest_ago(names) == ["c", "d", "a", "b"]
    assert not standing.leave(["a", "b"]), "they had their turn"
    assert standing.longest_ago(names) == names
