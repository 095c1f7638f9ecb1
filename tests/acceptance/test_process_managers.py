"""The shipped pack over Docker and Kubernetes: the manager's word corroborates, and its new process is what mends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from remediations.outcome import OutcomeState
from tests.fakes.docker import Container, FakeDocker
from tests.fakes.kubernetes import FakeKubernetes, Workload
from tests.fakes.rest import behind
from tests.fakes.story import BASE, HOUR, MINUTE, Story
from tests.fakes.world import UNITS, World

MODE = "ingestion_stopped"
CONSUMER = "ingestion-navixy"
ONE_WITNESS = """
detectors:
  consumer-down: {corroborate: {any: [{manager: pipeline, unit: "ingestion-{{ scope.provider }}", is: down}]}}
"""
CLUSTER = "https://kubernetes.default.svc"
ENGINE = "unix:///var/run/docker.sock"
MANAGERS = {
    "docker": f'{{type: docker, url: "{ENGINE}"}}',
    "kubernetes": f"{{type: kubernetes, namespace: pipeline, url: {CLUSTER}, token: {{env: HOOK}}}}",
}


@dataclass
class Pods(Workload):
    """A deployment whose program runs in the story's world: it falls over there, and a new pod brings it back."""

    world: World | None = None
    stays_down: bool = False
    claims: bool = False
    """It says that it runs, whatever is true."""

    def step(self) -> None:
        assert self.world is not None
        up = self.claims or self.world.running(self.name)
        for pod in self.pods:
            pod.ready = pod.ready and up
        before = {pod.uid for pod in self.pods}
        super().step()
        if not up and not self.stays_down and any(pod.uid not in before for pod in self.staying):
            self.world.start(self.name)


@dataclass
class InWorld(Container):
    """A container whose program runs in the story's world."""

    world: World | None = None
    stays_down: bool = False
    broken: frozenset[str] = frozenset()
    claims: bool = False
    """It says that it runs, whatever is true."""

    def start(self) -> None:
        assert self.world is not None
        super().start()
        if not self.stays_down:
            self.world.kill(self.name)
            self.world.start(self.name)

    def told(self) -> dict[str, Any]:
        assert self.world is not None
        self.status = "running" if self.claims or self.world.running(self.name) else "exited"
        return super().told()


def on_docker(world: World) -> FakeDocker:
    docker = FakeDocker()
    docker.containers = {unit: InWorld(unit, world=world) for unit in UNITS}
    behind(world.http, ENGINE, docker)
    return docker


def on_kubernetes(world: World) -> FakeKubernetes:
    cluster = FakeKubernetes()
    cluster.workloads = {
        ("deployments", unit): Pods("deployments", unit, replicas=1, world=world) for unit in UNITS
    }
    behind(world.http, CLUSTER, cluster)
    return cluster


PLACES: dict[str, Callable[[World], FakeDocker | FakeKubernetes]] = {
    "docker": on_docker,
    "kubernetes": on_kubernetes,
}


def story_on(place: str) -> tuple[Story, FakeDocker | FakeKubernetes]:
    base = BASE.replace('{type: supervisor, url: "unix:///run/supervisor.sock"}', MANAGERS[place])
    assert base != BASE
    story = Story(ONE_WITNESS, base=base, only=("consumer-down",))
    return story, PLACES[place](story.world)


def parts(fake: FakeDocker | FakeKubernetes) -> list[Any]:
    """What runs there."""
    return [*(fake.containers if isinstance(fake, FakeDocker) else fake.workloads).values()]


@pytest.mark.parametrize("place", PLACES)
def test_a_consumer_that_fell_over_is_restarted_through_its_manager(place: str) -> None:
    story, fake = story_on(place)
    story.world.kill(CONSUMER)
    story.until(HOUR, lambda: bool(story.incidents(MODE)) and story.incidents(MODE)[0].ended)
    incident = story.incident(MODE)
    assert incident.resolved_by == "restart-consumers", story.told()
    (attempt,) = story.attempts(incident)
    assert attempt.outcome == OutcomeState.DONE, story.told()
    assert len(fake.orders) == 1
    assert CONSUMER in fake.orders[0]
    assert story.pages(incident) == []


def test_a_consumer_that_its_manager_sees_running_is_not_touched_and_people_are_paged() -> None:
    """Its metrics are gone, and the one witness says that it runs: nothing proves a failure."""
    story, fake = story_on("kubernetes")
    for part in parts(fake):
        part.claims = True
    story.world.kill(CONSUMER)
    story.until(HOUR, lambda: bool(story.all_paged()))
    assert fake.orders == [], story.told()


@pytest.mark.parametrize("place", PLACES)
def test_a_restart_after_which_nothing_runs_is_a_failure_and_pages(place: str) -> None:
    story, fake = story_on(place)
    for part in parts(fake):
        part.stays_down = True
        part.broken = frozenset({"ingestion:v1"})
    story.world.kill(CONSUMER)
    story.until(HOUR, lambda: bool(story.all_paged()))
    incident = story.incident(MODE)
    outcomes = {attempt.outcome for attempt in story.attempts(incident)}
    assert OutcomeState.DONE not in outcomes, story.told()
    assert outcomes, story.told()
    assert story.now - incident.detected_at <= 20 * MINUTE
