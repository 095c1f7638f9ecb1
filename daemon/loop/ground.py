"""What the loop stands on: its store, stages and pools, and the one way to change anything: `item`.

One item is one transaction: its rows, events and deliveries are committed together, and its jobs leave after the
commit. An item that raises is parked with a page of its own; the others go on.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from config.drills import DrillsSpec
from daemon import log
from daemon.assess.causes import undecided_causes
from daemon.assess.levels import Level
from daemon.assess.topology import Topology
from daemon.detect.stage import Detection
from daemon.errors import LeaseLost, Stale, StoreSick
from daemon.escalate.stage import Escalate
from daemon.escalate.triggers import Trigger
from daemon.incidents.change import Change, Job
from daemon.incidents.model import Incident
from daemon.loop import say, triggers
from daemon.loop.control import SwitchBoard
from daemon.loop.heart import Heart
from daemon.loop.inbox import Alerts
from daemon.loop.messages import Message
from daemon.loop.parked import ParkingLot
from daemon.loop.pools import Pool
from daemon.loop.standing import Standing
from daemon.metrics import Metrics
from daemon.mitigate.applying import Progress
from daemon.mitigate.moves import Approval
from daemon.mitigate.stage import Mitigate
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from detectors.board import Board
from remediations.spec import Storm


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """Drills by the configuration. `label_sets`: playbook -> the labels that its incidents may have."""

    spec: DrillsSpec = field(default_factory=DrillsSpec)
    label_sets: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


@dataclass(slots=True)
class Drilling:
    """What the loop remembers of drills. `sent`: those that a worker of this life has."""

    sent: set[str] = field(default_factory=set)
    wake: bool = True
    scheduled: bool = True
    """A schedule was there at the last look, or may have been."""
    planned_at: float = float("-inf")
    asked_at: dict[str, float] = field(default_factory=dict)
    """Drills for real: when their probes were last asked."""


@dataclass(slots=True)
class Reading:
    """The calendar of one schedule. `since`: when it was first asked for; `due`: when it is asked for next."""

    since: float
    due: float
    sent: bool = False
    read: bool = False
    error: str = ""


@dataclass(slots=True)
class Proof:
    """What the loop remembers of test pages. `owed`: the time whose tests are on disk."""

    looked_at: float = float("-inf")
    owed: float | None = None
    ended: set[str] = field(default_factory=set)
    """Ends that are on disk."""
    unproved: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stages:
    """The stages, each built from its own section. Replaced as a whole by a reload."""

    detection: Detection
    mitigate: Mitigate
    escalate: Escalate
    topology: Topology
    holds: Mapping[str, float]
    """Detector -> its `for` in seconds."""
    alerts: Alerts
    storm: Storm
    """When so much fails at once that only storm-safe rungs are begun."""
    drills: Rehearsals = Rehearsals()


@dataclass(frozen=True, slots=True)
class Pools:
    """Three pools that never share a thread: reading telemetry, acting, telling people."""

    sources: Pool
    hands: Pool
    posts: Pool

    def by_name(self) -> Mapping[str, Pool]:
        return {"sources": self.sources, "hands": self.hands, "posts": self.posts}


class Host(Protocol):
    """What the loop asks of the program around it."""

    def publish(self, loop: Ground, now: float) -> None:
        """Make the present state visible to the faces."""
        ...

    def reload(self, who: str) -> None:
        """Read the configuration anew and hand the loop new stages, if it is good."""
        ...

    def heartbeat(self, loop: Ground, now: float) -> None:
        """Tell the outside that all is well, if it is."""
        ...

    def housekeeping(self, loop: Ground, now: float) -> None:
        """Delete what is past its age."""
        ...

    def store_sick(self, reason: str, board: Board | None, now: float) -> Sequence[Job]:
        """Jobs that tell people directly, with a fixed dedup key, since nothing can be written."""
        ...

    def store_well(self, now: float) -> Sequence[Job]:
        """The store writes again: jobs that say so to those who were told."""
        ...


@dataclass(slots=True)
class Ground(ABC):
    """State and primitives of the loop; everything that decides is handed one. Single-threaded."""

    store: Store
    stages: Stages
    pools: Pools
    control: SwitchBoard
    host: Host
    metrics: Metrics
    parked: ParkingLot = field(default_factory=ParkingLot)
    board: Board | None = None
    waiting: list[Job] = field(default_factory=list)
    """Questions to probes for which no slot was free; they lapse at their deadline."""
    sick_since: float | None = None
    ailing: bool = True
    """An incident about the daemon itself may stand open: looked at until none does."""
    late_rounds: deque[float] = field(default_factory=lambda: deque(maxlen=3))
    """When the last rounds ended that took longer than the time between two polls (unix seconds)."""
    heart: Heart = field(default_factory=Heart)
    proof: Proof = field(default_factory=Proof)
    next_page_at: float = math.inf
    """When the next level, reminder or held page is due, as the rows stood at the end of the last round."""
    hold_escalations: bool = False
    """The wall clock stepped: levels and reminders wait one tick."""
    unheard: deque[Message] = field(default_factory=deque)
    """What came back and is not written down yet: an answer that the store refuses now is heard again, never lost."""
    resting: dict[str, int] = field(default_factory=dict)
    """Incident -> its version when its ladder had ended and people had been told: nothing to do until it changes."""
    calendars: dict[str, Reading] = field(default_factory=dict)
    """Calendars of schedules in this life, until the next reload."""
    shifts_at: float = float("-inf")
    """When changes of shift were last looked for."""
    drills: Drilling = field(default_factory=Drilling)
    standing: Standing = field(default_factory=Standing)
    """What of the open incidents need not be asked again yet."""
    level: Level | None = None
    """What the last assessment looked at, when it asked for no change."""
    assessed: int = 0
    """Incidents that the assessment of this round changed."""
    behind: bool = False
    """The last round left incidents for the next one, which follows at once."""
    outgoing: list[Change] = field(default_factory=list)
    """Changes of the transaction under way: their jobs and log lines leave after its commit, never before."""

    @abstractmethod
    def failed(self, name: str, error: Exception, now: float) -> None:
        """An item raised: it rests, and people are told plainly, once."""

    # ------------------------------------------------------------------ inside one transaction

    def advance(
        self, uow: UnitOfWork, incident_id: str, now: float, approval: Approval | None = None
    ) -> None:
        """One step of one incident's ladder, and its deadline."""
        incident = uow.incidents.get(incident_id)
        if incident is None or self.board is None:
            return
        causes = undecided_causes(incident, self.board, self.stages.topology, self.stages.holds)
        progress = self.stages.mitigate.advance(uow, incident, causes, now, approval)
        if progress is not None:
            self.keep(uow, incident, progress, now)
        if progress is not None and not progress.recheck:
            return  # whoever only looks for fresh data may do so for ever: its deadline comes all the same
        overdue = triggers.overdue(uow, incident, self.stages.mitigate.rules.playbooks, now)
        if overdue is not None:
            self.apply(uow, Change(events=(overdue.event,)))
            self.tell(uow, incident, (overdue.trigger,), now)

    def keep(self, uow: UnitOfWork, incident: Incident, progress: Progress, now: float) -> None:
        """Write a progress and what it means for people, in this transaction."""
        incident = self.apply(uow, progress.change).incident or incident
        news = triggers.of_progress(progress)
        if news:
            self.tell(uow, incident, news, now)
        if progress.recheck:
            self.stages.detection.hurry(detectors_of(incident), now)

    def tell(
        self, uow: UnitOfWork, incident: Incident, news: Sequence[Trigger], now: float
    ) -> tuple[str, ...]:
        """Hand triggers to the escalation clock in the same commit; returns what those who ordered are told."""
        response = self.stages.escalate.advance(uow, incident.id, news, now)
        self.apply(uow, response.change)
        return response.answers

    def apply(self, uow: UnitOfWork, change: Change) -> Change:
        """Write a change; what it lets out (jobs, log lines) waits for the commit of this transaction."""
        kept = uow.apply(change)
        self.outgoing.append(kept)
        return kept

    def apply_all(self, uow: UnitOfWork, changes: Sequence[Change]) -> Sequence[Change]:
        """As `apply` for each, in one go."""
        kept = uow.apply_all(changes)
        self.outgoing.extend(kept)
        return kept

    # ------------------------------------------------------------------ one item, one transaction

    def item(self, name: str, work: Callable[[UnitOfWork], object], now: float) -> bool:
        """Run `work` in its own transaction; let its jobs out after the commit. False when it could not be done."""
        if self.parked.rests(name, now):
            return False
        self.outgoing = []
        try:
            with self.metrics.store_seconds.time(), self.store.write(epoch=self.control.epoch) as uow:
                work(uow)
        except StoreSick:
            raise
        except Stale as error:
            # The loop is the only writer of these rows: one that moved on is a mistake of ours, never ignored.
            self.metrics.store_errors.labels("stale").inc()
            self.failed(name, error, now)
            return False
        except LeaseLost:
            self.metrics.store_errors.labels("lease").inc()
            log.get().error(log.LEASE_LOST, epoch=self.control.epoch)
            self.control.lead.lost()
            return False
        except Exception as error:  # noqa: BLE001 - one bad item must not stop the others
            self.failed(name, error, now)
            return False
        self.parked.worked(name)
        changes, self.outgoing = self.outgoing, []
        for change in changes:
            say.changed(change, self.metrics)
            self.submit(change.jobs)
        return True

    def submit(self, jobs: Sequence[Job]) -> None:
        """Hand committed jobs to their pools; questions that find no slot wait in memory until their deadline."""
        for job in jobs:
            pool = self._pool(job)
            if pool.free():
                pool.submit(job)
            else:
                self.waiting.append(job)

    def _pool(self, job: Job) -> Pool:
        pools = {"action": self.pools.hands, "fetch": self.pools.sources, "probe": self.pools.sources}
        return pools.get(job.kind, self.pools.posts)


def detectors_of(incident: Incident) -> tuple[str, ...]:
    """Names of the deciding detectors, each once."""
    return tuple(dict.fromkeys(record.detector for record in incident.findings))
