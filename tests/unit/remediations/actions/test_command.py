from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.scope import WHOLE, scope_of
from config.secrets import Environment
from remediations.actions.action import HostileLabel, Unrenderable
from remediations.actions.command import CommandAction, CommandArgs
from remediations.outcome import OutcomeState
from remediations.ports import Exit
from tests.fakes.ports import FakePermit, FakePorts

NAMES = {"scope": {"tier": "hot"}, "facts": {}, "vars": {"tool": "/opt/fleet tools/archive"}}
ENVIRONMENT = Environment({"DB_PASSWORD": "canary-password"})


@pytest.fixture
def world() -> FakePorts:
    return FakePorts()


def rendered(**more: Any) -> dict[str, Any]:
    written = {"argv": ["/bin/archive", "--tier", "{{ scope.tier }}"], **more}
    args = CommandArgs.model_validate(written, context=ENVIRONMENT.context)
    return CommandAction(ENVIRONMENT.take).render(args, NAMES)


def perform(world: FakePorts, permit: FakePermit | None = None, **more: Any) -> Any:
    return CommandAction(ENVIRONMENT.take).perform(
        rendered(**more),
        world.ports,
        deadline=world.clock.monotonic() + 120,
        permit=permit or FakePermit(),
        key="k-1",
    )


def test_a_command_runs_word_for_word(world: FakePorts) -> None:
    world.processes.exits["/bin/archive"] = Exit(0, "moved 3 files\n", 1.0)
    outcome = perform(world, cwd="/srv", user="fleet", env={"MODE": "{{ scope.tier }}"})
    (command,) = world.processes.commands
    assert command.argv == ("/bin/archive", "--tier", "hot")
    assert (command.cwd, command.user) == (Path("/srv"), "fleet")
    assert command.env == {"MODE": "hot", "FLEETMEND_KEY": "k-1"}
    assert (outcome.state, outcome.output) == (OutcomeState.DONE, "moved 3 files\n")


def test_a_rendered_word_is_never_split(world: FakePorts) -> None:
    world.processes.exits["/opt/fleet tools/archive"] = Exit(0, "", 0.1)
    perform(world, argv=["{{ vars.tool }}", "; rm -rf /", "$(reboot)"])
    assert world.processes.commands[0].argv == ("/opt/fleet tools/archive", "; rm -rf /", "$(reboot)")


@pytest.mark.parametrize(
    ("ended", "state", "says"),
    [
        (Exit(0, "", 0.1), OutcomeState.DONE, "exit 0"),
        (Exit(3, "already archived", 0.1), OutcomeState.DONE, "exit 3"),
        (Exit(1, "no space", 0.1), OutcomeState.FAILED, "exit 1"),
        (Exit(-9, "", 0.1), OutcomeState.FAILED, "signal 9"),
        (Exit(None, "half", 60.0, timed_out=True), OutcomeState.UNKNOWN, "without finishing"),
    ],
)
def test_how_it_ended_becomes_an_outcome(
    world: FakePorts, ended: Exit, state: OutcomeState, says: str
) -> None:
    world.processes.exits["/bin/archive"] = ended
    outcome = perform(world, expect=[0, 3])
    assert outcome.state is state
    assert says in outcome.effect


def test_a_program_that_is_not_there_is_a_failure(world: FakePorts) -> None:
    assert perform(world).state is OutcomeState.FAILED


def test_without_a_permit_nothing_is_started(world: FakePorts) -> None:
    world.processes.exits["/bin/archive"] = Exit(0, "", 0.1)
    assert perform(world, FakePermit(grants=False)).state is OutcomeState.NOT_DONE
    assert world.processes.commands == []


def test_a_secret_reaches_the_program_and_nothing_that_is_kept(world: FakePorts) -> None:
    world.processes.exits["/bin/archive"] = Exit(0, "", 0.1)
    outcome = perform(world, env={"PGPASSWORD": {"env": "DB_PASSWORD"}})
    assert world.processes.commands[0].env["PGPASSWORD"] == "canary-password"
    made = rendered(env={"PGPASSWORD": {"env": "DB_PASSWORD"}})
    assert made["env"] == {"PGPASSWORD": {"env": "DB_PASSWORD"}}
    assert "canary" not in json.dumps(made) + str(outcome)


@pytest.mark.parametrize("tier", ["--force", "-rf", "hot; reboot", "$(x)", "a b", "../x", ""])
def test_a_label_cannot_become_an_option_or_a_path(tier: str) -> None:
    args = CommandArgs.model_validate({"argv": ["/bin/archive", "{{ scope.tier }}"]})
    with pytest.raises(HostileLabel):
        CommandAction(ENVIRONMENT.take).render(args, {"scope": {"tier": tier}})


def test_a_relative_working_folder_is_unrenderable() -> None:
    with pytest.raises(Unrenderable):
        rendered(cwd="srv")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"argv": []}, id="no program"),
        pytest.param({"argv": "rm -rf /"}, id="a line instead of words"),
        pytest.param({"argv": ["x"], "shell": True}, id="a shell"),
        pytest.param({"argv": ["x"], "env": {"A-B": "c"}}, id="no name of a variable"),
        pytest.param({"argv": ["x"], "user": "Root User"}, id="no name of a user"),
        pytest.param({"argv": ["x"], "expect": [256]}, id="no exit code"),
        pytest.param({"argv": ["x"], "expect": []}, id="nothing that would be good"),
        pytest.param({"argv": ["x"], "timeout": "0s"}, id="no time"),
    ],
)
def test_arguments_that_cannot_work_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandArgs.model_validate(written)


def test_a_command_is_disruptive_unless_it_says_otherwise_and_never_safe_to_repeat() -> None:
    action = CommandAction(ENVIRONMENT.take)
    assert action.disruptive(rendered())
    assert not action.disruptive(rendered(disruptive=False))
    assert not action.idempotent(rendered())


def test_the_target_is_the_scope_and_for_the_whole_pipeline_the_program() -> None:
    action = CommandAction(ENVIRONMENT.take)
    assert action.targets(rendered(), scope_of({"tier": "hot"})) == {"tier=hot"}
    assert action.targets(rendered(), WHOLE) == {"/bin/archive"}
