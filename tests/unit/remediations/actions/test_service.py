from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from config.scope import WHOLE
from config.secrets import Environment
from remediations.actions.action import ActionError, HostileLabel, Unrenderable
from remediations.actions.service import ServiceAction, ServiceArgs
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, PortError, Unreachable
from remediations.spec_managers import SupervisorSpec
from tests.fakes.ports import FakePermit, FakePorts, answer
from tests.fakes.supervisor import FakeSupervisor

SOCKET = "unix:///run/supervisor.sock"
MANAGERS = {"pipeline": SupervisorSpec(type="supervisor", url=SOCKET)}
NAMES = {"scope": {"tier": "hot"}, "facts": {"health": {"body": {"workers": 2}}}, "vars": {}}


class World(FakePorts):
    """A supervisord with a writer, a group of four workers of which two run, and what is done to it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.supervisor = FakeSupervisor()
        self.writer = self.supervisor.add("storage-writer-hot")
        self.workers = [
            self.supervisor.add(
                "api-worker", f"api-worker-{number}", "RUNNING" if number in {0, 1} else "STOPPED"
            )
            for number in (10, 2, 1, 0)
        ]
        self.supervisor.serve(self.http, SOCKET)

    def perform(self, permit: FakePermit | None = None, managers: Any = None, **written: Any) -> Any:
        action = made(MANAGERS if managers is None else managers, self.clock.advance)
        return action.perform(
            rendered(**written),
            self.ports,
            deadline=self.clock.monotonic() + 60,
            permit=permit or FakePermit(),
            key="k",
        )


def made(managers: Any = MANAGERS, pause: Any = None) -> ServiceAction:
    return ServiceAction(managers, Environment({}).take, pause)


def rendered(**written: Any) -> dict[str, Any]:
    args = ServiceArgs.model_validate({"manager": "pipeline", **written})
    return made().render(args, NAMES)


@pytest.fixture
def world() -> World:
    return World()


WRITER = "storage-writer-{{ scope.tier }}"


def test_a_restart_is_a_stop_and_a_start_with_a_new_process(world: World) -> None:
    before = world.writer.pid
    outcome = world.perform(restart=WRITER)
    assert world.supervisor.orders == [
        ("stopProcess", "storage-writer-hot"),
        ("startProcess", "storage-writer-hot"),
    ]
    assert outcome.state is OutcomeState.DONE
    assert world.writer.pid != before
    assert str(before) in outcome.effect
    assert str(world.writer.pid) in outcome.effect


@pytest.mark.parametrize("state", ["STOPPED", "EXITED", "FATAL"])
def test_what_does_not_run_is_only_started(world: World, state: str) -> None:
    world.writer.state, world.writer.pid = state, 0
    assert world.perform(restart=WRITER).state is OutcomeState.DONE
    assert world.supervisor.orders == [("startProcess", "storage-writer-hot")]


def test_a_process_that_ends_just_before_its_stop_is_started_all_the_same(world: World) -> None:
    def ends() -> None:
        world.writer.state, world.writer.pid = "EXITED", 0

    assert world.perform(FakePermit(on_ask=ends), restart=WRITER).state is OutcomeState.DONE
    assert world.writer.state == "RUNNING"


def test_a_process_that_will_not_start_is_a_failure_that_says_what_was_done(world: World) -> None:
    world.writer.wont_start = True
    outcome = world.perform(restart=WRITER)
    assert outcome.state is OutcomeState.FAILED
    assert "stopped storage-writer-hot" in outcome.effect
    assert "SPAWN_ERROR" in outcome.output


def test_an_unknown_unit_is_a_failure_and_nothing_is_touched(world: World) -> None:
    outcome = world.perform(restart="no-such-unit")
    assert outcome.state is OutcomeState.FAILED
    assert "BAD_NAME" in outcome.output
    assert world.supervisor.orders == []


@pytest.mark.parametrize("written", [{"restart": WRITER}, {"stop": WRITER}, {"scale": "api-worker", "to": 4}])
def test_without_a_permit_nothing_is_ordered(world: World, written: dict[str, Any]) -> None:
    assert world.perform(FakePermit(grants=False), **written).state is OutcomeState.NOT_DONE
    assert world.supervisor.orders == []


def test_a_permit_withdrawn_after_the_stop_does_not_leave_it_stopped(world: World) -> None:
    permit = FakePermit()

    def withdraw() -> None:
        permit.grants = permit.asked == 1

    permit.on_ask = withdraw
    assert world.perform(permit, restart=WRITER).state is OutcomeState.DONE
    assert world.writer.state == "RUNNING"


@pytest.mark.parametrize(
    ("method", "error", "state", "why"),
    [
        ("getProcessInfo", Unreachable("refused"), OutcomeState.FAILED, "nothing was asked of it"),
        ("getProcessInfo", Ambiguous("timed out"), OutcomeState.FAILED, "a question changes nothing"),
        ("stopProcess", Ambiguous("timed out"), OutcomeState.UNKNOWN, "it may have been stopped"),
        ("startProcess", Ambiguous("timed out"), OutcomeState.UNKNOWN, "it may have been started"),
        ("startProcess", Unreachable("gone"), OutcomeState.FAILED, "it is known to be stopped"),
    ],
)
def test_a_manager_that_does_not_answer_leaves_open_only_what_is_open(
    world: World, method: str, error: PortError, state: OutcomeState, why: str
) -> None:
    world.supervisor.raises[method] = error
    assert world.perform(restart=WRITER).state is state, why


def test_start_and_stop_of_what_is_so_already_change_nothing(world: World) -> None:
    assert world.perform(start=WRITER).state is OutcomeState.DONE
    assert world.perform(stop="api-worker:api-worker-2").state is OutcomeState.DONE
    assert world.supervisor.orders == []


@pytest.mark.parametrize(
    ("to", "orders", "why"),
    [
        (
            4,
            [("startProcess", "api-worker:api-worker-2"), ("startProcess", "api-worker:api-worker-10")],
            "by number",
        ),
        (3, [("startProcess", "api-worker:api-worker-2")], "only as many as asked"),
        (2, [], "as many already"),
        (1, [("stopProcess", "api-worker:api-worker-1")], "the highest go first"),
        ("{{ facts.health.body.workers + 1 }}", [("startProcess", "api-worker:api-worker-2")], "calculated"),
    ],
)
def test_scaling_starts_and_stops_members(world: World, to: Any, orders: list[Any], why: str) -> None:
    assert world.perform(scale="api-worker", to=to, max=4).state is OutcomeState.DONE
    assert world.supervisor.orders == orders, why


def test_a_pause_stops_a_scaling_between_two_members(world: World) -> None:
    permit = FakePermit()

    def pause() -> None:
        permit.grants = permit.asked == 1

    permit.on_ask = pause
    outcome = world.perform(permit, scale="api-worker", to=4)
    assert outcome.state is OutcomeState.UNKNOWN
    assert world.supervisor.orders == [("startProcess", "api-worker:api-worker-2")]


def test_scaling_never_goes_over_its_maximum(world: World) -> None:
    assert rendered(scale="api-worker", to="{{ facts.health.body.workers * 100 }}", max=4)["to"] == 4


def test_asking_for_more_than_there_are_is_a_failure_that_says_so(world: World) -> None:
    outcome = world.perform(scale="api-worker", to=9)
    assert outcome.state is OutcomeState.FAILED
    assert "4 of 4 run" in outcome.effect


def test_scaling_a_group_that_is_not_there_is_a_failure(world: World) -> None:
    assert world.perform(scale="no-such-group", to=2).state is OutcomeState.FAILED


def test_a_member_that_will_not_start_is_a_failure(world: World) -> None:
    world.workers[1].wont_start = True
    assert world.perform(scale="api-worker", to=4).state is OutcomeState.FAILED


def test_a_manager_nobody_configured_is_a_failure(world: World) -> None:
    assert world.perform(managers={}, restart=WRITER).state is OutcomeState.FAILED


def test_a_password_is_sent_and_stands_in_nothing_that_is_kept(world: World) -> None:
    spec = SupervisorSpec.model_validate(
        {"type": "supervisor", "url": "http://127.0.0.1:9001", "username": "u", "password": {"env": "SUP"}},
        context=Environment({"SUP": "canary-password"}).context,
    )
    world.supervisor.serve(world.http, "http://127.0.0.1:9001/RPC2")
    outcome = world.perform(managers={"pipeline": spec}, restart=WRITER)
    assert outcome.state is OutcomeState.DONE
    assert world.http.requests[0].basic_auth == ("u", "canary-password")
    assert "canary" not in str(outcome) + str(rendered(restart=WRITER)) + repr(spec)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>not rpc</html>", id="a page"),
        pytest.param("", id="nothing"),
        pytest.param("<methodResponse><params/></methodResponse>", id="no value"),
        pytest.param(
            "<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>",
            id="a number for a process",
        ),
        pytest.param('<!DOCTYPE x [<!ENTITY a "b">]><methodResponse>&a;', id="an entity"),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_crash(world: World, body: str) -> None:
    world.http.on("POST", SOCKET, answer(200, body))
    assert world.perform(restart=WRITER).state is OutcomeState.FAILED


def test_a_refused_login_is_a_failure(world: World) -> None:
    world.http.on("POST", SOCKET, answer(401))
    assert world.perform(restart=WRITER).state is OutcomeState.FAILED


@pytest.mark.parametrize("tier", ["hot other", "*", "../hot", "-all", ""])
def test_a_label_cannot_become_another_unit(tier: str) -> None:
    args = ServiceArgs.model_validate({"manager": "pipeline", "restart": WRITER})
    with pytest.raises(HostileLabel):
        made().render(args, {"scope": {"tier": tier}})


@pytest.mark.parametrize("to", ["{{ facts.health.body.workers / 2 }}", "many", "{{ 0 - 3 }}", "{{ 99999 }}"])
def test_a_calculated_number_has_to_be_one(to: str) -> None:
    with pytest.raises(Unrenderable):
        rendered(scale="api-worker", to=to, max=4)


def test_an_empty_unit_is_an_error_and_never_everything() -> None:
    with pytest.raises(ActionError):
        rendered(restart="{{ '' }}")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({}, id="nothing to do"),
        pytest.param({"restart": "a", "stop": "a"}, id="two things"),
        pytest.param({"scale": "a"}, id="to how many"),
        pytest.param({"restart": "a", "to": 2}, id="a number for nothing"),
        pytest.param({"scale": "a", "to": "{{ facts.n }}"}, id="calculated and unbounded"),
        pytest.param({"scale": "a", "to": -1}, id="fewer than none"),
    ],
)
def test_arguments_that_cannot_work_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServiceArgs.model_validate({"manager": "pipeline", **written})


def test_the_target_is_the_unit_at_its_manager() -> None:
    action = made()
    restart = rendered(restart=WRITER)
    assert action.targets(restart, WHOLE) == {"pipeline/storage-writer-hot"}
    assert action.disruptive(restart)
    assert not action.idempotent(restart)
    assert action.idempotent(rendered(start=WRITER))
