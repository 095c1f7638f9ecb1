from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from config.scope import WHOLE, scope_of
from config.secrets import Environment
from remediations.actions.action import HostileLabel, Unrenderable
from remediations.actions.answers import accepted
from remediations.actions.http import HttpAction, HttpArgs
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, PortError, Request, Response, TooLarge, Unreachable
from tests.fakes.ports import FakePermit, FakePorts, answer

HOT = {"scope": {"tier": "hot"}, "facts": {}, "vars": {}}
URL = "http://storage-admin:8080/tiers/hot/failover"
ENVIRONMENT = Environment({"TOKEN": "Bearer canary-token"})


@pytest.fixture
def world() -> FakePorts:
    return FakePorts()


def action(world: FakePorts | None = None) -> HttpAction:
    return HttpAction(ENVIRONMENT.take, None if world is None else world.clock.advance)


def rendered(**more: Any) -> dict[str, Any]:
    written = {"url": "http://storage-admin:8080/tiers/{{ scope.tier }}/failover", **more}
    args = HttpArgs.model_validate(written, context=ENVIRONMENT.context)
    return action().render(args, HOT)


def perform(world: FakePorts, permit: FakePermit | None = None, **more: Any) -> Any:
    return action(world).perform(
        rendered(**more),
        world.ports,
        deadline=world.clock.monotonic() + 120,
        permit=permit or FakePermit(),
        key="sf-4k7q2m/1/fail-over/do",
    )


def test_the_call_goes_out_once_with_its_key_and_its_data(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(200, '{"ok": true}'))
    outcome = perform(world, json={"tier": "{{ scope.tier }}", "factor": 0.25})
    (request,) = world.http.requests
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers["Idempotency-Key"] == "sf-4k7q2m/1/fail-over/do"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or b"") == {"tier": "hot", "factor": 0.25}
    assert (outcome.state, outcome.output) == (OutcomeState.DONE, '200 {"ok": true}')
    assert outcome.ended_at == world.clock.now()


def test_without_data_there_is_no_body(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(200))
    perform(world)
    assert world.http.requests[0].body is None


@pytest.mark.parametrize(
    ("method", "happens", "state", "why"),
    [
        ("POST", Unreachable("refused"), OutcomeState.FAILED, "nothing was sent"),
        ("POST", Ambiguous("timed out"), OutcomeState.UNKNOWN, "it may have taken effect"),
        ("POST", TooLarge("too large"), OutcomeState.UNKNOWN, "it was taken, what it said is not known"),
        ("GET", Ambiguous("timed out"), OutcomeState.FAILED, "a question changes nothing"),
        ("POST", answer(500, "boom"), OutcomeState.FAILED, "it said so itself"),
        ("POST", answer(302), OutcomeState.FAILED, "a redirect is not followed"),
        ("POST", answer(409), OutcomeState.FAILED, "not among the expected"),
        ("POST", answer(202), OutcomeState.DONE, "2xx is expected"),
    ],
)
def test_what_happens_becomes_an_outcome(
    world: FakePorts, method: str, happens: Response | PortError, state: OutcomeState, why: str
) -> None:
    world.http.on(method, URL, happens)
    assert perform(world, method=method).state is state, why


def test_without_a_permit_nothing_is_sent(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(200))
    outcome = perform(world, FakePermit(grants=False))
    assert outcome.state is OutcomeState.NOT_DONE
    assert world.http.requests == []


def test_the_permit_is_asked_once_and_last(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(200))
    permit = FakePermit(on_ask=lambda: world.http.on("POST", URL, answer(503)))
    assert perform(world, permit).state is OutcomeState.FAILED
    assert permit.asked == 1


@pytest.mark.parametrize(
    ("expect", "response", "met", "why"),
    [
        ("2xx", answer(204), True, "a class of codes"),
        ("2xx", answer(301), False, "another class"),
        (200, answer(200), True, "a number"),
        ([200, 409], answer(409), True, "one of several"),
        (["2xx", 409], answer(410), False, "none of several"),
        ("status == 200 and body.ok", answer(200, '{"ok": true}'), True, "a condition"),
        ("status == 200 and body.ok", answer(200, '{"ok": false}'), False, "a condition not met"),
        ("status == 200 and body.ok", answer(200, "<html>"), False, "a body that is no JSON"),
        ("body.active == 'replica'", answer(200, "{}"), False, "undecided is not met"),
    ],
)
def test_an_answer_is_expected_or_not(expect: Any, response: Response, met: bool, why: str) -> None:
    assert accepted(expect, response) is met, why


POLL = {"url": "http://storage-admin:8080/tiers/{{ scope.tier }}/health", "until": "body.active == 'replica'"}
HEALTH = "http://storage-admin:8080/tiers/hot/health"


def test_an_accepted_call_is_followed_until_it_has_finished(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202))
    world.http.on(
        "GET",
        HEALTH,
        answer(200, '{"active": "primary"}'),
        Ambiguous("lost"),
        answer(200, '{"active": "replica"}'),
    )
    began = world.clock.now()
    outcome = perform(world, poll=POLL)
    assert outcome.state is OutcomeState.DONE
    assert len(world.http.sent("POST")) == 1
    assert outcome.ended_at == began + 4.0, "two pauses of two seconds; verification counts from here"


def test_one_that_is_not_seen_to_finish_is_unknown(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(202))
    world.http.on("GET", HEALTH, answer(200, '{"active": "primary"}'))
    assert perform(world, poll={**POLL, "within": "10s"}).state is OutcomeState.UNKNOWN
    assert len(world.http.sent("GET")) == 5


def test_a_secret_header_is_sent_and_stands_in_nothing_that_is_kept(world: FakePorts) -> None:
    world.http.on("POST", URL, answer(200))
    headers = {"Authorization": {"env": "TOKEN"}, "X-Tier": "{{ scope.tier }}"}
    outcome = perform(world, headers=headers)
    assert world.http.requests[0].headers["Authorization"] == "Bearer canary-token"
    assert rendered(headers=headers)["headers"] == {"Authorization": {"env": "TOKEN"}, "X-Tier": "hot"}
    assert "canary" not in json.dumps(rendered(headers=headers)) + str(outcome)


@pytest.mark.parametrize(
    "tier", ["../../admin", "hot?x=1", "hot#", "hot/../..", "a@evil:80/", "hot\r\nX: y", "%2e%2e", " hot", ""]
)
def test_a_label_cannot_change_the_address(tier: str) -> None:
    args = HttpArgs.model_validate({"url": "http://storage-admin:8080/tiers/{{ scope.tier }}/failover"})
    with pytest.raises(HostileLabel):
        action().render(args, {"scope": {"tier": tier}})


@pytest.mark.parametrize("base", ["ftp://x", "storage-admin:8080", "http://", "http://[x", "http://a b/"])
def test_what_renders_to_no_http_address_is_unrenderable(base: str) -> None:
    args = HttpArgs.model_validate({"url": "{{ vars.base }}"})
    with pytest.raises(Unrenderable):
        action().render(args, {"scope": {}, "vars": {"base": base}})


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({}, id="no address"),
        pytest.param({"url": "storage-admin/x"}, id="no scheme"),
        pytest.param({"url": "http://x", "method": "FAIL"}, id="no such method"),
        pytest.param({"url": "http://x", "expect": 700}, id="no such status"),
        pytest.param({"url": "http://x", "expect": ["2xx", "fine"]}, id="a list with something else"),
        pytest.param({"url": "http://x", "expect": "status =="}, id="a condition cut off"),
        pytest.param({"url": "http://x/{{ scope. }}"}, id="a template cut off"),
        pytest.param({"url": "http://x", "headers": {"X Y": "z"}}, id="no name of a header"),
        pytest.param(
            {"url": "http://x", "headers": {"A": {"env": "NOT_SET"}}}, id="a secret that is not there"
        ),
        pytest.param({"url": "http://x", "poll": {"url": "http://x"}}, id="a poll that never ends"),
        pytest.param(
            {"url": "http://x", "poll": {"url": "http://x", "until": "1", "every": "0s"}}, id="a busy poll"
        ),
        pytest.param({"url": "http://x", "verify": False}, id="a key there is not"),
    ],
)
def test_arguments_that_cannot_work_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpArgs.model_validate(written, context=ENVIRONMENT.context)


def test_the_target_is_the_scope_and_for_the_whole_pipeline_the_host() -> None:
    assert action().targets(rendered(), scope_of({"tier": "hot"})) == {"tier=hot"}
    assert action().targets(rendered(), WHOLE) == {"storage-admin:8080"}


@pytest.mark.parametrize(
    ("written", "disruptive", "idempotent"),
    [
        ({}, True, False),
        ({"method": "PUT"}, True, True),
        ({"method": "GET"}, False, True),
        ({"disruptive": False}, False, False),
    ],
)
def test_orders_are_disruptive_and_questions_are_not(
    written: dict[str, Any], disruptive: bool, idempotent: bool
) -> None:
    made = rendered(**written)
    assert (action().disruptive(made), action().idempotent(made)) == (disruptive, idempotent)


def test_what_is_rendered_is_plain_json() -> None:
    made = rendered(json={"a": [1]}, expect=[200, "3xx"], poll=POLL)
    assert json.loads(json.dumps(made)) == made


def test_a_request_is_never_built_from_what_the_world_answered(world: FakePorts) -> None:
    def echo(request: Request) -> Response:
        return answer(200, request.url, {"Location": "http://elsewhere/"})

    world.http.on("POST", URL, echo)
    perform(world)
    assert [request.url for request in world.http.requests] == [URL]
