"""The commit of one whole decision, beside what the disk takes to sync a few bytes."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure, ms
from daemon.store.store import Store
from tests.fakes import rows

TRIES = 300
GROUP = 100
IN_MEMORY, EACH = 0.001, 0.0001
LINE = b"x" * 120


def figures() -> list[Figure]:
    """A decision in a file with full sync, the same in memory, and a bare sync."""
    with tempfile.TemporaryDirectory() as folder:
        sync = _median(_syncs(Path(folder) / "bare"))
        with Store.open(f"sqlite:///{folder}/state.db") as store:
            store.migrate()
            on_disk = _median(_commits(store))
    with Store.open(":memory:") as store:
        in_memory = _median(_commits(store))
        group = [rows.alert(f"f{number}") for number in range(GROUP)]
        alerts = _median(lambda _: store.record(alerts=group)) / GROUP
    beside = f"in memory {ms(in_memory)}; append and fdatasync of {len(LINE)} bytes {ms(sync)}"
    aim, each = f"<= {ms(IN_MEMORY)}", f"<= {ms(EACH)}"
    return [
        Figure("commit of a decision (9 rows, 15 guardrails)", ms(on_disk), beside=beside),
        Figure("the same without a disk", ms(in_memory), aim, in_memory <= IN_MEMORY),
        Figure(f"one alert of {GROUP} recorded together, without a disk", ms(alerts), each, alerts <= EACH),
    ]


def _median(once: Callable[[int], object]) -> float:
    took = []
    for number in range(TRIES):
        began = time.perf_counter()
        once(number)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _syncs(path: Path) -> Callable[[int], None]:
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def once(_: int) -> None:
        os.write(file, LINE)
        os.fdatasync(file)

    return once


def _commits(store: Store) -> Callable[[int], None]:
    def once(number: int) -> None:
        with store.write() as uow:
            uow.apply(rows.decision(number))

    return once
