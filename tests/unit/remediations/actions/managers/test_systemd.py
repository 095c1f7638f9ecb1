"""systemd: the words of the commands, and what its answers mean. The promises of every manager are in `tests/contract`."""

from __future__ import annotations

import os

import pytest

from config.problems import Wrong
from remediations.actions.managers.manager import Standing
from remediations.actions.managers.systemd import named
from remediations.outcome import OutcomeState
from remediations.ports import Exit
from remediations.spec_managers import SystemdSpec
from tests.fakes.managers import OfSystemd


def test_the_command_is_words_of_its_own_and_the_unit_stands_behind_the_options() -> None:
    bench = OfSystemd()
    bench.perform(restart="writer")
    words = [command.argv for command in bench.processes.commands]
    assert words[1] == (
        "/usr/bin/systemctl",
        "--no-ask-password",
        "--no-pager",
        "restart",
        "--",
        "writer.service",
    )
    assert all(argv[-2] == "--" for argv in words)
    assert all(command.env == {} for command in bench.processes.commands)


def test_units_of_the_users_own_are_asked_of_the_users_own_systemd() -> None:
    bench = OfSystemd()
    bench.spec = SystemdSpec(type="systemd", user=True)
    bench.systemd.add("own.service", user=True)
    assert bench.perform(restart="own").state is OutcomeState.DONE
    command = bench.processes.commands[0]
    assert command.argv[1] == "--user"
    assert command.env == {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"}


@pytest.mark.parametrize(
    ("unit", "named_so"),
    [
        ("ingestion@navixy", "ingestion@navixy.service"),
        ("storage-writer-hot.service", "storage-writer-hot.service"),
        ("backup.timer", "backup.timer"),
        ("api.v2", "api.v2.service"),
    ],
)
def test_a_unit_has_one_name_whichever_way_it_is_written(unit: str, named_so: str) -> None:
    assert named("restart", unit) == named_so


@pytest.mark.parametrize("unit", ["*.service", "a b", "-a", "a/b", "", "ä", "a;b", "a\n", "[a]"])
def test_what_is_no_unit_or_more_than_one_is_refused(unit: str) -> None:
    with pytest.raises(Wrong):
        named("restart", unit)


@pytest.mark.parametrize(
    ("active", "sub", "standing", "idle"),
    [
        ("active", "running", Standing.RUNNING, False),
        ("active", "exited", Standing.RUNNING, False),
        ("reloading", "reload", Standing.RUNNING, False),
        ("inactive", "dead", Standing.DOWN, True),
        ("failed", "failed", Standing.DOWN, True),
        ("activating", "start-pre", Standing.BETWEEN, False),
        ("activating", "auto-restart", Standing.DOWN, False),
        ("deactivating", "stop-sigterm", Standing.BETWEEN, False),
    ],
)
def test_its_states_are_understood(active: str, sub: str, standing: Standing, *, idle: bool) -> None:
    bench = OfSystemd()
    bench.writer.update(active=active, sub=sub)
    state = bench.manager().state("writer", deadline=bench.clock.monotonic() + 5)
    assert (state.standing, state.idle) == (standing, idle)


def test_how_often_systemd_itself_restarted_it_is_told() -> None:
    bench = OfSystemd()
    bench.writer["restarts"] = 10
    state = bench.manager().state("writer", deadline=bench.clock.monotonic() + 5)
    assert state.said == "active (running), 10 times restarted by itself"


@pytest.mark.parametrize(
    ("ended", "state", "why"),
    [
        (
            Exit(1, "Failed to restart: Interactive authentication required.", 0.1),
            OutcomeState.FAILED,
            "refused",
        ),
        (Exit(None, "", 60.0, timed_out=True), OutcomeState.UNKNOWN, "the job goes on without its systemctl"),
        (Exit(-9, "", 1.0), OutcomeState.UNKNOWN, "killed: nobody knows how far it came"),
    ],
)
def test_how_the_command_ends_is_how_the_action_ends(ended: Exit, state: OutcomeState, why: str) -> None:
    bench = OfSystemd()
    bench.ends = lambda command: None if "show" in command.argv else ended
    outcome = bench.perform(restart="writer")
    assert outcome.state is state, why
    assert "Interactive" not in ended.output or "Interactive" in outcome.output


def test_without_systemctl_nothing_is_done() -> None:
    bench = OfSystemd()
    bench.processes.exits.clear()
    assert bench.perform(restart="writer").state is OutcomeState.FAILED


@pytest.mark.parametrize("output", ["", "Failed to connect to bus: No such file or directory\n"])
def test_an_answer_without_a_state_is_none(output: str) -> None:
    bench = OfSystemd()
    bench.ends = lambda _: Exit(0, output, 0.1)
    assert bench.perform(restart="writer").state is OutcomeState.FAILED


def test_a_process_that_is_replaced_while_it_is_watched_did_not_last() -> None:
    """A crash loop that systemd keeps going: it runs at every look, and never as the same process."""
    bench = OfSystemd()
    calm = bench.systemd.run

    def restless(words: list[str]) -> tuple[int, str]:
        if "show" in words and bench.systemd.orders:
            bench.writer["starts"] += 1
        return calm(words)

    bench.systemd.run = restless  # type: ignore[method-assign]  # this one systemd is restless
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.FAILED
    assert "did not last" in outcome.effect
