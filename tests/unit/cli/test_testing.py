"""`fleetmend test`: a line a case, a timeline where one failed, JSON, and exit codes for CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

CASES = """\
pack: none
detectors:
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: packets, window: 1m}}
    fire: {equals: 0, for: 5m}
cases:
  - name: an outage
    series: {packets: "0 +5x4 +0x15"}
    expect: [{detector: silent, state: fired, at: 7m}]
  - name: a quiet hour
    series: {packets: "0 +5x120"}
    expect: []
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cases.yaml"
    path.write_text(CASES, encoding="utf-8")
    return path


def test_a_line_a_case_and_exit_0_when_all_passed(fleetmend: Run, file: Path) -> None:
    said = fleetmend("test", file)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"ok    {file}: an outage",
        f"ok    {file}: a quiet hour",
        "2 passed, 0 failed",
    ]


def test_a_failure_tells_what_was_expected_what_came_and_when(fleetmend: Run, file: Path) -> None:
    file.write_text(CASES.replace("at: 7m", "at: 6m"), encoding="utf-8")
    said = fleetmend("test", file)
    assert said.code == 1
    assert [line.strip() for line in said.out.splitlines()] == [
        f"FAIL  {file}: an outage",
        "missing     6m       silent fired; it came at 7m",
        "unexpected  7m       silent fired (value 0)",
        "silent  .....pppppppppFFFFFF",
        "30s a character: . quiet, p pending, F firing, ? unknown",
        f"ok    {file}: a quiet hour",
        "1 passed, 1 failed",
    ]


def test_json_has_every_event(fleetmend: Run, file: Path) -> None:
    file.write_text(CASES.replace("at: 7m", "at: 6m"), encoding="utf-8")
    said = fleetmend("test", file, "--json")
    told = json.loads(said.out)
    assert (said.code, told["passed"], told["failed"]) == (1, 1, 1)
    first = told["cases"][0]
    event = {
        "detector": "silent",
        "failure_mode": "ingestion_stopped",
        "scope": {},
        "state": "fired",
        "at": "2026-01-05T00:07:00.000Z",
        "after_s": 420.0,
    }
    assert first["events"] == first["unexpected"] == [event]
    assert first["missing"] == [
        {"detector": "silent", "scope": {}, "state": "fired", "after_s": [360.0, 360.0]}
    ]


def test_run_chooses_cases_by_name(fleetmend: Run, file: Path) -> None:
    assert fleetmend("test", file, "--run", "QUIET|nothing").out.splitlines()[-1] == "1 passed, 0 failed"
    for pattern in ("nowhere", "("):
        said = fleetmend("test", file, "--run", pattern)
        assert (said.code, said.out) == (2, "")
        assert "--run" in said.err


def test_a_bad_file_runs_nothing_and_exits_2(fleetmend: Run, file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(CASES.replace("fired", "fird"), encoding="utf-8")
    said = fleetmend("test", file, bad)
    assert (said.code, said.out) == (2, "")
    assert f"{bad}:10: cases[0].expect[0].state: expected" in said.err
    assert fleetmend("test", tmp_path / "gone.yaml").code == 2


def test_long_stories_are_drawn_in_sixty_characters(fleetmend: Run, file: Path) -> None:
    story = CASES.replace("+0x15", "+0x50000").replace("at: 7m", "at: 6m")
    file.write_text(story, encoding="utf-8")
    (row,) = [line for line in fleetmend("test", file).out.splitlines() if line.strip().startswith("silent")]
    assert len(row.split()[1]) <= 60
