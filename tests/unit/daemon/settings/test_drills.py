"""The section `drills`: when they are due, of what, and whether anything may be carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.drills import Weekly
from config.problems import ConfigError, Wrong
from daemon.settings.load import load

BASE = """
version: 1
pack: none
environment: {environment}
telemetry: {{main: {{type: prometheus, url: "http://127.0.0.1:9"}}}}
playbooks: {{hot: {{failure_mode: storage_failure, match: {{tier: hot}}}}}}
people: {{ana: {{name: Ana, channels: [{{console: {{}}}}]}}}}
escalation: {{default: [{{level: L1, notify: ["person:ana"]}}]}}
drills: {drills}
"""


def told(folder: Path, drills: str, environment: str = "staging") -> list[str]:
    """What is wrong with it, errors or else warnings."""
    file = folder / "fleetmend.yaml"
    file.write_text(BASE.format(drills=drills, environment=environment), encoding="utf-8")
    try:
        return [str(problem) for problem in load([file], environment={}).problems]
    except ConfigError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("drills", "said"),
    [
        ('{schedule: [{playbook: hot, at: "Tue 10:00"}]}', ""),
        ('{schedule: [{playbook: hot, at: "10:00", scope: {tier: hot}}]}', ""),
        ('{schedule: [{playbook: hto, at: "10:00"}]}', "did you mean"),
        ('{schedule: [{playbook: hot, at: "10:00", scope: {tier: warm}}]}', "not for this scope"),
        ('{schedule: [{playbook: hot, at: "10:00"}, {playbook: hot, at: "10:00"}]}', "here twice"),
        ('{schedule: [{playbook: hot, at: "Tuseday 10:00"}]}', "no day of the week"),
        ("{schedule: [{playbook: hot, at: noon}]}", "a day and a time"),
        ('{timezone: Mars, schedule: [{playbook: hot, at: "10:00"}]}', "no time zone"),
    ],
)
def test_a_schedule_is_checked_when_it_is_loaded(drills: str, said: str, tmp_path: Path) -> None:
    found = [line for line in told(tmp_path, drills) if ": drills" in line]
    assert bool(found) is bool(said), found
    assert said in "\n".join(found)


@pytest.mark.parametrize(("environment", "warned"), [("production", True), ("staging", False)])
def test_carrying_out_for_real_in_production_is_warned_of(
    environment: str, warned: bool, tmp_path: Path
) -> None:
    found = [line for line in told(tmp_path, "{for_real: true}", environment) if "drills.for_real" in line]
    assert bool(found) is warned


@pytest.mark.parametrize(
    ("text", "day", "written"),
    [("Tue 10:00", 1, "Tue 10:00"), ("sunday 9:05", 6, "Sun 09:05"), ("23:59", None, "23:59")],
)
def test_a_day_and_a_time_are_read_as_people_write_them(text: str, day: int | None, written: str) -> None:
    found = Weekly.parse(text)
    assert (found.day, str(found)) == (day, written)


def test_a_day_ends_before_its_last_midnight() -> None:
    with pytest.raises(Wrong, match="24:00"):
        Weekly.parse("Tue 24:00")
