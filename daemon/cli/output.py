"""What leaves a command: JSON or tables on stdout, everything else on stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from daemon.errors import GOOD

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from daemon.desk.models import Model


MAX_LINE = 20_000
"""Characters of a value that are shown; `--json` has all of it."""
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
MAX_CELL = 2_000
"""Characters of one cell of a table."""
_REPLACED = "\ufffd"
"""Orders to a terminal, and characters that turn the direction of what follows."""


def plain(text: str) -> str:
    """The text without what could steer a terminal, and not endless: labels come from outside."""
    text = _UNSEEN.sub(_REPLACED, text)
    return text if len(text) <= MAX_LINE else f"{text[: MAX_LINE - 1]}…"


def console() -> Console:
    """Where tables go; without a terminal a hundred columns and no colours."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Print for people."""
    from rich.segment import Segment, Segments
    from rich.text import Text

    out = console()
    with _reader():
        for part in parts:
            whole = Text(part) if isinstance(part, str) else part
            # Colours are added to the segments afterwards, so whatever steers a terminal here came from outside.
            clean = [
                Segment(_UNSEEN.sub(_REPLACED, piece.text), piece.style)
                for piece in out.render(whole)
                if not piece.control
            ]
            out.print(Segments(clean))
        sys.stdout.flush()


def table(*columns: str) -> Table:
    """An empty table with these columns, as all of ours look."""
    from rich.table import Table

    class Bounded(Table):
        def add_row(self, *cells: Any, **more: Any) -> None:
            super().add_row(*(_cut(cell) for cell in cells), **more)

    made = Bounded(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def _cut(cell: Any) -> Any:
    if isinstance(cell, str) and len(cell) > MAX_CELL:
        return f"{cell[: MAX_CELL - 1]}…"
    if not isinstance(cell, str) and hasattr(cell, "truncate") and len(cell) > MAX_CELL:
        cell.truncate(MAX_CELL, overflow="ellipsis")
    return cell


def line(text: str = "") -> None:
    """Text on stdout, a line or more."""
    with _reader():
        sys.stdout.write(f"{_UNSEEN.sub(_REPLACED, text)}\n")
        sys.stdout.flush()


def crlf(text: str) -> None:
    """Text on stdout whose lines end in CRLF, as some formats want it."""
    with _reader():
        sys.stdout.write("\r\n".join(_UNSEEN.sub(_REPLACED, one) for one in text.split("\r\n")))
        sys.stdout.flush()


def say(text: str) -> None:
    """A remark on stderr, where it disturbs no script."""
    sys.stderr.write(f"fleetmend: {plain(text)}\n")


def complain(text: str) -> None:
    """Problems of a configuration on stderr, a line each."""
    sys.stderr.write("".join(f"{plain(one)}\n" for one in text.splitlines()))


def json_of(model: Model) -> None:
    """The model, and nothing else, on stdout."""
    json_text(model.json_text(indent=2))


def json_text(text: str) -> None:
    """JSON on stdout: what a terminal should not get is escaped, so that a reader gets the same data."""
    line(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


@contextmanager
def _reader() -> Iterator[None]:
    """Where the reader went away (`| head`) nobody is left to tell: that is an end, and no error."""
    try:
        yield
    except BrokenPipeError:
        # The interpreter flushes at its exit too, and must not find the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(GOOD) from None
