"""Every case of the files beside this one, one test a case; and the command that users run them with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from config.loader import load
from daemon.cli.main import invoke
from daemon.replay.casefile import Suite, load_cases, readers
from daemon.replay.cases import run_case
from daemon.settings.model import Settings

FILES = sorted(Path(__file__).parent.glob("*.yaml"))


@cache
def suite(file: Path) -> Suite:
    return load_cases(file, {})


def every_case() -> Iterator[object]:
    for file in FILES:
        for index, case in enumerate(suite(file).cases):
            yield pytest.param(file, index, id=f"{file.stem}: {case.name}")


@pytest.mark.parametrize(("file", "index"), [*every_case()])
def test_case(file: Path, index: int) -> None:
    outcome = run_case(suite(file), suite(file).cases[index])
    assert not outcome.missing
    assert not outcome.surplus
    assert not outcome.forbidden
    assert outcome.passed


def test_every_detector_of_the_pack_that_reads_samples_fires_clears_and_stays_quiet() -> None:
    pack = suite(Path(__file__).parent / "pack.yaml")
    judged = {name for name, metrics in readers(pack.sections).items() if metrics}
    of_probes = {"consumer-down", "transformation-down", "storage-down", "api-probe"}
    shipped = load([Path("config/examples/minimal.yaml")], Settings, environment={}).model.detectors
    assert judged - of_probes == set(shipped) - of_probes
    stories: dict[str, set[str]] = {name: set() for name in judged - of_probes}
    for case in pack.cases:
        for name in case.only or ():
            stories[name] |= {one.state.value for one in case.expect} or {"quiet"}
    assert all(told == {"fired", "cleared", "quiet"} for told in stories.values()), stories


def test_the_command_passes_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["test", *(str(file) for file in FILES)]) == 0
    count = sum(len(suite(file).cases) for file in FILES)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("ok") for line in lines) == count
    assert lines[-1] == f"{count} passed, 0 failed"
