"""A labels file: every mistake at its line, instants as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import ConfigError
from config.scope import scope_of
from daemon.replay.labels import load_labels


def test_incidents_and_quiet_spans_are_read(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text(
        "incidents:\n"
        "  - {start: 2026-01-05T09:10:00Z, end: 2026-01-05T09:40:00Z, detector: writes, scope: {tier: hot}}\n"
        "quiet:\n"
        "  - {start: 1767600000, end: 1767603600, note: rolling restart}\n"
    )
    incident, quiet = load_labels(file)
    assert (incident.end - incident.start, incident.detector, incident.scope) == (
        1800,
        "writes",
        scope_of({"tier": "hot"}),
    )
    assert (quiet.start, quiet.quiet, quiet.note) == (1_767_600_000, True, "rolling restart")


def test_every_mistake_is_told_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text(
        "incidents:\n"
        "  - {start: yesterday, end: 2026-01-05T09:40:00Z}\n"
        "  - {start: 200, end: 100}\n"
        "  - {start: 100, end: 200, failure_mode: storage}\n"
        "quite: []\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_labels(file)
    told = {(problem.line, problem.path) for problem in caught.value.problems}
    assert {line for line, _ in told} == {2, 3, 4, 5}
    assert all(problem.hint for problem in caught.value.problems)
