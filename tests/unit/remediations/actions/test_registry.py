from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.problems import Wrong
from config.scope import scope_of
from config.secrets import Redactor
from remediations.actions.action import HostileLabel
from remediations.actions.registry import KINDS, Actions, managers_of, validate_action
from remediations.outcome import OutcomeState
from remediations.ports import Exit
from tests.fakes.kinds import ENVIRONMENT, KINDS_TRIED, MANAGERS
from tests.fakes.ports import FakePermit, FakePorts

HOT = scope_of({"tier": "hot"})
NAMES = {"scope": dict(HOT), "facts": {}, "vars": {}, "fault_since": 1.0}

ONE_OF_EACH = {kind: dict(tried.written) for kind, tried in KINDS_TRIED.items() if kind in KINDS}


def actions() -> Actions:
    return Actions(MANAGERS, ENVIRONMENT.take, ENVIRONMENT.context)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_every_kind_prepares_plain_data_with_targets_and_without_secrets(kind: str) -> None:
    prepared = actions().prepare({kind: ONE_OF_EACH[kind]}, NAMES, HOT)
    assert prepared.kind == kind
    assert prepared.targets
    assert all("hot" in target for target in prepared.targets)
    assert json.loads(json.dumps(prepared.rendered)) == prepared.rendered
    assert "canary" not in json.dumps(prepared.rendered)


@pytest.mark.parametrize("kind", [kind for kind in ONE_OF_EACH if KINDS_TRIED[kind].filled])
def test_every_kind_refuses_a_hostile_label(kind: str) -> None:
    names = {**NAMES, "scope": {"tier": "../etc"}}
    with pytest.raises(HostileLabel):
        actions().prepare({kind: ONE_OF_EACH[kind]}, names, HOT)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_every_kind_performs_what_it_prepared_and_never_raises(kind: str) -> None:
    world = FakePorts()
    prepared = actions().prepare({kind: ONE_OF_EACH[kind]}, NAMES, HOT)
    rendered = json.loads(json.dumps(prepared.rendered))  # as it comes back from a row
    outcome = actions().perform(
        kind, rendered, world.ports, deadline=world.clock.monotonic() + 9, permit=FakePermit(), key="k"
    )
    needs = KINDS_TRIED[kind].touches
    assert outcome.state is (OutcomeState.FAILED if needs else OutcomeState.DONE), "the world is empty"
    assert outcome.ended_at == world.clock.now()


def test_an_unknown_kind_is_refused_with_a_suggestion() -> None:
    with pytest.raises(Wrong, match="did you mean 'service'"):
        validate_action({"servise": {}})
    with pytest.raises(Wrong, match="known are http"):
        validate_action({"kubectl": {}})


def test_wrong_arguments_are_located() -> None:
    with pytest.raises(ValidationError) as caught:
        validate_action({"http": {"url": "http://x", "poll": {"url": "http://x", "until": "a ="}}})
    assert [error["loc"] for error in caught.value.errors()] == [("poll", "until")]


@pytest.mark.parametrize("written", [None, [], "restart", 3])
def test_arguments_that_are_no_map_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        validate_action({"service": written})


def test_the_managers_an_action_needs_are_known() -> None:
    assert managers_of(validate_action({"service": ONE_OF_EACH["service"]})[1]) == {"pipeline"}
    assert managers_of(validate_action({"file_link": ONE_OF_EACH["file_link"]})[1]) == frozenset()


SECRET = "canary of three words"


def perform_command(output: str) -> str:
    """What is kept of a command's output when `SECRET` is known."""
    world = FakePorts()
    world.processes.exits["/bin/true"] = Exit(1, output, 0.1)
    made = Actions({}, ENVIRONMENT.take, redact=Redactor([SECRET]).text)
    prepared = made.prepare({"command": {"argv": ["/bin/true", SECRET]}}, NAMES, HOT)
    outcome = made.perform(
        "command",
        prepared.rendered,
        world.ports,
        deadline=world.clock.monotonic() + 9,
        permit=FakePermit(),
        key="k",
    )
    assert "canary" not in outcome.effect
    return outcome.output


def test_long_output_is_kept_short_and_not_cut_inside_a_word() -> None:
    output = perform_command("telling-word " * 1_000)
    assert len(output) < 4_100
    assert set(output.partition("[")[0].split()) == {"telling-word"}


@given(st.integers(3_900, 4_100))
def test_wherever_the_cut_falls_no_part_of_a_secret_stays(before: int) -> None:
    assert "canary" not in perform_command("x" * before + SECRET + "y" * 1_000)
    assert "canary" not in perform_command("x " * (before // 2) + SECRET + " y" * 1_000)
