"""Random crowds: incidents by the dozen, acknowledgements, ends, refusals, silences of the provider and crashes.

What must hold whatever comes: nothing is lost, nothing is told twice but what may not have arrived, each page has one
end, and nobody reads more than five pages in five minutes. Each seed is one story; `STORY_SEEDS` runs more of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from daemon.escalate.message import Message, Receipt, ReceiptKind
from daemon.escalate.owed import PAGES, reached
from daemon.escalate.rules import Level, Policy
from daemon.escalate.triggers import Acked
from daemon.incidents.change import Job
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from tests.unit.escalate.crowd import OK, Crowd, crowd

pytestmark = pytest.mark.timeout(400)

SEEDS = range(int(os.environ.get("STORY_SEEDS", "3")))
STEPS = 50
LEVELS = Policy((Level(("person:ana",)), Level(("person:ben",), after={"critical": 900.0, "high": 1800.0})))
FIVE_MINUTES, MOST = 300.0, 5
LATER = Receipt(ReceiptKind.TEMPORARY, "503")
SILENT = Receipt(ReceiptKind.AMBIGUOUS, "no answer")


@dataclass
class Story:
    """One random story. `arrived`: every message that came to its reader, also those that nobody answered."""

    house: Crowd
    dice: random.Random
    names: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    arrived: list[tuple[float, str, Message]] = field(default_factory=list)
    doubtful: int = 0
    """Tries after which a repeat is right: without an answer, or before a crash."""
    _send: Callable[[Job], Receipt] = field(init=False)

    def __post_init__(self) -> None:
        self._send = self.house.send
        self.house.send = self.send  # type: ignore[method-assign]  # looks over the worker's shoulder

    def send(self, job: Job) -> Receipt:
        message: Message = job.args["message"]
        if message.event in PAGES:
            told = set(message.several or (message.incident,))
            assert not told & self.ended, "a page after the end"
        receipt = self._send(job)
        if receipt.kind in {ReceiptKind.OK, ReceiptKind.AMBIGUOUS}:
            self.arrived.append((self.house.now, job.args["address"], message))
        self.doubtful += receipt.kind is ReceiptKind.AMBIGUOUS
        return receipt

    # ------------------------------------------------------------------ what happens

    def more(self) -> None:
        for _ in range(self.dice.choice((1, 1, 2, 3, 8, 20))):
            self.names.append(f"sf-{len(self.names):03}")
            self.house.page(self.names[-1], severity=self.dice.choice(("critical", "high")))

    def acknowledged(self) -> None:
        for name in self.some():
            self.house.tell(Acked("chloe"), key=name)

    def over(self) -> None:
        for name in self.some():
            self.ended.add(name)
            self.house.end(name)

    def trouble(self) -> None:
        self.house.answers += self.dice.choices((LATER, SILENT, OK), k=self.dice.randint(1, 4))

    def crash(self) -> None:
        self.house.dispatch()
        jobs = self.house.take()
        for job in jobs[: self.dice.randint(0, len(jobs))]:
            self.doubtful += self.send(job).kind is ReceiptKind.OK
        self.house.crash()

    def time(self) -> None:
        self.house.pass_time(self.dice.choice((1, 5, 30)))

    def some(self) -> list[str]:
        left = [name for name in self.names if name not in self.ended]
        return self.dice.sample(left, min(len(left), self.dice.choice((1, 2, 10))))

    def step(self) -> None:
        self.dice.choice((self.more, self.acknowledged, self.over, self.trouble, self.crash, self.time))()
        self.house.pass_time(1)


def told(house: Crowd, name: str) -> None:
    """Every row has come to an end, and whoever may have got a page got one end."""
    rows = house.deliveries(name)
    assert {row.state for row in rows} <= {DeliveryState.ACCEPTED, DeliveryState.DROPPED}
    assert any(row.event is PageEvent.TRIGGER for row in rows)
    for address in {row.address for row in rows}:
        here = [row for row in rows if row.address == address]
        paged = any(row.event in PAGES and reached(row) for row in here)
        ends = [row for row in here if row.event is PageEvent.RESOLVE and reached(row)]
        assert len(ends) == int(paged), (name, address)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes_nothing_is_lost_and_nobody_is_flooded(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    with Store.open(":memory:") as store:
        house = crowd(store, "webhook", policy=LEVELS)
        story = Story(house, random.Random(seed))
        for _ in range(STEPS):
            story.step()
        house.answers.clear()
        house.until_told(3600)
        for name in story.names:
            if name not in story.ended:
                story.ended.add(name)
                house.end(name)
        house.until_told(7200)
        assert not house.owed()
        for name in story.names:
            told(house, name)
        flooded(story)
        record_property(
            "counted", f"random crowd {seed}: {len(story.names)} incidents, {len(story.arrived)} messages"
        )


def flooded(story: Story) -> None:
    by_key: dict[str, list[set[str]]] = {}
    first: dict[str, list[float]] = {}
    for at, address, message in story.arrived:
        carried = set(message.several or (message.incident,))
        if message.key not in by_key and message.event in PAGES:
            first.setdefault(address, []).append(at)
        by_key.setdefault(message.key, []).append(carried)
    repeats = sum(len(tries) - 1 for tries in by_key.values())
    assert repeats <= story.doubtful, "only what may not have arrived comes again"
    for tries in by_key.values():
        assert all(later <= earlier for earlier, later in pairwise(tries)), "nothing joins"
    for times in first.values():
        assert all(sum(start <= at < start + FIVE_MINUTES for at in times) <= MOST for start in times)
