"""backtest goes on to incidents: what would have been done about them, who would have been paged, and what is not knowable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.clock import rfc3339
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_backtest import BEGIN, CONFIG, Bench, document

REST = """
autonomy: auto
playbooks:
  storage:
    failure_mode: storage_failure
    diagnose: {{health: {{probe: status}}}}
    ladder:
      - {{name: to-replica, when: "facts.health.body.lag < 30", do: {{http: {{method: POST, url: "http://x/replica"}}}}, autonomy: auto}}
      - {{name: for-cold, when: "scope.tier == 'cold'", do: {{http: {{method: POST, url: "http://x/cold"}}}}}}
      - {{name: restart, do: {{http: {{method: POST, url: "http://x/{{{{ scope.tier }}}}"}}}}, autonomy: propose}}
people: {{ana: {{name: Ana, channels: [{{console: {{}}}}]}}, ben: {{name: Ben, channels: [{{console: {{}}}}]}}}}
escalation:
  default: [{{level: L1, notify: [person:ana]}}, {{level: L2, notify: [person:ben], after: {{critical: 15m}}}}]
"""


@pytest.fixture
def bench(tmp_path: Path, fleetmend: Run) -> Bench:
    config = tmp_path / "config.yaml"
    config.write_text((CONFIG + REST).format(url="http://127.0.0.1:1"))
    return Bench(config, tmp_path / "series.om", fleetmend)


def at(minute: int) -> str:
    return rfc3339(BEGIN + 60 * minute)


def test_an_incident_is_told_with_the_rungs_it_came_to_and_the_pages_it_owed(bench: Bench) -> None:
    """`for: 5m` from minute 20, clear from 40 for 2 min: an incident from 25 to 42. Critical: L2 15 min after L1."""
    (incident,) = document(bench.recorded("--json"))["incidents"]
    told = {name: incident[name] for name in ("failure_mode", "scope", "severity", "from", "until", "state")}
    assert told == {
        "failure_mode": "storage_failure",
        "scope": {"tier": "hot"},
        "severity": "critical",
        "from": at(25),
        "until": at(42),
        "state": "resolved",
    }
    assert (incident["suppressed_by"], incident["contained"]) == (None, False)
    assert (incident["flapped"], incident["storm"]) == (False, False)
    answers = [(one["rung"], one["answer"], one["at"], one["autonomy"]) for one in incident["would_act"]]
    assert answers == [
        ("to-replica", "not_knowable", at(25), "auto"),
        ("for-cold", "skipped", at(25), "propose"),
        ("restart", "would_run", at(25), "propose"),
    ]
    assert [(page["level"], page["at"], page["to"]) for page in incident["would_page"]] == [
        (1, at(25), ["ana"]),
        (2, at(40), ["ben"]),
    ]


def test_what_hangs_on_a_probe_is_not_knowable_and_no_verdict_is_guessed(bench: Bench) -> None:
    (incident,) = document(bench.recorded("--json"))["incidents"]
    replica, cold, restart = incident["would_act"]
    assert replica["depends_on"] == ["probe status"]
    assert (cold["depends_on"], restart["depends_on"]) == ([], [])
    assert [one["verdict"] for one in incident["would_act"]] == ["not_knowable", None, "not_knowable"]
    assert (restart["action"], restart["targets"]) == ("http", ["tier=hot"])
    assert all(page["unless"] == ["to-replica"] for page in incident["would_page"])


def test_all_of_it_is_counted(bench: Bench) -> None:
    would = document(bench.recorded("--json"))["would"]
    assert would == {
        "actions": 1,
        "actions_by_autonomy": {"propose": 1},
        "refusals": 0,
        "refusals_by_gate": {},
        "pages": 2,
        "pages_by_level": {"L1": 1, "L2": 1},
        "pages_unless": 2,
        "not_knowable": 1,
        "until": at(59),
        "troubles": [],
    }


def test_events_are_what_they_are_with_and_without_incidents(bench: Bench) -> None:
    with_, without = document(bench.recorded("--json")), document(bench.recorded("--json", "--no-incidents"))
    more: dict[str, Any] = {name: with_.pop(name) for name in ("incidents", "would")}
    assert with_ == without
    assert more["incidents"]


def test_people_read_it_in_a_table_and_a_sentence(bench: Bench) -> None:
    said = bench.recorded()
    assert "to-replica? (probe status)," in said.out
    assert "restart (propose)" in said.out
    assert (
        "1 incident; 1 action would have begun (1 propose), with what effect is not knowable; "
        "whether to go on with 1 rung hangs on what was not recorded; 2 pages with nothing done (1 L1, 1 L2), "
        "2 of them only if no action had helped."
    ) in " ".join(said.out.split())
    assert said.err == ""


def test_the_report_shows_incidents_as_bands_with_marks(bench: Bench, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert bench.recorded("--report", page).code == 0
    text = page.read_text()
    assert 'class="lane"><span style="left:42.373%;width:28.813%">' in text, "from minute 25 to 42 of 59"
    assert text.count('<b class="page"') == 2
    assert 'title="restart would have begun (propose)"' in text
