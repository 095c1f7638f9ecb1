"""A call that is only accepted is followed to its end, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from config.secrets import Environment
from remediations.actions.action import HostileLabel, Unrenderable
from remediations.actions.http import HttpAction, HttpArgs
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, Unreachable
from tests.fakes.ports import FakePermit, FakePorts, answer

HOST = "http://storage-admin:8080"
URL = f"{HOST}/archive"
ENVIRONMENT = Environment({"TOKEN": "Bearer canary-token"})
ENDS = {"until": "body.state == 'done'", "failed": "body.state == 'failed'", "every": "5s", "within": "60s"}
BY_ID = {"url": f"{HOST}/jobs/{{id}}", "id": "body.job.id", **ENDS}
BY_LOCATION = {"location": True, **ENDS}
RUNNING, DONE, FAILED = (answer(200, f'{{"state": "{state}"}}') for state in ("running", "done", "failed"))


@pytest.fixture
def world() -> FakePorts:
    return FakePorts()


def perform(
    world: FakePorts,
    poll: dict[str, Any],
    deadline: float = 120,
    names: dict[str, Any] | None = None,
    pause: Callable[[float], object] | None = None,
) -> Any:
    written = {"url": URL, "headers": {"Authorization": {"env": "TOKEN"}}, "poll": poll}
    args = HttpArgs.model_validate(written, context=ENVIRONMENT.context)
    action = HttpAction(ENVIRONMENT.take, pause or world.clock.advance)
    return action.perform(
        action.render(args, {"scope": {}, "vars": {}, **(names or {})}),
        world.ports,
        deadline=world.clock.monotonic() + deadline,
        permit=FakePermit(),
        key="k",
    )


def test_the_job_that_the_answer_names_is_asked_until_it_is_done(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202, '{"job": {"id": 7}}'))
    world.http.on("GET", f"{HOST}/jobs/7", RUNNING, Unreachable("restarting"), DONE)
    began = world.clock.now()
    outcome = perform(world, BY_ID)
    assert outcome.state is OutcomeState.DONE
    assert outcome.ended_at == began + 10.0, "two intervals of five seconds"


@pytest.mark.parametrize(
    "location", ["/jobs/7", f"{HOST}/jobs/7", "jobs/7", "http://STORAGE-ADMIN:8080/jobs/7"]
)
def test_the_location_that_the_answer_names_is_asked(world: FakePorts, location: str) -> None:
    world.http.on("POST", URL, answer(202, headers={"location": location}))
    world.http.on("GET", "http://", DONE)
    assert perform(world, BY_LOCATION).state is OutcomeState.DONE
    assert world.http.requests[-1].url.lower() == f"{HOST}/jobs/7"


def test_a_job_that_says_it_failed_ends_the_wait_at_once(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202, '{"job": {"id": "a-7"}}'))
    world.http.on("GET", f"{HOST}/jobs/a-7", RUNNING, FAILED)
    began = world.clock.now()
    outcome = perform(world, BY_ID)
    assert outcome.state is OutcomeState.FAILED
    assert outcome.ended_at == began + 5.0


@pytest.mark.parametrize(("deadline", "waited"), [(120, 60.0), (20, 20.0)], ids=["within", "the deadline"])
def test_what_goes_on_too_long_is_unknown_and_is_not_asked_any_longer(
    world: FakePorts, deadline: float, waited: float
) -> None:
    world.http.on("POST", URL, answer(202, '{"job": {"id": 7}}'))
    world.http.on("GET", f"{HOST}/jobs/7", RUNNING)
    began = world.clock.now()
    assert perform(world, BY_ID, deadline).state is OutcomeState.UNKNOWN
    assert world.clock.now() == began + waited
    assert len(world.http.sent("POST")) == 1


def test_where_the_clock_stands_still_it_is_asked_as_often_as_would_fit(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202, '{"job": {"id": 7}}'))
    world.http.on("GET", f"{HOST}/jobs/7", RUNNING)
    assert perform(world, BY_ID, pause=lambda _: None).state is OutcomeState.UNKNOWN
    assert len(world.http.sent("GET")) == 1 + 60 / 5


@pytest.mark.parametrize(
    ("poll", "accepted", "why"),
    [
        (BY_LOCATION, answer(202), "no Location"),
        (BY_LOCATION, answer(202, headers={"Location": "http://elsewhere/jobs/7"}), "another host"),
        (BY_LOCATION, answer(202, headers={"Location": "https://storage-admin:8080/x"}), "another scheme"),
        (BY_LOCATION, answer(202, headers={"Location": "http://storage-admin:9/x"}), "another port"),
        (BY_LOCATION, answer(202, headers={"Location": "//elsewhere/x"}), "another host, shorter"),
        (BY_LOCATION, answer(202, headers={"Location": "file:///etc/passwd"}), "no http"),
        (BY_LOCATION, answer(202, headers={"Location": "http://storage-admin:x/"}), "no port"),
        (
            BY_LOCATION,
            answer(202, headers={"Location": "http://elsewhere\\@storage-admin:8080/x"}),
            "a host that another parser reads as elsewhere",
        ),
        (BY_LOCATION, answer(202, headers={"Location": "http://me@storage-admin:8080/x"}), "a user"),
        (BY_LOCATION, answer(202, headers={"Location": "/jobs/7 8"}), "a blank"),
        (BY_ID, answer(202), "no body"),
        (BY_ID, answer(202, '{"job": {}}'), "no id"),
        (BY_ID, answer(202, '{"job": {"id": null}}'), "an empty id"),
        (BY_ID, answer(202, '{"job": {"id": "../admin"}}'), "the way up"),
        (BY_ID, answer(202, '{"job": {"id": "7?force=yes"}}'), "a query"),
        (BY_ID, answer(202, '{"job": {"id": [7]}}'), "a list"),
        (BY_ID, answer(202, '{"job": {"id": true}}'), "a truth"),
    ],
)
def test_an_answer_does_not_choose_whom_to_ask(world: FakePorts, poll: Any, accepted: Any, why: str) -> None:
    world.http.on("POST", URL, accepted)
    world.http.on("GET", "http", DONE)
    outcome = perform(world, poll)
    assert outcome.state is OutcomeState.UNKNOWN, f"{why}: the order was accepted, and its end cannot be seen"
    assert world.http.sent("GET") == []


def test_the_call_s_own_headers_go_along_to_the_host_that_was_called(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202)).on("GET", "http", DONE)
    perform(world, {**ENDS, "url": f"{HOST}/state"})
    assert world.http.requests[-1].headers == {"Authorization": "Bearer canary-token"}


def test_no_other_host_is_shown_the_token_of_the_call(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202)).on("GET", "http", DONE)
    perform(world, {**ENDS, "url": "http://elsewhere/state"})
    assert world.http.requests[-1].headers == {}


def test_a_call_whose_answer_was_lost_is_not_followed(world: FakePorts) -> None:
    world.http.on("POST", URL, Ambiguous("lost")).on("GET", "http", DONE)
    assert perform(world, {**ENDS, "url": f"{HOST}/state"}).state is OutcomeState.UNKNOWN
    assert world.http.sent("GET") == []


def test_a_job_s_id_may_not_become_a_host(world: FakePorts) -> None:
    poll = {**ENDS, "url": "{{ vars.base }}/{id}", "id": "body.id"}
    with pytest.raises(Unrenderable):
        perform(world, poll, names={"vars": {"base": "http://{id}"}})


def test_a_label_cannot_bring_the_place_of_an_id(world: FakePorts) -> None:
    with pytest.raises(HostileLabel):
        perform(world, {**BY_ID, "url": f"{HOST}/{{{{ scope.x }}}}/{{id}}"}, names={"scope": {"x": "{id}"}})


@pytest.mark.parametrize(
    ("poll", "says"),
    [
        (ENDS, "either url or location"),
        ({**BY_ID, "location": True}, "either url or location"),
        ({**BY_ID, "id": None}, "go together"),
        ({**ENDS, "url": f"{HOST}/jobs", "id": "body.id"}, "go together"),
        ({**BY_LOCATION, "id": "body.id"}, "go together"),
        ({**BY_ID, "id": "scope.tier"}, "scope"),
        ({**BY_ID, "url": "http://{id}/jobs"}, "no host"),
        ({**BY_ID, "failed": "body.state ="}, "poll"),
    ],
)
def test_a_poll_that_cannot_work_is_refused_at_its_place(poll: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HttpArgs.model_validate({"url": URL, "poll": poll})
    assert says in str(caught.value)
    assert all(error["loc"][0] == "poll" for error in caught.value.errors())
