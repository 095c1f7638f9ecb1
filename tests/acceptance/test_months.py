"""Time alone costs nothing: a day of being held back, and a month at full cardinality, leave memory and store as they were.

Cases B21 and B22 of how other engines broke. In the gate the daemon looks and scrapes
less often, so that a month takes seconds; in `make soak` it looks every ten seconds and scrapes every five minutes.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.incidents.model import IncidentState
from daemon.incidents.records import Order
from daemon.loop.core import Loop
from daemon.loop.messages import Recorded
from daemon.replay.horizon import Horizon
from daemon.store.retention import Retention
from remediations.run import RunState
from tests.conftest import SOAK
from tests.fakes.parts import Parts, config, rung

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
LONG = bool(os.environ.get(SOAK))
PACE = 10.0 if LONG else 5 * MINUTE
FLAT = 2_000
"""Blocks more or less that caches make."""
pytestmark = pytest.mark.timeout(3600 if LONG else 300)


@dataclass(frozen=True)
class Memory:
    """`objects`: blocks that Python holds, a measure that costs nothing. `resident`: bytes of the process."""

    objects: int
    resident: int

    @classmethod
    def now(cls) -> Memory:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE"))


def bytes_of(store: Path) -> int:
    """Size of a database once its log was written back into it."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store.stat().st_size


class Seldom(Horizon):
    """Looks at what waits every `PACE` seconds."""

    def next_at(self, loop: Loop, *rest: object) -> float:  # type: ignore[override]  # passed on as they are
        jobs, now = rest
        due = super().next_at(loop, jobs, now)  # type: ignore[arg-type]  # likewise
        return max(due, now + PACE) if not jobs else due  # type: ignore[operator]  # likewise


def test_a_day_of_being_held_back_writes_nothing_and_holds_no_more_memory(tmp_path: Path) -> None:
    """B21: 24 hours blocked by a maintenance, database and memory flat."""
    path = tmp_path / "state.db"
    story = Parts(config([rung("mend")], poll=MINUTE if LONG else 5 * MINUTE), url=f"sqlite:///{path}")
    story.run(10 * MINUTE)
    order = Order(0, story.now, "maintenance", "ana", "cli", None, {"reason": "move", "for": 2 * DAY})
    story.store.record(orders=[order])
    story.driver.hear(Recorded())
    story.broken.add("p0")
    story.driver._horizon = Seldom()
    story.run(30 * MINUTE)
    assert story.run_of(story.incident()).state is RunState.WAITING
    story.run(90 * MINUTE)
    run, told = story.run_of(story.incident()), story.events(story.incident())
    size = bytes_of(path)
    memory, looked = Memory.now(), story.driver.steps
    story.run(22 * HOUR)
    after = Memory.now()
    print(f"{story.driver.steps - looked} looks in 22 h; {memory} before, {after} after")
    assert story.driver.steps - looked >= 22 * 12
    assert story.run_of(story.incident()) == run, "waiting writes nothing"
    assert story.events(story.incident()) == told
    assert bytes_of(path) == size
    assert after.objects - memory.objects < FLAT
    assert after.resident < 1.05 * memory.resident


SERIES = 200
"""At the limit: all of them are looked at."""


def test_a_month_at_full_cardinality_with_a_fault_a_day_holds_no_more_memory() -> None:
    """B22: 30 days, growth under 5 %. Every day another part fails and is mended, and what ended is pruned."""
    poll = 5 * MINUTE if LONG else HOUR
    patient = rung("mend", verify={"within": "6h", "hold": "2h"})
    written = config([patient], poll=poll, limits={"series": SERIES})
    story = Parts(written, names=[f"p{n}" for n in range(SERIES)], mends=lambda _, __: True)
    keep = Retention(timeline=2 * DAY, closed_incidents=2 * DAY)
    memory: list[Memory] = []
    for day in range(30):
        story.run(6 * HOUR)
        story.broken.add(f"p{day}")
        story.run(18 * HOUR)
        story.store.prune(story.now, keep)
        memory.append(Memory.now())
    left = story.incidents()
    print(
        f"{story.driver.steps} looks, {len(story.calls)} mended; {memory[9]} after 10 days, {memory[-1]} after 30"
    )
    assert len(story.calls) == 30
    assert {incident.state for incident in left} == {IncidentState.RESOLVED}, story.told()
    assert story.pages == []
    assert len(left) <= 3, "what ended is forgotten after its time"
    assert max(day.objects for day in memory[-3:]) - max(day.objects for day in memory[7:10]) < FLAT
    assert memory[-1].resident < 1.05 * memory[9].resident
