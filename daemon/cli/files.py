"""The little that every command needs at once: the version, and whether its files are there."""

from __future__ import annotations

import importlib.metadata
import stat
from collections.abc import Sequence
from pathlib import Path

from config.regular import kind_of
from daemon.errors import UsageError


def version() -> str:
    """The product's version."""
    return importlib.metadata.version("fleetmend")


def need_files(files: Sequence[Path]) -> None:
    """Raises `UsageError` for a file that is not there, or is none: the commonest slip gets the plainest answer."""
    for file in files:
        try:
            mode = file.stat().st_mode
        except (OSError, ValueError):
            raise UsageError(f"{file}: no such file") from None
        if not stat.S_ISREG(mode):
            remedy = "name the files in it" if stat.S_ISDIR(mode) else "name a file"
            raise UsageError(f"{file}: it is {kind_of(mode)}, not a file; {remedy}")
