"""Versioned configuration: folders v001, v002, … and a `current` link beside them, switched by one rename."""

import contextlib
import os
import re
from pathlib import Path

NAME = re.compile(r"v\d{3}")


def versions(parent: Path) -> list[str]:
    return sorted(entry.name for entry in parent.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name))


def current(parent: Path) -> str:
    """The name of the version the link points to; raises OSError without a link."""
    return (parent / "current").readlink().name


def links(parents: list[Path]) -> dict[str, str]:
    """What each `current` link points to now, by its own path; one that is missing is left out."""
    found = {}
    for parent in parents:
        with contextlib.suppress(OSError):
            found[str(parent / "current")] = current(parent)
    return found


def switch(parent: Path, version: str) -> None:
    """Point `current` to a version; readers see the old one or the new one, never none."""
    fresh = parent / f".current-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version)
    fresh.replace(parent / "current")


def publish(parent: Path, files: dict[str, str]) -> str:
    """Write the next version and return its name; the link stays where it is."""
    known = versions(parent)
    name = f"v{int(known[-1][1:]) + 1 if known else 1:03d}"
    folder = parent / name
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return name
