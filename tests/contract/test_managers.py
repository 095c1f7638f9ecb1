"""What every process manager promises, whichever it is. A new type is tried by its bench in `tests.fakes.managers`."""

from __future__ import annotations

from typing import Any

import pytest

from remediations.actions.action import ActionError
from remediations.actions.managers.manager import ManagerFault, Standing
from remediations.actions.managers.registry import KINDS
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, Unreachable
from tests.fakes.managers import BENCHES, TOKEN, Bench
from tests.fakes.ports import FakePermit

TIME = 30.0


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    return BENCHES[request.param]()


every_manager = pytest.mark.parametrize("bench", BENCHES, indirect=True)
that_stops = pytest.mark.parametrize("bench", ["supervisor", "systemd", "docker"], indirect=True)
that_scales = pytest.mark.parametrize("bench", ["supervisor", "swarm", "kubernetes"], indirect=True)
named_in_addresses = pytest.mark.parametrize(
    "bench", [name for name in BENCHES if name != "supervisor"], indirect=True
)
"""supervisord takes a name as one value of a call, never as a part of an address or a command."""


def test_every_type_is_tried() -> None:
    assert {bench().spec.type for bench in BENCHES.values()} == set(KINDS)
    told = {kind: set[str]() for kind in KINDS}
    for bench in BENCHES.values():
        told[bench().spec.type] |= set(bench.operations)
    assert told == {kind: set(row.operations) for kind, row in KINDS.items()}


@every_manager
def test_a_restart_is_done_once_something_new_is_seen_to_run(bench: Bench) -> None:
    before = bench.manager().state(bench.unit, deadline=bench.clock.monotonic() + TIME)
    outcome = bench.perform(restart=bench.unit)
    after = bench.manager().state(bench.unit, deadline=bench.clock.monotonic() + TIME)
    assert outcome.state is OutcomeState.DONE, outcome
    assert after.running
    assert after.identity != before.identity
    assert len(bench.orders) in {1, 2}, "one order, or a stop and a start"


@every_manager
def test_that_the_manager_says_it_runs_is_no_proof(bench: Bench) -> None:
    """The liar: the order is accepted, the old one runs on, and the manager says that it runs, which is true."""
    bench.spoil("liar")
    outcome = bench.perform(restart=bench.unit, seconds=TIME)
    assert bench.orders
    assert outcome.state is (OutcomeState.UNKNOWN if bench.patient else OutcomeState.FAILED), outcome


@every_manager
@pytest.mark.parametrize("how", ["wont_start", "dies"])
def test_what_does_not_come_up_or_does_not_stay_up_is_a_failure(bench: Bench, how: str) -> None:
    bench.spoil(how)
    outcome = bench.perform(restart=bench.unit, seconds=TIME)
    assert outcome.state is OutcomeState.FAILED, outcome
    assert outcome.effect


@every_manager
def test_an_unknown_unit_is_a_failure_and_nothing_is_touched(bench: Bench) -> None:
    outcome = bench.perform(restart=bench.unit.replace("writer", "no-such-unit"))
    assert outcome.state is OutcomeState.FAILED
    assert "nothing was changed" in outcome.effect
    assert bench.orders == []


@every_manager
def test_without_a_permit_nothing_is_ordered(bench: Bench) -> None:
    assert bench.perform(FakePermit(grants=False), restart=bench.unit).state is OutcomeState.NOT_DONE
    assert bench.orders == []


@every_manager
def test_an_order_that_was_cut_off_is_unknown(bench: Bench) -> None:
    bench.break_orders(Ambiguous("no answer within the deadline"))
    assert bench.perform(restart=bench.unit).state is OutcomeState.UNKNOWN


@every_manager
def test_an_order_that_never_left_is_a_failure(bench: Bench) -> None:
    bench.break_orders(Unreachable("connection refused"))
    assert bench.perform(restart=bench.unit).state is OutcomeState.FAILED


@every_manager
@pytest.mark.parametrize("error", [Ambiguous("late"), Unreachable("refused")])
def test_a_question_that_is_not_answered_changes_nothing(bench: Bench, error: Any) -> None:
    bench.break_questions(error)
    assert bench.perform(restart=bench.unit).state is OutcomeState.FAILED
    assert bench.orders == []


@every_manager
def test_what_came_of_an_order_is_unknown_once_nobody_answers_any_more(bench: Bench) -> None:
    permit = FakePermit(on_ask=lambda: bench.break_questions(Unreachable("gone")))
    outcome = bench.perform(permit, restart=bench.unit, seconds=TIME)
    assert outcome.state is OutcomeState.UNKNOWN, outcome


@every_manager
def test_an_action_keeps_to_its_deadline(bench: Bench) -> None:
    bench.spoil("liar")
    started = bench.clock.monotonic()
    bench.perform(restart=bench.unit, timeout="10s")
    assert bench.clock.monotonic() <= started + 10


@every_manager
def test_a_manager_is_a_witness_that_knows_three_answers(bench: Bench) -> None:
    def standing(unit: str) -> Standing:
        return bench.manager().state(unit, deadline=bench.clock.monotonic() + TIME).standing

    assert standing(bench.unit) is Standing.RUNNING
    assert standing(bench.idle) is Standing.DOWN
    bench.spoil("between")
    assert standing(bench.unit) is Standing.BETWEEN
    with pytest.raises(ManagerFault):
        standing(bench.unit.replace("writer", "no-such-unit"))


@every_manager
def test_what_fell_over_is_down(bench: Bench) -> None:
    bench.spoil("stop")
    state = bench.manager().state(bench.unit, deadline=bench.clock.monotonic() + TIME)
    assert state.standing is Standing.DOWN
    assert not state.identity


@that_stops
def test_start_and_stop_of_what_is_so_already_change_nothing(bench: Bench) -> None:
    assert bench.perform(start=bench.unit).state is OutcomeState.DONE
    assert bench.perform(stop=bench.idle).state is OutcomeState.DONE
    assert bench.orders == []


@that_stops
def test_a_stop_is_seen_and_so_is_a_start(bench: Bench) -> None:
    for operation, standing in (("stop", Standing.DOWN), ("start", Standing.RUNNING)):
        assert bench.perform(**{operation: bench.unit}).state is OutcomeState.DONE
        assert bench.manager().state(bench.unit, deadline=bench.clock.monotonic() + TIME).standing is standing


@that_stops
def test_a_stop_that_stops_nothing_is_a_failure(bench: Bench) -> None:
    bench.spoil("liar")
    assert bench.perform(stop=bench.unit).state is OutcomeState.FAILED


@every_manager
def test_what_it_cannot_do_is_refused_before_anything_is_asked(bench: Bench) -> None:
    for operation in {"restart", "stop", "start", "scale", "undo"} - set(bench.operations):
        to = {"to": 2} if operation == "scale" else {}
        with pytest.raises(ActionError):
            bench.rendered(**{operation: bench.unit}, **to)
    assert bench.http.requests == []
    assert bench.processes.commands == []


@named_in_addresses
@pytest.mark.parametrize("hostile", ["../x", "-x", "--force", "a b", "a\nb", "a/b/c", "x" * 300, "*"])
def test_no_unit_is_named_that_would_be_read_as_something_else(bench: Bench, hostile: str) -> None:
    with pytest.raises(ActionError):
        bench.rendered(restart=hostile)
    with pytest.raises(ManagerFault):
        bench.manager().state(hostile, deadline=bench.clock.monotonic() + TIME)
    assert bench.http.requests == []
    assert bench.processes.commands == []


@every_manager
def test_no_secret_is_told(bench: Bench) -> None:
    outcome = bench.perform(restart=bench.unit)
    assert TOKEN not in str(outcome) + str(bench.rendered(restart=bench.unit)) + repr(bench.spec)


@that_scales
def test_scaling_out_is_done_once_so_many_run_and_taken_back_by_scaling_in(bench: Bench) -> None:
    assert bench.running() == 2
    for to in (4, 2):
        outcome = bench.perform(scale=bench.group, to=to, max=4)
        assert outcome.state is OutcomeState.DONE, outcome
        assert bench.running() == to


@that_scales
def test_scaling_never_goes_over_its_maximum(bench: Bench) -> None:
    assert bench.perform(scale=bench.group, to="{{ 10 * 10 }}", max=4).state is OutcomeState.DONE
    assert bench.running() == 4


@that_scales
def test_as_many_as_asked_for_already_is_no_order(bench: Bench) -> None:
    permit = FakePermit()
    assert bench.perform(permit, scale=bench.group, to=2).state is OutcomeState.DONE
    assert (permit.asked, bench.orders) == (0, [])


@that_scales
def test_a_scaling_whose_effect_is_not_seen_is_not_done(bench: Bench) -> None:
    bench.spoil("liar")
    outcome = bench.perform(scale=bench.group, to=4, seconds=TIME)
    assert outcome.state is (OutcomeState.UNKNOWN if bench.patient else OutcomeState.FAILED), outcome
    assert bench.running() == 2


@that_scales
def test_a_paused_scaling_orders_nothing(bench: Bench) -> None:
    assert bench.perform(FakePermit(grants=False), scale=bench.group, to=4).state is OutcomeState.NOT_DONE
    assert bench.orders == []
