"""Load settings: read, merge, validate, cross-check, lint; every problem at once, at its file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from config.loader import Loaded
from config.loader import load as load_files
from daemon.settings.checks import cross_check
from daemon.settings.lint.registry import lint
from daemon.settings.model import Settings


def load(files: Sequence[Path], *, environment: Mapping[str, str]) -> Loaded[Settings]:
    """The settings of these files over the shipped pack; `.problems` are warnings. Raises `ConfigError`."""
    return load_files(files, Settings, environment=environment, check=_check)


def _check(loaded: Loaded[Settings]) -> None:
    cross_check(loaded)
    lint(loaded)
