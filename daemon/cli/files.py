"""The little that every command needs at once: the version, and whether its files are there."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

from daemon.errors import UsageError


def version() -> str:
    """The product's version."""
    return importlib.metadata.version("fleetmend")


def need_files(files: Sequence[Path]) -> None:
    """Raises `UsageError` for a file that is not there: the commonest slip gets the plainest answer."""
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: no such file")
