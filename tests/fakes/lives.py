"""A story on real processes: one daemon after the other, each killed at the first of its moments, until the story is over."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.errors import StoreError
from daemon.incidents.model import Incident
from daemon.incidents.records import Debt, Delivery, DeliveryState, Order
from daemon.store.store import Store
from remediations.run import Run, RunState
from tests.fakes.crash_stories import DEMO_FILE, Tale, as_a_person, handed_over, mend, over, where
from tests.fakes.living import Living, Nursery, pause
from tests.fakes.living_config import free_port
from tests.fakes.points import When
from tests.fakes.promises import PAGES, Broken, broken, kept
from tests.fakes.served import ServedWorld
from tests.fakes.story import EVERYTHING, SECRETS

Moment = tuple[str, str]
_ONE_FORK = threading.Lock()
"""Stories go side by side; the nursery hears one order at a time."""
TAKEN = "cannot listen on"
"""What a daemon says last whose port is not free."""
LOOK = 0.1
HEALTHY = 3.0
"""Seconds of health before it is broken: rates need a window."""
HANDED_OVER_WITHIN, OVER_WITHIN, PERSON_EVERY = 120.0, 90.0, 2.0


@dataclass
class Lives:
    """`moments`: where its daemons are still to die; those where one did go to `died`."""

    folder: Path
    world: ServedWorld
    nursery: Nursery
    playbook: str
    tale: Tale
    moments: set[Moment] = field(default_factory=set)
    died: list[list[Moment]] = field(default_factory=list)
    lives: list[Living] = field(default_factory=list)

    # ------------------------------------------------------------------ told

    def play(self, *, debts: bool) -> Broken:
        """From health to the very end; `debts`: what is owed is given back too. What was not kept."""
        self._write()
        self._start()
        self._until("it is healthy", HEALTHY, lambda: False, demanded=False)
        with self.world.turn:
            self.tale.break_it(self.world)
        self._until("it is mended or handed over", HANDED_OVER_WITHIN, lambda: handed_over(self))
        with self.world.turn:
            mend(self.world)
        self._until("it is over", OVER_WITHIN, lambda: self._over(debts=debts), person=True)
        self.close()
        if len(self._deaths()) > len(self.died):  # of the very moment that ended the story
            self._bury()
        with self._store() as store, store.read() as uow:
            return broken(kept(uow, self.world.keys, self.world.received, len(self.died)))

    def close(self) -> None:
        for life in self.lives:
            life.kill()

    def points(self) -> set[str]:
        """Every point that any of its daemons reached."""
        return {line.partition("\t")[2] for line in self._log_lines() if not line.startswith("killed\t")}

    def _over(self, *, debts: bool) -> bool:
        return bool(self.incidents()) and over(self, debts=debts)

    def _until(
        self, what: str, within: float, holds: Any, *, person: bool = False, demanded: bool = True
    ) -> None:
        until = self.world.time.now() + within
        looked = self.world.time.now()
        while not holds():
            now = self.world.time.now()
            if now > until:
                assert not demanded, f"{self.tale.name}: not within {within:g} s: {what}; {self.told()}"
                return
            if self.lives[-1].gone():
                self._bury()
                until += 10.0  # a death takes time
                self._start()
            if person and now > looked + PERSON_EVERY:
                as_a_person(self)
                looked = now
            pause(LOOK)

    def told(self) -> str:
        lines = [f"died {self.died}", self.lives[-1].tail(15)]
        with self._store() as store, store.read() as uow:
            for one in self.incidents():
                lines.append(f"{one.id} {one.failure_mode} {one.state}")
                lines += [
                    f"  {event.at:.1f} {event.kind} {event.text[:150]}" for event in uow.timeline.of(one.id)
                ]
        return "\n".join(lines)

    # ------------------------------------------------------------------ processes

    def _write(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        url = self.world.url
        laid = json.loads(
            where(self.playbook, self.world.vars(), f"{url}/edge/metrics", f"{url}/pager/ana", url)
        )
        off = {name: {"enabled": False} for name in EVERYTHING if name not in self.tale.detectors}
        laid["detectors"] = {**laid["detectors"], **off}
        more = {"state": f"sqlite:///{self.folder / 'state.db'}", "listen": f"127.0.0.1:{self.port}"}
        self._file.write_text(json.dumps({**laid, **more}), encoding="utf-8")

    @property
    def _file(self) -> Path:
        return self.folder / "laid-over.yaml"

    @property
    def _log(self) -> Path:
        return self.folder / "points.log"

    def _start(self) -> None:
        log = self.folder / f"daemon-{len(self.lives)}.log"
        order = {
            "argv": ["run", "--config", str(DEMO_FILE), "--config", str(self._file)],
            "env": SECRETS,
            "log": str(log),
            "doom": {"log": str(self._log), "moments": sorted(self.moments)},
        }
        with _ONE_FORK:
            pid = self.nursery.fork(order)
        self.lives.append(Living(pid, log, self.port))

    def _bury(self) -> None:
        """The daemon is gone: it must have been killed where it was doomed. One whose port somebody else took meanwhile
        has not begun, and is given another one.
        """
        last = self._deaths()
        if len(last) == len(self.died) and TAKEN in self.lives[-1].tail():
            self._write()
            return
        assert len(last) == len(self.died) + 1, f"it ended by itself: {self.lives[-1].tail()}"
        hit: list[Moment] = [(name, when) for name, when in json.loads(last[-1].partition("\t")[2])]
        self.died.append(hit)
        self.moments -= set(hit)

    def _deaths(self) -> list[str]:
        return [line for line in self._log_lines() if line.startswith("killed\t")]

    def _log_lines(self) -> list[str]:
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    # ------------------------------------------------------------------ as a story is looked at

    def _store(self) -> Store:
        return Store.open(f"sqlite:///{self.folder / 'state.db'}", read_only=True)

    def incidents(self) -> list[Incident]:
        try:
            with self._store() as store, store.read() as uow:
                return list(uow.incidents.search(limit=100).incidents)
        except StoreError:
            return []

    def run_of(self, incident: Incident) -> Run:
        with self._store() as store, store.read() as uow:
            run = uow.runs.get(incident.id)
        return run or Run(incident.id, None, RunState.GAVE_UP, 0.0)

    def deliveries(self, incident: str) -> list[Delivery]:
        with self._store() as store, store.read() as uow:
            return list(uow.deliveries.of(incident))

    def of(self, incident: str) -> dict[str, Any]:
        standing = {DeliveryState.OWED, DeliveryState.SENDING}
        return {"sending": [row for row in self.deliveries(incident) if row.state in standing]}

    def paged(self, incident: Incident) -> list[int]:
        return [row.level for row in self.deliveries(incident.id) if row.event in PAGES]

    def debts(self, incident: Incident) -> list[Debt]:
        with self._store() as store, store.read() as uow:
            return list(uow.debts.of(incident.id))

    def order(self, kind: str, incident: Incident | None = None, who: str = "ana", **args: Any) -> None:
        """What the command line writes."""
        row = Order(0, self.world.time.now(), kind, who, "cli", incident.id if incident else None, args)
        with Store.open(f"sqlite:///{self.folder / 'state.db'}") as store:
            store.record(orders=[row])


def both(names: Iterable[str]) -> set[Moment]:
    """Each, before and after."""
    return {(name, str(when)) for name in names for when in When}


def together(stories: Sequence[Lives], *, debts: bool) -> Broken:
    """Stories side by side: they wait most of the time. What was not kept, each named by its story."""
    with ThreadPoolExecutor(len(stories)) as pool:
        ends = [pool.submit(story.play, debts=debts) for story in stories]
    sum_ = Broken()
    for story, end in zip(stories, ends, strict=True):
        wrong = end.result()
        named = [
            [f"{story.tale.name}, killed at {story.died}: {text}" for text in kind] for kind in wrong.kinds
        ]
        sum_ += Broken(*named)
    return sum_
