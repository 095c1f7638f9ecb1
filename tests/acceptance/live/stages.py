"""One pipeline with its daemon for several tests, in a folder with a short path, and what it said while it played."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.playing import Playing, playing
from daemon.cli.rows import Row
from daemon.cli.scenario import Judged

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Stage:
    """`said`: every line of the runner so far; the timeline of whatever went wrong is in it."""

    playing: Playing
    said: list[str]

    def play(self, name: str, by_hand: Callable[[], None] | None = None) -> Row:
        """Play `MODE:VARIANT`; fails with everything that was wrong and the timelines of its incidents."""
        mode, _, variant = name.partition(":")
        left_out = self.playing.found.pipeline.left_out()
        assert (mode, variant) not in left_out, f"left out on this machine: {left_out[mode, variant]}"
        return self.must_be_right(self.playing.play(mode, variant, by_hand))

    def must_be_right(self, judged: Judged) -> Row:
        if judged.wrong:
            raise AssertionError("\n".join([*judged.wrong, *self.said[-200:]]))
        self.said.clear()
        return judged.row

    def last_words(self, lines: int = 40) -> str:
        """The end of the daemon's log, for what went wrong outside of any row."""
        log = self.playing.found.pipeline.state / "log" / "fleetmend.log"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def clean_environment() -> dict[str, str]:
    """What the demo's processes get: nothing of ours but the way to the code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLEETMEND_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose sockets fit into an address: a test's own temporary folder is too deep."""
    folder = Path(tempfile.mkdtemp(prefix="fm-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def staged(*, source: str = "scrape", configs: tuple[Path, ...] = ()) -> Iterator[Stage]:
    """Bring one up, and end every process of it."""
    said: list[str] = []
    with (
        short_folder() as folder,
        playing(folder / "s", clean_environment(), said.append, source=source, configs=configs) as found,
    ):
        yield Stage(found, said)
