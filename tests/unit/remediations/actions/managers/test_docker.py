"""Docker: the calls, and what its answers mean. The promises of every manager are in `tests/contract`."""

from __future__ import annotations

from typing import Any

import pytest

from config.problems import Wrong
from remediations.actions.managers.docker import named
from remediations.actions.managers.manager import Standing
from remediations.actions.managers.swarm import KEPT
from remediations.outcome import OutcomeState
from remediations.spec_managers import DockerSpec
from tests.fakes.managers import DOCKER_SOCKET, OfDocker, OfSwarm
from tests.fakes.ports import FakePermit, answer
from tests.fakes.rest import Said


def test_the_version_that_the_engine_speaks_is_spoken() -> None:
    """An Engine refuses newer versions of its API than its own."""
    bench = OfDocker()
    bench.docker.api = "1.44"
    assert bench.perform(restart="writer").state is OutcomeState.DONE
    assert {sent.path.split("/")[1] for sent in bench.http.requests} == {"_ping", "v1.44"}


def test_the_time_to_stop_is_said_in_whole_seconds_and_only_where_it_is_set() -> None:
    bench = OfDocker()
    bench.perform(restart="writer")
    bench.spec = DockerSpec.model_validate({"type": "docker", "stop_timeout": "2.5s"})
    bench.perform(stop="writer")
    assert bench.orders == ["restart writer", "stop writer t=3"]


@pytest.mark.parametrize(
    ("status", "health", "standing", "idle"),
    [
        ("running", (), Standing.RUNNING, False),
        ("running", ("healthy",), Standing.RUNNING, False),
        ("running", ("unhealthy",), Standing.RUNNING, False),
        ("running", ("starting",), Standing.BETWEEN, False),
        ("restarting", (), Standing.DOWN, False),
        ("paused", (), Standing.DOWN, False),
        ("exited", (), Standing.DOWN, True),
        ("created", (), Standing.DOWN, True),
        ("dead", (), Standing.DOWN, True),
    ],
)
def test_its_states_are_understood(
    status: str, health: tuple[str, ...], standing: Standing, *, idle: bool
) -> None:
    bench = OfDocker()
    bench.writer.status, bench.writer.health = status, health
    state = bench.manager().state("writer", deadline=bench.clock.monotonic() + 5)
    assert (state.standing, state.idle) == (standing, idle)


def test_a_health_check_is_waited_for() -> None:
    bench = OfDocker()
    bench.writer.health = ("starting", "starting", "healthy")
    started = bench.clock.monotonic()
    assert bench.perform(restart="writer").state is OutcomeState.DONE
    assert bench.clock.monotonic() - started >= 2


@pytest.mark.parametrize(
    ("said", "state", "told"),
    [
        (
            Said(500, {"message": "port is already allocated"}),
            OutcomeState.FAILED,
            "port is already allocated",
        ),
        (Said(403, b"<h1>403 Forbidden</h1>"), OutcomeState.FAILED, "403"),
        (Said(504, b"gateway time-out"), OutcomeState.UNKNOWN, "504"),
    ],
)
def test_what_refuses_an_order_is_told_apart_from_what_loses_it(
    said: Said, state: OutcomeState, told: str
) -> None:
    bench = OfDocker()
    bench.docker.errors["restart"] = said
    outcome = bench.perform(restart="writer")
    assert outcome.state is state
    assert told in outcome.output
    assert "nothing was changed" not in outcome.effect


def test_an_answer_that_is_no_json_is_no_crash() -> None:
    bench = OfDocker()
    bench.http.on("GET", f"{DOCKER_SOCKET}/v1.47/containers/", answer(200, "<html>"))
    assert bench.perform(restart="writer").state is OutcomeState.FAILED


@pytest.mark.parametrize(
    ("operation", "unit", "why"),
    [
        ("scale", "writer", "a container has no number"),
        ("undo", "writer", "nor a version before"),
        ("stop", "service/writer", "a service is scaled to 0 instead"),
        ("restart", "service/", "no name"),
        ("restart", "node/x", "no such kind"),
    ],
)
def test_what_docker_cannot_do_is_refused(operation: str, unit: str, why: str) -> None:
    with pytest.raises(Wrong):
        named(operation, unit)
    assert why


def rolled_out(bench: OfSwarm, image: str) -> None:
    """Somebody's rollout, seen to its end."""
    template = {"ContainerSpec": {"Image": image}, "ForceUpdate": 0}
    bench.writer.change({**bench.writer.spec, "TaskTemplate": template}, back=False)
    for _ in range(4):
        bench.writer.look()


def images(bench: OfSwarm) -> set[str]:
    return {task["Spec"]["ContainerSpec"]["Image"] for task in bench.writer.tasks}


class TestSwarm:
    """The services of a swarm."""

    def test_a_restart_replaces_every_task_and_leaves_the_rest_of_the_specification(self) -> None:
        bench = OfSwarm()
        before = dict(bench.writer.spec)
        old = {task["ID"] for task in bench.writer.tasks}
        assert bench.perform(restart="service/writer").state is OutcomeState.DONE
        assert old.isdisjoint(task["ID"] for task in bench.writer.tasks)
        assert bench.writer.spec["TaskTemplate"]["ForceUpdate"] == 1
        assert {**bench.writer.spec, "TaskTemplate": None} == {**before, "TaskTemplate": None}

    @pytest.mark.parametrize("to", [4, 1, 0])
    def test_scaling_is_done_once_so_many_tasks_run(self, to: int) -> None:
        bench = OfSwarm()
        outcome = bench.perform(scale="service/writer", to=to)
        assert outcome.state is OutcomeState.DONE, outcome
        assert len(bench.writer.tasks) == to
        assert f"{to} of {to}" in outcome.effect

    def test_tasks_that_never_run_leave_a_scaling_open(self) -> None:
        bench = OfSwarm()
        bench.writer.stuck = True
        assert bench.perform(scale="service/writer", to=4, seconds=20).state is OutcomeState.UNKNOWN

    def test_a_service_on_every_node_has_no_number(self) -> None:
        bench = OfSwarm()
        bench.docker.add_service("agent", replicas=None)
        outcome = bench.perform(scale="service/agent", to=4)
        assert outcome.state is OutcomeState.FAILED
        assert bench.orders == []

    def test_somebody_elses_change_in_between_is_not_overwritten(self) -> None:
        bench = OfSwarm()

        def somebody() -> None:
            bench.writer.version += 1

        outcome = bench.perform(FakePermit(on_ask=somebody), scale="service/writer", to=4)
        assert outcome.state is OutcomeState.FAILED
        assert "out of sequence" in outcome.output
        assert bench.writer.wanted == 2

    def test_undo_goes_back_to_the_specification_before(self) -> None:
        bench = OfSwarm()
        new = {
            **bench.writer.spec,
            "TaskTemplate": {"ContainerSpec": {"Image": "ingestion:v2"}, "ForceUpdate": 0},
        }
        bench.writer.change(new, back=False)
        bench.writer.look()
        outcome = bench.perform(undo="service/writer")
        assert outcome.state is OutcomeState.DONE, outcome
        assert {task["Spec"]["ContainerSpec"]["Image"] for task in bench.writer.tasks} == {"ingestion:v1"}

    @pytest.mark.parametrize("written", [{"restart": "service/writer"}, {"scale": "service/writer", "to": 3}])
    def test_a_restart_or_a_scaling_is_no_rollout_to_undo(self, written: dict[str, Any]) -> None:
        """A swarm keeps one specification before; after these it runs the same."""
        bench = OfSwarm()
        assert bench.perform(**written).state is OutcomeState.DONE
        assert bench.perform(undo="service/writer").state is OutcomeState.FAILED
        assert bench.orders == ["update writer"]

    def test_a_restart_and_a_scaling_after_a_rollout_leave_a_way_back_past_it(self) -> None:
        bench = OfSwarm()
        rolled_out(bench, "ingestion:v2")
        assert bench.perform(restart="service/writer").state is OutcomeState.DONE
        assert bench.perform(scale="service/writer", to=3).state is OutcomeState.DONE
        outcome = bench.perform(undo="service/writer")
        assert outcome.state is OutcomeState.DONE, outcome
        assert images(bench) == {"ingestion:v1"}
        assert len(bench.writer.tasks) == 3, "what was scaled stays so"
        assert KEPT not in bench.writer.spec.get("Labels", {})

    def test_what_was_kept_of_another_rollout_is_no_way_back(self) -> None:
        bench = OfSwarm()
        rolled_out(bench, "ingestion:v2")
        assert bench.perform(restart="service/writer").state is OutcomeState.DONE
        rolled_out(bench, "ingestion:v3")
        bench.writer.change({**bench.writer.spec}, back=False)  # somebody's update that runs the same
        assert bench.perform(undo="service/writer").state is OutcomeState.FAILED
        assert images(bench) == {"ingestion:v3"}

    @pytest.mark.parametrize("label", ["{", "null", "[]", '{"of": 1}', '{"template": 2}'])
    def test_a_label_that_makes_no_sense_is_no_way_back(self, label: str) -> None:
        bench = OfSwarm()
        bench.writer.spec["Labels"] = {KEPT: label}
        assert bench.perform(undo="service/writer").state is OutcomeState.FAILED
        assert bench.orders == []

    def test_without_a_specification_before_there_is_no_way_back(self) -> None:
        bench = OfSwarm()
        assert bench.perform(undo="service/writer").state is OutcomeState.FAILED
        assert bench.orders == []

    def test_an_engine_that_is_in_no_swarm_says_so(self) -> None:
        bench = OfSwarm()
        bench.docker.swarm = False
        outcome = bench.perform(restart="service/writer")
        assert outcome.state is OutcomeState.FAILED
        assert "not a swarm manager" in outcome.output
