"""What leaves a command: JSON or tables on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import GOOD

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from daemon.desk.models import Model


def console() -> Console:
    """Where tables go; without a terminal a hundred columns and no colours."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Print for people."""
    out = console()
    with _reader():
        for part in parts:
            out.print(part, markup=False)
        sys.stdout.flush()


def table(*columns: str) -> Table:
    """An empty table with these columns, as all of ours look."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def line(text: str = "") -> None:
    """One line on stdout, as it is."""
    with _reader():
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def say(text: str) -> None:
    """A remark on stderr, where it disturbs no script."""
    sys.stderr.write(f"fleetmend: {text}\n")


def json_of(model: Model) -> None:
    """The model, and nothing else, on stdout."""
    line(model.json_text(indent=2))


@contextmanager
def _reader() -> Iterator[None]:
    """Where the reader went away (`| head`) nobody is left to tell: that is an end, and no error."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes at its exit too, and must not find the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(GOOD) from None
