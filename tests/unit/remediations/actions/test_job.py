"""Jobs of AWX and Rundeck: launched once, followed to the end, failed early is failed and unknown stays unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from config.scope import WHOLE, scope_of
from config.secrets import Environment
from daemon.clock import SystemClock
from daemon.http.door import HttpDoor
from remediations.actions.action import Unrenderable
from remediations.actions.job import JobAction, JobArgs
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, Ports, Unreachable
from tests.fakes.awx import FakeAwx, Template
from tests.fakes.ports import FakePermit, FakePorts, answer
from tests.fakes.rest import behind, listening
from tests.fakes.rundeck import FakeRundeck

TOKEN = "canary-token-0815"
ENVIRONMENT = Environment({"TOKEN": TOKEN})
AWX, RUNDECK = "https://awx.example.org", "https://rundeck.example.org"
ON_AWX: dict[str, Any] = {
    "url": AWX,
    "token": {"env": "TOKEN"},
    "template": 7,
    "extra_vars": {"tier": "{{ scope.tier }}", "hosts": ["a", "b"], "force": False},
}
ON_RUNDECK: dict[str, Any] = {
    "url": RUNDECK,
    "token": {"env": "TOKEN"},
    "job": "j-1",
    "options": {"tier": "{{ scope.tier }}"},
}


@pytest.fixture
def world() -> FakePorts:
    return FakePorts()


@pytest.fixture
def awx(world: FakePorts) -> FakeAwx:
    fake = FakeAwx(TOKEN)
    behind(world.http, AWX, fake)
    return fake


@pytest.fixture
def rundeck(world: FakePorts) -> FakeRundeck:
    fake = FakeRundeck(TOKEN)
    behind(world.http, RUNDECK, fake)
    return fake


def render(written: dict[str, Any]) -> dict[str, Any]:
    args = JobArgs.model_validate(written, context=ENVIRONMENT.context)
    return JobAction(ENVIRONMENT.take).render(args, {"scope": {"tier": "hot"}})


def run(world: FakePorts, written: dict[str, Any], permit: FakePermit | None = None) -> Any:
    rendered = json.loads(json.dumps(render(written)))
    assert "canary" not in json.dumps(rendered)
    return JobAction(ENVIRONMENT.take, world.clock.advance).perform(
        rendered,
        world.ports,
        deadline=world.clock.monotonic() + 3_600,
        permit=permit or FakePermit(),
        key="sf-1/1/restart/do/1",
    )


# ---------------------------------------------------------------------- AWX


def test_an_awx_job_gets_its_variables_and_is_followed_to_its_end(world: FakePorts, awx: FakeAwx) -> None:
    began = world.clock.now()
    outcome = run(world, {"awx": ON_AWX})
    assert outcome.state is OutcomeState.DONE, outcome
    assert awx.jobs == {41: {"tier": "hot", "hosts": ["a", "b"], "force": False}}
    assert outcome.ended_at == began + 10.0, "two intervals of five seconds; verification counts from here"
    assert world.http.sent("POST")[0].headers["Idempotency-Key"] == "sf-1/1/restart/do/1"


def test_a_template_may_be_named(world: FakePorts, awx: FakeAwx) -> None:
    awx.templates = (Template(9, "restart the writer++Field Ops"),)
    named = {**ON_AWX, "template": "restart the writer++Field Ops"}
    assert run(world, {"awx": named}).state is OutcomeState.DONE
    assert len(awx.jobs) == 1


@pytest.mark.parametrize("ends", ["failed", "error", "canceled"])
def test_an_awx_job_that_fails_is_failed_as_soon_as_it_says_so(
    world: FakePorts, awx: FakeAwx, ends: str
) -> None:
    awx.ends, awx.steps = ends, 1
    began = world.clock.now()
    outcome = run(world, {"awx": ON_AWX})
    assert (outcome.state, outcome.ended_at) == (OutcomeState.FAILED, began + 5.0)


def test_a_job_that_ran_without_its_variables_did_not_do_what_was_asked(
    world: FakePorts, awx: FakeAwx
) -> None:
    awx.templates = (Template(7, "restart-writer", asks=False),)
    outcome = run(world, {"awx": ON_AWX})
    assert outcome.state is OutcomeState.FAILED
    assert "does not ask for them" in outcome.effect
    without = {name: value for name, value in ON_AWX.items() if name != "extra_vars"}
    assert run(world, {"awx": without}).state is OutcomeState.DONE, "nothing was given, nothing ignored"


@pytest.mark.parametrize(
    ("template", "token", "says"),
    [
        (Template(8, "another"), TOKEN, "404"),
        (Template(7, "x", launchable=False), TOKEN, "405"),
        (Template(7, "x", needs=("region",)), TOKEN, "'region' value missing"),
        (Template(7, "x"), "another", "401"),
    ],
    ids=["no such template", "not to be launched", "a variable is missing", "a wrong token"],
)
def test_what_awx_does_not_launch_is_failed_with_its_words(
    world: FakePorts, awx: FakeAwx, template: Template, token: str, says: str
) -> None:
    awx.templates, awx.token = (template,), token
    outcome = run(world, {"awx": ON_AWX})
    assert outcome.state is OutcomeState.FAILED
    assert says in outcome.effect + outcome.output
    assert awx.jobs == {}


# ---------------------------------------------------------------------- Rundeck


def test_a_rundeck_job_gets_its_options_and_is_followed_to_its_end(
    world: FakePorts, rundeck: FakeRundeck
) -> None:
    rundeck.requires = ("tier",)
    options = {"tier": "{{ scope.tier }}", "count": 3, "force": True}
    outcome = run(world, {"rundeck": {**ON_RUNDECK, "options": options}})
    assert outcome.state is OutcomeState.DONE, outcome
    assert rundeck.executions == {301: {"tier": "hot", "count": "3", "force": "true"}}, "options are texts"


@pytest.mark.parametrize(
    ("ends", "state", "why"),
    [
        (["failed"], OutcomeState.FAILED, "it failed"),
        (["aborted"], OutcomeState.FAILED, "somebody stopped it"),
        (["timedout"], OutcomeState.FAILED, "it took too long over there"),
        (["other"], OutcomeState.UNKNOWN, "a status of its own means nothing here"),
        (["failed-with-retry", "succeeded"], OutcomeState.DONE, "its retry did it"),
        (["failed-with-retry", "failed-with-retry", "failed"], OutcomeState.FAILED, "and so did the retries"),
    ],
)
def test_how_an_execution_ends_is_how_the_action_ends(
    world: FakePorts, rundeck: FakeRundeck, ends: list[str], state: OutcomeState, why: str
) -> None:
    rundeck.ends = list(ends)
    assert run(world, {"rundeck": ON_RUNDECK}).state is state, why
    assert len(rundeck.executions) == len(ends), why
    assert len(world.http.sent("POST")) == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"job": "j-2"}, "404"), ({"api": 47}, "api-version"), ({"options": {}}, "options-invalid")],
    ids=["no such job", "an API it does not know", "an option is missing"],
)
def test_what_rundeck_does_not_run_is_failed_with_its_words(
    world: FakePorts, rundeck: FakeRundeck, changed: dict[str, Any], says: str
) -> None:
    rundeck.requires = ("tier",)
    outcome = run(world, {"rundeck": {**ON_RUNDECK, **changed}})
    assert outcome.state is OutcomeState.FAILED
    assert says in outcome.effect + outcome.output
    assert rundeck.executions == {}


# ---------------------------------------------------------------------- both


def test_a_job_that_is_not_seen_to_end_is_unknown_and_is_not_launched_again(
    world: FakePorts, awx: FakeAwx
) -> None:
    awx.steps = 1_000
    began = world.clock.now()
    outcome = run(world, {"awx": ON_AWX, "within": "1m"})
    assert (outcome.state, outcome.ended_at) == (OutcomeState.UNKNOWN, began + 60.0)
    assert len(awx.jobs) == 1


def test_a_runner_that_is_away_for_a_while_is_asked_again(world: FakePorts, awx: FakeAwx) -> None:
    jobs = world.http.routes["GET", AWX][0]
    world.http.on("GET", AWX, Unreachable("restarting"), answer(502), Ambiguous("lost"), jobs)
    assert run(world, {"awx": ON_AWX}).state is OutcomeState.DONE


@pytest.mark.parametrize(
    ("launched", "state", "why"),
    [
        (Unreachable("refused"), OutcomeState.FAILED, "nothing was launched"),
        (Ambiguous("timed out"), OutcomeState.UNKNOWN, "it may have been launched"),
        (answer(201, '{"job": "../../me"}'), OutcomeState.UNKNOWN, "an answer does not choose whom to ask"),
        (answer(201, "<html>"), OutcomeState.UNKNOWN, "launched, and nobody knows which"),
    ],
)
def test_what_became_of_the_launch_is_not_guessed(
    world: FakePorts, launched: Any, state: OutcomeState, why: str
) -> None:
    world.http.on("POST", AWX, launched).on("GET", "https://", answer(200, '{"status": "successful"}'))
    assert run(world, {"awx": ON_AWX}).state is state, why
    assert world.http.sent("GET") == []


@pytest.mark.parametrize("kind", ["awx", "rundeck"])
def test_both_are_spoken_to_through_the_real_door(kind: str) -> None:
    fake: Any = FakeAwx(TOKEN, steps=1) if kind == "awx" else FakeRundeck(TOKEN)
    inner, clock = FakePorts().ports, SystemClock()
    with listening(fake) as url:
        written = {kind: {**(ON_AWX if kind == "awx" else ON_RUNDECK), "url": url}, "every": "100ms"}
        ports = Ports(HttpDoor(clock), inner.processes, inner.files, inner.databases, clock)
        outcome = JobAction(ENVIRONMENT.take).perform(
            render(written), ports, deadline=clock.monotonic() + 20, permit=FakePermit(), key="k"
        )
    assert outcome.state is OutcomeState.DONE, outcome


# ---------------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    ("written", "place"),
    [
        pytest.param({}, (), id="no runner"),
        pytest.param({"awx": ON_AWX, "rundeck": ON_RUNDECK}, (), id="two runners"),
        pytest.param({"awx": {**ON_AWX, "token": "abc"}}, ("awx", "token"), id="a secret in plain"),
        pytest.param({"awx": {**ON_AWX, "url": "awx"}}, ("awx", "url"), id="no scheme"),
        pytest.param({"rundeck": {**ON_RUNDECK, "api": 17}}, ("rundeck", "api"), id="before options in JSON"),
        pytest.param({"awx": ON_AWX, "within": "2h"}, ("within",), id="more than an hour"),
        pytest.param({"awx": ON_AWX, "every": "0s"}, ("every",), id="a busy wait"),
        pytest.param({"awx": {**ON_AWX, "inventory": 3}}, ("awx", "inventory"), id="a key there is not"),
    ],
)
def test_what_cannot_work_is_refused_at_its_place(written: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        JobArgs.model_validate(written, context=ENVIRONMENT.context)
    assert caught.value.errors()[0]["loc"][: len(place)] == place


def test_what_renders_to_no_id_of_a_job_is_unrenderable() -> None:
    with pytest.raises(Unrenderable):
        render({"rundeck": {**ON_RUNDECK, "job": "a/b"}})


def test_the_target_is_the_scope_and_for_the_whole_pipeline_the_runner() -> None:
    action, rendered = JobAction(ENVIRONMENT.take), render({"awx": ON_AWX})
    assert action.targets(rendered, scope_of({"tier": "hot"})) == {"tier=hot"}
    assert action.targets(rendered, WHOLE) == {"awx.example.org"}
    assert (action.disruptive(rendered), action.idempotent(rendered)) == (True, False)
    assert action.disruptive(render({"awx": ON_AWX, "disruptive": False})) is False
