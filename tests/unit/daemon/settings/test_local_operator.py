"""`local_operator`: off unless asked for, refused where others could reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import ConfigError, Gravity
from daemon.settings.load import load

BASE = "version: 1\npack: none\n"
TOKEN = "tokens: [{name: ci, role: operator, sha256: {env: DIGEST}}]\n"
DIGEST = {"DIGEST": "a" * 64}


def told(folder: Path, text: str) -> list[tuple[Gravity, str]]:
    """(gravity, text) of every problem with the key."""
    file = folder / "fleetmend.yaml"
    file.write_text(BASE + text, encoding="utf-8")
    try:
        problems = load([file], environment=DIGEST).problems
    except ConfigError as error:
        problems = list(error.problems)
    return [(p.severity, p.problem) for p in problems if p.path == "local_operator"]


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "fleetmend.yaml"
    file.write_text(BASE, encoding="utf-8")
    assert load([file], environment={}).model.local_operator is False


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("", "the default listens on loopback"),
        ("listen: localhost:9876\n", "by name"),
        ('listen: "[::1]:9876"\n', "IPv6"),
        ("public_url: http://127.0.0.1:9876\n", "links that lead to this machine"),
    ],
)
def test_it_is_taken_on_loopback(tmp_path: Path, more: str, why: str) -> None:
    assert told(tmp_path, f"local_operator: true\n{more}") == [], why


@pytest.mark.parametrize(
    ("more", "named", "why"),
    [
        ("listen: 0.0.0.0:9876\n", "0.0.0.0:9876", "every address of this machine"),
        ('listen: "[::]:9876"\n', "[::]:9876", "the same, IPv6"),
        ("listen: 192.0.2.7:9876\n", "192.0.2.7:9876", "an address of the network"),
        ("listen: fleet.example.org:9876\n", "fleet.example.org:9876", "a name that may lead anywhere"),
        ("public_url: https://fleet.example.org\n", "https://fleet.example.org", "a proxy passes others on"),
    ],
)
def test_it_is_refused_where_others_could_reach_it(tmp_path: Path, more: str, named: str, why: str) -> None:
    ((gravity, problem),) = told(tmp_path, f"local_operator: true\n{more}")
    assert gravity is Gravity.ERROR, why
    assert named in problem, why


def test_beside_tokens_it_is_said_to_be_without_effect(tmp_path: Path) -> None:
    ((gravity, problem),) = told(tmp_path, f"local_operator: true\n{TOKEN}")
    assert gravity is Gravity.WARNING
    assert "no effect" in problem
