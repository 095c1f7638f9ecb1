"""A story told once, and its daemon killed at every point of it: what follows each death is played to its end.

A crash takes everything in memory with it, so what a restart finds is the store's rows and the world as they stood:
both are kept at every point of the first telling, and each death begins from there. Deaths that leave the same rows
and the same world are one.
"""

from __future__ import annotations

import copy
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from daemon.replay.virtual import Time
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from remediations.ports import Ports
from tests.fakes.crash_stories import Tale, play
from tests.fakes.points import Fate, When, noted, watched
from tests.fakes.ports import EPOCH
from tests.fakes.promises import Received
from tests.fakes.story import HOUR, Story
from tests.fakes.world import PAGER, World


class WatchedWorld(World):
    """A world whose doors tell `fate` of every effect."""

    fate: Fate | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for consumer in self.consumers.values():
            consumer.requests = 10.0  # as the demo's, whose windows are seconds

    @property
    def ports(self) -> Ports:
        ports = super().ports
        return ports if self.fate is None else watched(ports, self.fate)

    @property
    def keys(self) -> list[str]:
        """Of what was carried out, in order; empty where a door has no place for a key."""
        return [effect.key for effect in self.effects]

    @property
    def received(self) -> list[Received]:
        """What the pager took, whether or not its answer was heard."""
        taken = ((orjson.loads(r.body or b"{}"), r.headers) for r in self.http.sent("POST", PAGER))
        return [
            Received(headers["webhook-id"], body["type"].removeprefix("incident."), body["data"]["incident"])
            for body, headers in taken
        ]

    def __deepcopy__(self, memo: dict[int, Any]) -> WatchedWorld:
        """The same world once more, with nobody told of anything; what only grows is not copied item by item."""
        for grows in (self.http.requests, self.effects, self.sent):
            memo[id(grows)] = list(grows)  # type: ignore[call-overload]  # three kinds of list
        memo[id(self._alone)], memo[id(self.fate)] = threading.Lock(), None
        twin = memo[id(self)] = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(twin, name, copy.deepcopy(value, memo))
        return twin


class WatchedStore(Store):
    """A store in memory that tells `fate` of every commit. `rows`: as the last commit left them."""

    fate: Fate | None = None
    rows: bytes = b""

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[UnitOfWork]:
        whole = super().write(epoch=epoch)
        if self.fate is not None:
            self.rows = self.copied()
            whole = noted(whole, self.fate)
        with whole as unit:
            yield unit

    def copied(self) -> bytes:
        return _driver(self).serialize()

    @classmethod
    def of(cls, rows: bytes) -> WatchedStore:
        store = cls.open("sqlite://")
        _driver(store).deserialize(rows)
        return store


def _driver(store: Store) -> sqlite3.Connection:
    driver = store._engine.raw_connection().driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


OVER = {"incidents resolved", "incidents closed"}


@dataclass(frozen=True)
class Death:
    """What a restart finds. `points`: all that a death at this very moment stands for."""

    rows: bytes
    world: WatchedWorld
    points: list[tuple[str, When]]
    late: bool
    """The incident is over: what is left are its debts."""


@dataclass
class Telling:
    """Notes every point of a story, and keeps what a death at the first of its kind would leave."""

    world: WatchedWorld
    store: WatchedStore
    points: dict[str, None] = field(default_factory=dict)
    """In the order they came."""
    begun: bool = False
    late: bool = False
    deaths: list[Death] = field(default_factory=list)
    _seen: set[tuple[str, When]] = field(default_factory=set)
    _stood: tuple[bytes, float, int] | None = None

    def reached(self, names: frozenset[str], when: When) -> None:
        if not self.begun:
            return
        fresh = sorted((name, when) for name in names if (name, when) not in self._seen)
        writes = not any(name.startswith(("http", "supervisor", "link", "webhook")) for name in names)
        rows = self.store.rows if writes and when is When.BEFORE else self.store.copied()
        stands = (rows, self.world.time.now(), len(self.world.effects) + len(self.world.sent))
        if fresh and stands == self._stood:
            self.deaths[-1].points.extend(fresh)
        elif fresh:
            self.deaths.append(Death(rows, copy.deepcopy(self.world), fresh, self.late))
            self._stood = stands
        self._seen.update(fresh)
        self.late = self.late or bool(names & OVER)
        self.points.update(dict.fromkeys(sorted(names)))


def told(tale: Tale, base: str, more: str) -> Telling:
    """Tell a story to its end; note its points and deaths from the moment it is broken on. The last is a restart."""
    world, store = WatchedWorld(Time(EPOCH + 2 * HOUR)), WatchedStore.open("sqlite://")
    telling = Telling(world, store)
    world.fate = store.fate = telling
    story = Story(more, world=world, store=store, only=tale.detectors, base=base, warm=20.0)
    tale.break_it(world)
    telling.begun = True
    play(story)
    story.driver.crash()
    return telling


def restarted(death: Death, tale: Tale, base: str, more: str) -> Story:
    """The story as it goes on after that death."""
    world, store = copy.deepcopy(death.world), WatchedStore.of(death.rows)
    return Story(more, world=world, store=store, only=tale.detectors, base=base, warm=0.0)
