"""What a process manager cannot do is told when the configuration loads, at the place where it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import Gravity, Problem
from tests.fakes.linted import told

MANAGERS = """managers:
  pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}
  machine: {type: systemd}
  engine: {type: docker}
  cluster: {type: kubernetes, namespace: pipeline}
"""


HOWTO = Path(__file__).parents[4] / "docs" / "howto" / "process-managers.md"


def rung(service: str) -> str:
    """A playbook with one rung; what it does stands on line 11."""
    return (
        f"{MANAGERS}playbooks:\n  book:\n    failure_mode: storage_failure\n    escalation: external\n    ladder:\n"
        f"      - {{name: one, do: {{service: {service}}}}}\n"
    )


def about_managers(problems: list[Problem]) -> list[Problem]:
    return [one for one in problems if ".service" in one.path or one.path.startswith("managers")]


@pytest.mark.parametrize(
    ("service", "place", "problem"),
    [
        ("{manager: machine, scale: x, to: 2}", "scale", "systemd has no scale"),
        ("{manager: pipeline, undo: x}", "undo", "supervisord has no undo"),
        ("{manager: cluster, stop: x}", "stop", "Kubernetes has no stop"),
        ("{manager: engine, scale: x, to: 2}", "scale", "Docker has no scale for containers"),
        ("{manager: engine, stop: service/x}", "stop", "Docker has no stop for services of a swarm"),
        ("{manager: cluster, undo: statefulset/x}", "undo", "Kubernetes has no undo for a statefulset"),
        ("{manager: cluster, restart: pod/x}", "restart", "no workload: pod/x"),
        ('{manager: machine, restart: "ingestion-*"}', "restart", "no name of a systemd unit"),
        ('{manager: pipeline, stop: "ingestion-*"}', "stop", "stop takes one unit, not a pattern"),
        ("{manager: nobody, restart: x}", "manager", "no manager is named 'nobody'"),
    ],
)
def test_what_a_manager_cannot_do_is_an_error_where_it_is_asked_for(
    tmp_path: Path, service: str, place: str, problem: str
) -> None:
    (found,) = about_managers(told(tmp_path, rung(service)))
    assert (found.line, found.path) == (11, f"playbooks.book.ladder[0].do.service.{place}")
    assert problem in found.problem
    assert found.severity is Gravity.ERROR
    assert found.hint


@pytest.mark.parametrize(
    "service",
    [
        "{manager: machine, restart: ingestion@navixy}",
        "{manager: engine, scale: service/x, to: 2}",
        "{manager: cluster, restart: daemonset/agent}",
        "{manager: cluster, undo: x, timeout: 10m}",
        '{manager: pipeline, restart: "ingestion-*"}',
        '{manager: machine, restart: "{{ vars.whatever }}"}',
    ],
)
def test_what_it_can_do_is_no_problem_and_what_is_calculated_is_seen_when_it_acts(
    tmp_path: Path, service: str
) -> None:
    piece = rung(service) + "vars: {whatever: x}\n"
    assert about_managers(told(tmp_path, piece)) == []


def test_what_the_documentation_shows_loads(tmp_path: Path) -> None:
    shown = HOWTO.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert shown.startswith("managers:")
    assert told(tmp_path, shown) == told(tmp_path, "")


@pytest.mark.parametrize(("settled", "wrong"), [("rerun", True), ("page", False)])
def test_an_undo_is_never_to_be_done_twice(tmp_path: Path, settled: str, wrong: bool) -> None:
    piece = rung("{manager: cluster, undo: x}").replace(
        "{name: one,", f"{{name: one, on_interrupt: {settled},"
    )
    found = [one for one in told(tmp_path, piece) if one.path.endswith("on_interrupt")]
    assert [(one.line, one.severity) for one in found] == ([(11, Gravity.ERROR)] if wrong else [])


def test_what_the_shipped_playbooks_ask_of_another_type_is_a_warning(tmp_path: Path) -> None:
    piece = (
        'pack: fleet\nmanagers: {pipeline: {type: systemd}}\nvars: {ingestion_units: "ingestion.service"}\n'
    )
    found = [one for one in about_managers(told(tmp_path, piece)) if "has no scale" in one.problem]
    assert found
    assert {one.severity for one in found} == {Gravity.WARNING}


def test_a_witness_that_its_manager_cannot_name_is_an_error(tmp_path: Path) -> None:
    piece = f"""{MANAGERS}detectors:
  one:
    failure_mode: ingestion_stopped
    signal: {{gauge: {{of: depth}}}}
    fire: {{above: 5, for: 5m}}
    corroborate: {{any: [{{manager: cluster, unit: pod/x, is: down}}]}}
"""
    found = [one for one in told(tmp_path, piece) if one.path.endswith("unit")]
    assert [(one.line, one.severity) for one in found] == [(11, Gravity.ERROR)]
    assert "no workload" in found[0].problem


@pytest.mark.parametrize(
    ("manager", "place", "problem"),
    [
        ("{type: podman}", "managers.m", "expected"),
        ("{url: http://x}", "managers.m", "has no type"),
        ("{type: systemd, url: http://x}", "managers.m.url", "unknown key"),
        ("{type: systemd, program: systemctl}", "managers.m.program", "not an absolute path"),
        ("{type: docker, url: tcp://engine:2376}", "managers.m.url", "tcp is not spoken here"),
        ("{type: docker, url: ssh://engine}", "managers.m.url", "not of the right form"),
        ("{type: docker, tls: {cert: /a.pem}}", "managers.m.tls", "cert and key go together"),
        ("{type: kubernetes}", "managers.m.namespace", "is required"),
        ("{type: kubernetes, namespace: ../kube-system}", "managers.m.namespace", "not of the right form"),
        ("{type: kubernetes, namespace: p, token: abc}", "managers.m.token", "must not stand in the file"),
        (
            "{type: kubernetes, namespace: p, token: {env: SIGNING_KEY}, token_file: /t}",
            "managers.m",
            "more than one way",
        ),
        ('{type: supervisor, url: "unix:///s.sock", username: u}', "managers.m", "go together"),
        ("{type: systemd, steady: 10s, timeout: 5s}", "managers.m", "no room for steady"),
        ("{type: docker, stop_timeout: 2m}", "managers.m", "no room for stop_timeout"),
        ("{type: systemd, timeout: 2h}", "managers.m.timeout", "3600"),
    ],
)
def test_a_manager_that_is_written_wrong_is_told_at_its_place(
    tmp_path: Path, manager: str, place: str, problem: str
) -> None:
    found = about_managers(told(tmp_path, f"managers:\n  m: {manager}\n"))
    assert [(one.path, one.line) for one in found] == [(place, 2)]
    assert problem in found[0].problem


@pytest.mark.parametrize(
    "url", ["unix:///run/supervisor.sock", "http://127.0.0.1:9001", "https://s.example.org/"]
)
def test_a_manager_is_reached_by_socket_or_http(tmp_path: Path, url: str) -> None:
    assert about_managers(told(tmp_path, f'managers: {{m: {{type: supervisor, url: "{url}"}}}}\n')) == []


@pytest.mark.parametrize("url", ["unix://relative.sock", "ssh://host", "", "http://a b"])
def test_a_manager_is_reached_by_nothing_else(tmp_path: Path, url: str) -> None:
    assert about_managers(told(tmp_path, f'managers: {{m: {{type: supervisor, url: "{url}"}}}}\n'))
