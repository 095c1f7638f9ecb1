"""Told: who was paged directly and not yet told the end, kept where a store that cannot be written is no matter.

One empty file each, beside the store; its name says it all, and its date when the page was taken. A disk without room
for a single byte more still takes an empty file, and a daemon that was killed meanwhile, or could not start, leaves it
to the next one that can. Where the folder takes nothing, as one that can only be read, a second folder does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

NOT_YET = 0.0
"""Date of a file whose page nobody has taken yet."""


class Told:
    """`store`: the store's file; None where it is none, and nothing outlives the process then.

    What cannot be kept is not kept: the page has gone out all the same.
    """

    def __init__(self, store: Path | None, also: Path | None = None) -> None:
        self._name = store.name if store is not None else ""
        self._folders = [store.parent, *([also] if also is not None else [])] if store is not None else []

    @classmethod
    def near(cls, store: Path | None, environment: Mapping[str, str]) -> Self:
        """With the folder that systemd makes for the time the machine runs, where it does."""
        runtime = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        return cls(store, Path(runtime) if runtime else None)

    def add(self, part: str, address: str, kind: str) -> None:
        """`part` of the daemon, address (`ana/0`) and kind of the channel. What is there already keeps its date."""
        for file in self._files(part, address, kind):
            with suppress(OSError):
                if not file.exists():
                    file.touch(mode=0o600)
                    os.utime(file, (NOT_YET, NOT_YET))
                return

    def taken(self, part: str, address: str, kind: str, now: float) -> None:
        """The page was taken, or may have been, at `now`."""
        for file in self._files(part, address, kind):
            with suppress(OSError):
                os.utime(file, (now, now))

    def taken_at(self, part: str, address: str, kind: str) -> float | None:
        """When its last page was taken; None when none is known to have been."""
        for file in self._files(part, address, kind):
            with suppress(OSError):
                return file.stat().st_mtime or None
        return None

    def forget(self, part: str, address: str, kind: str) -> None:
        for file in self._files(part, address, kind):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def listed(self) -> tuple[tuple[str, str, str], ...]:
        """(part, address, kind) of everyone who still waits for the end, in order."""
        before = f"{self._name}.told."
        names: set[str] = set()
        for folder in self._folders:
            with suppress(OSError):
                names.update(file.name for file in folder.iterdir() if file.name.startswith(before))
        found = [name.removeprefix(before).split(".", 2) for name in sorted(names)]
        return tuple(
            (part, unquote(address), kind) for part, kind, address in (f for f in found if len(f) == 3)
        )

    def _files(self, part: str, address: str, kind: str) -> Iterator[Path]:
        name = f"{self._name}.told.{part}.{kind}.{quote(address, safe='')}"
        return (folder / name for folder in self._folders)
