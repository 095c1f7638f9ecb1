"""A planted secret, through real doors: in environment, words, output and error text it is hidden (case B20)."""

from __future__ import annotations

import os
from dataclasses import astuple
from typing import Any

import pytest

from config.scope import WHOLE
from config.secrets import Environment, Redactor
from daemon.clock import SystemClock
from daemon.files import FileDoor
from daemon.http.door import HttpDoor
from daemon.processes import ProcessDoor
from remediations.actions.registry import Actions
from remediations.ports import Ports
from tests.fakes.ports import FakeDatabases, FakePermit
from tests.fakes.server import closed_port, reply, serving

pytestmark = pytest.mark.live

CANARY = "canary-7d1f0c"
ENVIRONMENT = Environment({"TOKEN": CANARY})
CLOCK = SystemClock()


def perform(do: dict[str, Any]) -> str:
    """Everything that is kept of an action: the rendered arguments and the outcome."""
    actions = Actions({}, ENVIRONMENT.take, ENVIRONMENT.context, Redactor([CANARY]).text)
    prepared = actions.prepare(do, {"scope": {}, "facts": {}}, WHOLE)
    door = HttpDoor(CLOCK)
    ports = Ports(door, ProcessDoor(CLOCK, os.environ), FileDoor(), FakeDatabases(), CLOCK)
    outcome = actions.perform(
        prepared.kind, prepared.rendered, ports, deadline=CLOCK.monotonic() + 10, permit=FakePermit(), key="k"
    )
    door.close()
    return repr((prepared.rendered, astuple(outcome)))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("printenv TOKEN; printf 'kept'", id="printed"),
        pytest.param("echo $TOKEN >&2; printf 'kept'", id="printed as an error"),
        pytest.param("printf 'kept '; printf %s $TOKEN | base64", id="in base64"),
        pytest.param("printf 'kept '; yes $TOKEN | head -n 20000", id="so often that the output is cut"),
        pytest.param(
            "printf 'kept '; head -c 3995 /dev/zero | tr '\\0' x; printf %s $TOKEN", id="across the cut"
        ),
        pytest.param(
            "printf 'kept '; head -c 31995 /dev/zero | tr '\\0' x; yes $TOKEN | head -n 9999",
            id="at the bound",
        ),
    ],
)
def test_a_command_cannot_give_its_secret_away(script: str) -> None:
    kept = perform({"command": {"argv": ["/bin/sh", "-c", script], "env": {"TOKEN": {"env": "TOKEN"}}}})
    assert "kept" in kept
    assert CANARY[:7] not in kept


def test_a_server_that_echoes_the_request_cannot_either() -> None:
    with serving(lambda connection, data, _stop: connection.sendall(reply(500, data))) as server:
        kept = perform({"http": {"url": server.url, "headers": {"Authorization": {"env": "TOKEN"}}}})
        assert CANARY.encode() in server.requests[0], "it was really sent"
    assert "500" in kept
    assert CANARY not in kept


def test_an_address_with_a_secret_in_it_is_hidden_when_it_fails() -> None:
    kept = perform({"http": {"url": f"http://127.0.0.1:{closed_port()}/?token={CANARY}"}})
    outcome = kept.partition("}, (")[2]
    assert "nothing was sent" in outcome
    assert CANARY not in outcome
