"""Telling stakeholders: each way's wire, what becomes of its answers, and that nothing is said twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from config.scope import WHOLE, scope_of
from config.secrets import Environment
from remediations.actions.action import HostileLabel, Unrenderable
from remediations.actions.notify import NotifyAction, NotifyArgs
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, Unreachable
from tests.fakes.ports import FakePermit, FakePorts, answer
from tests.fakes.statuspage import URL, FakeStatuspage

TOKEN = "canary-key-0815"
HOOK_URL = "https://hooks.slack.com/services/T0/B0/canary-hook"
ENVIRONMENT = Environment({"TOKEN": TOKEN, "HOOK": HOOK_URL})
NAMES = {"scope": {"provider": "navixy"}, "incident": {"id": "po-1"}, "vars": {}, "facts": {}}
PAGE: dict[str, Any] = {
    "page": "p1",
    "token": {"env": "TOKEN"},
    "name": "Positions of {{ scope.provider }} are late",
    "text": "We are looking into it.\nNo data is lost.",
}
STATUSPAGE = {"statuspage": PAGE}
WEBHOOK = {"webhook": {"url": "http://crm/told", "headers": {"X-Token": {"env": "TOKEN"}}, "json": {"a": 1}}}
SLACK = {"slack": {"url": {"env": "HOOK"}, "text": "{{ scope.provider }} does not answer."}}


@pytest.fixture
def world() -> FakePorts:
    return FakePorts()


@pytest.fixture
def page(world: FakePorts) -> FakeStatuspage:
    fake = FakeStatuspage(TOKEN)
    for method in ("GET", "POST", "PATCH"):
        world.http.on(method, URL, fake)
    return fake


def render(written: dict[str, Any], names: dict[str, Any] | None = None) -> dict[str, Any]:
    args = NotifyArgs.model_validate(written, context=ENVIRONMENT.context)
    return NotifyAction(ENVIRONMENT.take).render(args, names or NAMES)


def tell(
    world: FakePorts, written: dict[str, Any], permit: FakePermit | None = None, names: Any = None
) -> Any:
    rendered = json.loads(json.dumps(render(written, names)))
    assert "canary" not in json.dumps(rendered)
    return NotifyAction(ENVIRONMENT.take).perform(
        rendered,
        world.ports,
        deadline=world.clock.monotonic() + 60,
        permit=permit or FakePermit(),
        key="po-1/1/tell/do/1",
    )


# ---------------------------------------------------------------------- a status page


def test_an_incident_is_opened_on_the_page(world: FakePorts, page: FakeStatuspage) -> None:
    outcome = tell(world, {"statuspage": {**PAGE, "component": "c1"}})
    assert outcome.state is OutcomeState.DONE, outcome
    assert page.incidents == {
        "inc1": {
            "id": "inc1",
            "name": "Positions of navixy are late",
            "status": "investigating",
            "metadata": {"fleetmend": {"incident": "po-1"}},
        }
    }
    assert page.updates == [("inc1", "investigating", "We are looking into it.\nNo data is lost.")]
    assert page.components == {"c1": "degraded_performance"}
    assert world.http.sent("POST")[0].headers["Idempotency-Key"] == "po-1/1/tell/do/1"


def test_told_again_the_same_incident_of_the_page_is_updated(world: FakePorts, page: FakeStatuspage) -> None:
    tell(world, STATUSPAGE)
    tell(world, {"statuspage": {**PAGE, "status": "identified"}})
    assert [update[:2] for update in page.updates] == [("inc1", "investigating"), ("inc1", "identified")]


def test_a_return_resolves_what_its_rung_opened(world: FakePorts, page: FakeStatuspage) -> None:
    tell(world, {"statuspage": {**PAGE, "component": "c1"}})
    resolved = {"statuspage": {**PAGE, "component": "c1", "status": "resolved"}}
    assert tell(world, resolved).state is OutcomeState.DONE
    assert page.incidents["inc1"]["status"] == "resolved"
    assert page.components == {"c1": "operational"}
    again = tell(world, resolved)
    assert (again.state, len(page.updates)) == (OutcomeState.DONE, 2), "nothing is open: nothing is said"


def test_another_incident_opens_another_one(world: FakePorts, page: FakeStatuspage) -> None:
    tell(world, STATUSPAGE)
    tell(world, STATUSPAGE, names={**NAMES, "incident": {"id": "po-2"}})
    assert sorted(page.incidents) == ["inc1", "inc2"]


def test_a_page_that_cannot_be_read_is_told_nothing(world: FakePorts, page: FakeStatuspage) -> None:
    page.script = [answer(503, "later")]
    assert tell(world, STATUSPAGE).state is OutcomeState.FAILED
    assert page.incidents == {}, "an incident may be open there already"


def test_an_answer_that_got_lost_is_unknown_and_is_found_again(
    world: FakePorts, page: FakeStatuspage
) -> None:
    world.http.on("POST", URL, lambda request: _lost(page, request))
    assert tell(world, STATUSPAGE).state is OutcomeState.UNKNOWN
    world.http.on("POST", URL, page)
    assert tell(world, STATUSPAGE).state is OutcomeState.DONE
    assert len(page.incidents) == 1


def _lost(page: FakeStatuspage, request: Any) -> Any:
    page(request)
    raise Ambiguous("timed out")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"page": "p2"}, "404"),
        ({"component": "c9"}, "not of this page"),
        ({"name": "n" * 300}, ""),
    ],
    ids=["another page", "a component of nobody", "a long name is cut"],
)
def test_what_the_page_refuses_is_a_failure_with_its_words(
    world: FakePorts, page: FakeStatuspage, changed: dict[str, Any], says: str
) -> None:
    outcome = tell(world, {"statuspage": {**PAGE, **changed}})
    assert outcome.state is (OutcomeState.FAILED if says else OutcomeState.DONE)
    assert says in outcome.output + outcome.effect


def test_a_permit_that_is_lost_between_looking_and_telling_tells_nothing(
    world: FakePorts, page: FakeStatuspage
) -> None:
    permit = FakePermit()
    permit.on_ask = lambda: setattr(permit, "grants", permit.asked < 2)
    assert tell(world, STATUSPAGE, permit).state is OutcomeState.NOT_DONE
    assert page.updates == []


# ---------------------------------------------------------------------- webhook and Slack


def test_a_webhook_gets_its_json_its_secret_and_its_key(world: FakePorts) -> None:
    world.http.on("POST", "http://crm/", answer(202))
    assert tell(world, WEBHOOK).state is OutcomeState.DONE
    (request,) = world.http.requests
    assert json.loads(request.body or b"") == {"a": 1}
    assert request.headers == {
        "X-Token": TOKEN,
        "Content-Type": "application/json",
        "Idempotency-Key": "po-1/1/tell/do/1",
    }


@pytest.mark.parametrize(
    ("response", "state", "why"),
    [
        (answer(200, "ok"), OutcomeState.DONE, "what Slack says"),
        (answer(200, "<html>"), OutcomeState.FAILED, "somebody else's page"),
        (answer(403, "invalid_token"), OutcomeState.FAILED, "refused"),
        (answer(404, "channel_not_found"), OutcomeState.FAILED, "no such channel"),
        (Unreachable("refused"), OutcomeState.FAILED, "nothing was sent"),
        (Ambiguous("timed out"), OutcomeState.UNKNOWN, "it may stand in the channel"),
    ],
)
def test_what_slack_answers_becomes_an_outcome(
    world: FakePorts, response: Any, state: OutcomeState, why: str
) -> None:
    world.http.on("POST", "https://hooks.slack.com/", response)
    outcome = tell(world, SLACK)
    assert outcome.state is state, why
    assert "canary" not in outcome.effect, "its address is its secret"
    assert json.loads(world.http.requests[0].body or b"") == {"text": "navixy does not answer."}


# ---------------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    "provider", ["<!channel>", "@here", "a b", "<https://evil|x>", "x\n\ny", "{{ 7 }}", "*x*"]
)
@pytest.mark.parametrize("written", [STATUSPAGE, SLACK], ids=["statuspage", "slack"])
def test_a_label_mentions_nobody_and_makes_no_link(written: dict[str, Any], provider: str) -> None:
    with pytest.raises(HostileLabel):
        render(written, {**NAMES, "scope": {"provider": provider}})


def test_a_text_may_have_lines_and_no_other_control_characters() -> None:
    assert "\n" in render(STATUSPAGE)["statuspage"]["text"]
    with pytest.raises(Unrenderable):
        render({"slack": {"url": "http://x", "text": "a{{ vars.x }}"}}, {**NAMES, "vars": {"x": "\x1b[2J"}})


@pytest.mark.parametrize(
    ("written", "place"),
    [
        pytest.param({}, (), id="nobody is told"),
        pytest.param({**WEBHOOK, **SLACK}, (), id="two ways in one rung"),
        pytest.param({"slack": {"text": "x"}}, ("slack", "url"), id="no address"),
        pytest.param({"slack": {"url": "hooks/x", "text": "x"}}, ("slack", "url"), id="no scheme"),
        pytest.param(
            {"statuspage": {**PAGE, "status": "closed"}}, ("statuspage", "status"), id="no such status"
        ),
        pytest.param(
            {"statuspage": {**PAGE, "token": "abc"}}, ("statuspage", "token"), id="a secret in plain"
        ),
        pytest.param({**SLACK, "timeout": "0s"}, ("timeout",), id="no time at all"),
    ],
)
def test_what_cannot_work_is_refused_at_its_place(written: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        NotifyArgs.model_validate(written, context=ENVIRONMENT.context)
    assert caught.value.errors()[0]["loc"][: len(place)] == place


def test_the_target_is_the_scope_and_for_the_whole_pipeline_where_it_is_told() -> None:
    action = NotifyAction(ENVIRONMENT.take)
    assert action.targets(render(SLACK), scope_of({"provider": "navixy"})) == {"provider=navixy"}
    assert action.targets(render(SLACK), WHOLE) == {"slack"}
    assert action.targets(render(STATUSPAGE), WHOLE) == {"statuspage p1"}
    assert action.targets(render(WEBHOOK), WHOLE) == {"crm"}
