"""What leaves a command: JSON or tables on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from daemon.desk.models import Model


def console() -> Console:
    """Where tables go; without a terminal a hundred columns and no colours."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Print for people."""
    out = console()
    for part in parts:
        out.print(part, markup=False)


def line(text: str = "") -> None:
    """One line on stdout, as it is."""
    sys.stdout.write(f"{text}\n")


def say(text: str) -> None:
    """A remark on stderr, where it disturbs no script."""
    sys.stderr.write(f"fleetmend: {text}\n")


def json_of(model: Model) -> None:
    """The model, and nothing else, on stdout."""
    sys.stdout.write(f"{model.json_text(indent=2)}\n")
