"""What the three storage tiers have in common: the errors of a store, the pool of connections, the spool."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from demo import clock

Record = dict[str, Any]


class StoreError(Exception):
    """A store refused; `reason` is one of those the tier's health names."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Store(Protocol):
    """One tier's files. `write` and `read` raise StoreError."""

    def write(self, records: list[Record]) -> None: ...
    def read(self, asset: str) -> list[Record]: ...
    def facts(self) -> dict[str, Any]: ...


class Pool:
    """A bound on connections in use. Sessions that somebody took and never gave back stay counted."""

    def __init__(self, size: int, wait: float) -> None:
        self.size, self.wait = size, wait
        self.used = 0
        self.condition = threading.Condition()

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Raises StoreError("pool_exhausted") when none is free within the wait."""
        self.take()
        try:
            yield
        finally:
            with self.condition:
                self.used -= 1
                self.condition.notify()

    def take(self) -> None:
        end = clock.monotonic() + self.wait
        with self.condition:
            while self.used >= self.size:
                if not self.condition.wait(end - clock.monotonic()):
                    raise StoreError(
                        "pool_exhausted", f"no connection free: {self.used} of {self.size} in use"
                    )
            self.used += 1

    def resize(self, size: int) -> None:
        with self.condition:
            self.size = size
            self.condition.notify_all()

    def facts(self) -> dict[str, int]:
        return {"size": self.size, "used": self.used}


class Spool:
    """Writes that wait on an ordinary disk while the tier takes none; fsynced, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.count = len(path.read_bytes().splitlines()) if path.exists() else 0

    def add(self, records: list[Record]) -> None:
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))
            file.flush()
            os.fsync(file.fileno())
            self.count += len(records)

    def all(self) -> list[Record]:
        return (
            [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
            if self.path.exists()
            else []
        )

    def clear(self) -> None:
        with self.lock:
            self.path.unlink(missing_ok=True)
            self.count = 0
