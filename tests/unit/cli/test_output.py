"""Nothing from outside steers the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import output
from tests.unit.cli.conftest import Place, Run

HOSTILE = "a\x1b]0;x\x07\x9b2J\u202eb"


def test_tables_and_lines_reach_the_terminal_without_orders(capsys: pytest.CaptureFixture[str]) -> None:
    table = output.table("label")
    table.add_row(HOSTILE)
    table.add_row("x" * 10_000)
    output.show(table, HOSTILE)
    output.line(HOSTILE)
    output.say(HOSTILE)
    output.complain(HOSTILE)
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*said.out, *said.err}
    assert said.out.count("x") < 2_100


def test_json_keeps_the_value_by_escaping_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_text(json.dumps({"label": "a\x9b\u202eb"}, ensure_ascii=False))
    said = capsys.readouterr().out
    assert "\u202e" not in said
    assert json.loads(said) == {"label": "a\x9b\u202eb"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("demo", "break", "nosuch"), 2, "no fault"),
        (("demo", "heal", "--state", "/nonexistent"), 1, "no demo pipeline"),
        (("check", "/dev/zero"), 2, "a device"),
        (("check", "/dev"), 2, "a folder"),
    ],
)
def test_a_slip_gets_a_sentence(fleetmend: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    said = fleetmend(*arguments)
    assert (said.code, words in said.err) == (code, True), said


def test_the_variable_of_a_token_is_a_valid_name(fleetmend: Run) -> None:
    assert "export _1_A_B_TOKEN_SHA256=" in fleetmend("token", "1.a-b").out


def test_a_report_from_before_1970_is_refused(fleetmend: Run, place: Place) -> None:
    said = fleetmend("report", "--since", "0001-01-01T00:00:00Z", "-c", place.config)
    assert said.code == 2


def test_pausing_everything_by_its_sign_works_without_a_store(fleetmend: Run, place: Place) -> None:
    place.state.unlink()
    assert fleetmend("pause", "--scope", "*", "-c", place.config).code == 0
    assert place.kill_switch.exists()


def test_the_module_exits_as_the_script_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "check", str(tmp_path / "none.yaml")],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 2
