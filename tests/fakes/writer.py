"""A program that writes numbered rows to whichever server takes writes, and remembers which of them were acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

PAUSE = 0.02
"""Seconds between two tries while nobody takes writes."""


class Writer:
    """`dsn` may name several servers; `acknowledged` is what it was told is safe."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stop = threading.Event()
        self.acknowledged: list[int] = []
        self.reconnected = 0

    def run(self) -> None:
        """Until stopped; every broken connection is made anew, as a pool does."""
        number = 0
        while not self._stop.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._dsn, autocommit=True) as connection:
                self.reconnected += 1
                while not self._stop.is_set():
                    number += 1
                    connection.execute("INSERT INTO positions VALUES (%s)", (number,))
                    self.acknowledged.append(number)
            self._stop.wait(PAUSE)

    def wrote(self, more: int, within: float = 15.0) -> None:
        """Wait until so many more rows were acknowledged. Fails when they were not."""
        wanted = len(self.acknowledged) + more
        for _ in range(int(within / PAUSE)):
            if len(self.acknowledged) >= wanted:
                return
            threading.Event().wait(PAUSE)
        raise AssertionError(f"{wanted - len(self.acknowledged)} of {more} rows were not acknowledged")

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def writing(dsn: str) -> Iterator[Writer]:
    """A writer at work beside the test."""
    writer = Writer(dsn)
    thread = threading.Thread(target=writer.run, daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        writer.stop()
        thread.join(10)
