"""A look at a job runner or a status page asks and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.scope import scope_of
from config.secrets import Environment
from remediations.actions.looks import Look, Looker
from remediations.actions.registry import Actions
from tests.fakes.awx import FakeAwx, Template
from tests.fakes.ports import FakePorts, answer
from tests.fakes.rest import behind
from tests.fakes.rundeck import FakeRundeck
from tests.fakes.statuspage import URL, FakeStatuspage

TOKEN = "canary-token-0815"
SECRET = {"env": "TOKEN"}
ENVIRONMENT = Environment({"TOKEN": TOKEN, "HOOK": "https://hooks.slack.com/services/T0/canary"})
AWX, RUNDECK = "https://awx.example.org", "https://rundeck.example.org"
LAUNCH = {"job": {"awx": {"url": AWX, "token": SECRET, "template": 7, "extra_vars": {"tier": "hot"}}}}
RUN = {"job": {"rundeck": {"url": RUNDECK, "token": SECRET, "job": "j-1"}}}
PAGE = {"notify": {"statuspage": {"page": "p1", "token": SECRET, "name": "n", "text": "t"}}}
HOOK = {"notify": {"webhook": {"url": "http://crm/told", "json": {}}}}
SLACK = {"notify": {"slack": {"url": {"env": "HOOK"}, "text": "t"}}}
WAIT = {"wait": {"for": "2m"}}


class Afar(FakePorts):
    """A world in which everything of the rows above could be done."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.awx, self.rundeck, self.page = FakeAwx(TOKEN), FakeRundeck(TOKEN), FakeStatuspage(TOKEN)
        behind(self.http, AWX, self.awx)
        behind(self.http, RUNDECK, self.rundeck)
        self.http.on("GET", URL, self.page)
        self.http.on("OPTIONS", "http://crm/", answer(405)).on("OPTIONS", "https://hooks", answer(404))

    def look(self, do: dict[str, Any]) -> Look:
        actions = Actions({}, ENVIRONMENT.take, ENVIRONMENT.context)
        ready = actions.prepare(do, {"scope": {}, "incident": {"id": "i-1"}}, scope_of({"tier": "hot"}))
        looker = Looker(actions, ENVIRONMENT.take)
        return looker.look(ready.kind, ready.rendered, self.ports, deadline=self.clock.monotonic() + 60)


@pytest.fixture
def world() -> Afar:
    return Afar()


@pytest.mark.parametrize(
    "do", [LAUNCH, RUN, PAGE, HOOK, SLACK, WAIT], ids=["awx", "rundeck", "page", "hook", "slack", "wait"]
)
def test_what_could_be_done_is_good_and_is_not_done(do: dict[str, Any], world: Afar) -> None:
    seen = world.look(do)
    assert seen.ok, seen.text
    assert world.http.sent("POST") == []
    assert (world.awx.jobs, world.rundeck.executions, world.page.updates) == ({}, {}, [])
    assert "canary" not in seen.text


def _templates(*templates: Template) -> Callable[[Afar], object]:
    return lambda world: setattr(world.awx, "templates", templates)


@pytest.mark.parametrize(
    ("do", "spoil", "says"),
    [
        pytest.param(LAUNCH, _templates(), "404", id="no such template"),
        pytest.param(LAUNCH, _templates(Template(7, "x", asks=False)), "does not ask", id="no variables"),
        pytest.param(LAUNCH, _templates(Template(7, "x", needs=("region",))), "region", id="one is missing"),
        pytest.param(LAUNCH, lambda world: setattr(world.awx, "token", "x"), "401", id="a wrong token"),
        pytest.param(RUN, lambda world: setattr(world.rundeck, "jobs", ()), "404", id="no such job"),
        pytest.param(RUN, lambda world: setattr(world.rundeck, "enabled", False), "switched off", id="off"),
        pytest.param(
            PAGE, lambda world: world.http.on("GET", URL, answer(401, "no")), "401", id="a wrong key"
        ),
        pytest.param(
            HOOK, lambda world: world.http.on("OPTIONS", "http://crm/", answer(503)), "503", id="nobody there"
        ),
    ],
)
def test_what_could_not_be_done_is_said(
    do: dict[str, Any], spoil: Callable[[Afar], object], says: str, world: Afar
) -> None:
    spoil(world)
    seen = world.look(do)
    assert seen.ok is False
    assert says in seen.text
