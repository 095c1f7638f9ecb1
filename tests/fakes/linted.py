"""Configurations for tests of checks: a bare one, and a piece of YAML laid over it."""

from __future__ import annotations

from pathlib import Path

from config.loader import Loaded
from config.problems import ConfigError, Problem
from daemon.settings.load import load
from daemon.settings.model import Settings

BARE = """version: 1
pack: none
poll_interval: 15s
signing_keys: [{env: SIGNING_KEY}]
telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}
"""
ENVIRONMENT = {
    "SIGNING_KEY": "k" * 40,
    "FLEETMEND_SIGNING_KEY": "k" * 40,
    "ONCALL_CALENDAR": "https://calendar.example.org/private-4f1c9a/basic.ics",
    "SLACK_BOT": "xoxb-0123456789",
    "SLACK_SIGNING_SECRET": "8f742231b10e8888abcd99yyyzzz85a5",
    "CI_TOKEN_SHA256": "a" * 64,
}


def told(folder: Path, piece: str) -> list[Problem]:
    """Every problem of the piece over the bare configuration, errors or not. It stands in `piece.yaml`."""
    try:
        return loaded(folder, piece).problems
    except ConfigError as error:
        return list(error.problems)


def loaded(folder: Path, piece: str, bare: str = BARE) -> Loaded[Settings]:
    """The settings of the piece. Raises `ConfigError`."""
    (folder / "bare.yaml").write_text(bare, encoding="utf-8")
    (folder / "piece.yaml").write_text(piece, encoding="utf-8")
    return load([folder / "bare.yaml", folder / "piece.yaml"], environment=ENVIRONMENT)


def lines(problems: list[Problem], code: str) -> list[int]:
    """Lines in the piece that the check is told at."""
    return [one.line for one in problems if one.code == code and Path(one.file).name == "piece.yaml"]
