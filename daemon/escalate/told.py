"""Told: who was paged directly and not yet told the end, kept where a store that cannot be written is no matter.

One empty file each, beside the store; its name says it all. A disk without room for a single byte more still takes an
empty file, and a daemon that was killed meanwhile, or could not start, leaves it to the next one that can.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote


class Told:
    """`store`: the store's file; None where it is none, and nothing outlives the process then.

    What cannot be kept is not kept: the page has gone out all the same.
    """

    def __init__(self, store: Path | None) -> None:
        self._store = store

    def add(self, part: str, address: str, kind: str) -> None:
        """`part` of the daemon, address (`ana/0`) and kind of the channel."""
        if self._store is not None:
            with suppress(OSError):
                self._file(self._store, part, address, kind).touch(mode=0o600)

    def forget(self, part: str, address: str, kind: str) -> None:
        if self._store is not None:
            with suppress(OSError):
                self._file(self._store, part, address, kind).unlink(missing_ok=True)

    def listed(self) -> tuple[tuple[str, str, str], ...]:
        """(part, address, kind) of everyone who still waits for the end, in order."""
        if self._store is None:
            return ()
        before = f"{self._store.name}.told."
        try:
            names = [file.name for file in self._store.parent.iterdir()]
        except OSError:
            return ()
        found = [name.removeprefix(before).split(".", 2) for name in sorted(names) if name.startswith(before)]
        return tuple(
            (part, unquote(address), kind) for part, kind, address in (f for f in found if len(f) == 3)
        )

    @staticmethod
    def _file(store: Path, part: str, address: str, kind: str) -> Path:
        return store.with_name(f"{store.name}.told.{part}.{kind}.{quote(address, safe='')}")
