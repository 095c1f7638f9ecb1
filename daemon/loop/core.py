"""The loop's core: `step(message, now)`, the five stages in a row. Live and virtual drivers feed the same step.

Anyone may record; only the loop decides; only workers touch the world. One item is one transaction: its rows, events
and deliveries are committed together, and its jobs leave after the commit. An item that raises is parked with a page
of its own; the others go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from daemon.assess.causes import undecided_causes
from daemon.assess.grouping import Reported
from daemon.assess.reconcile import Known, reconcile
from daemon.assess.topology import Topology
from daemon.detect.stage import Detection
from daemon.errors import LeaseLost, Stale, StoreSick
from daemon.escalate.stage import Escalate
from daemon.escalate.triggers import Trigger
from daemon.incidents.change import Change, Job
from daemon.incidents.events import Event
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt
from daemon.loop import receive, say, tidy, triggers
from daemon.loop.control import SwitchBoard
from daemon.loop.inbox import Alerts
from daemon.loop.messages import Message
from daemon.loop.parked import ParkingLot
from daemon.loop.pools import Pool
from daemon.metrics import Metrics
from daemon.mitigate import journal
from daemon.mitigate.applying import Progress
from daemon.mitigate.moves import Approval
from daemon.mitigate.stage import Mitigate
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from detectors.board import Board
from remediations.run import IN_FLIGHT

IDLE = 1.0
"""Seconds the loop waits at most: orders written by the command line are looked for that often."""


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

    def publish(self, loop: Loop, now: float) -> None:
        """Make the present state visible to the faces."""
        ...

    def reload(self, who: str) -> None:
        """Read the configuration anew and hand the loop new stages, if it is good."""
        ...

    def heartbeat(self, loop: Loop, now: float) -> None:
        """Tell the outside that all is well, if it is."""
        ...

    def housekeeping(self, loop: Loop, now: float) -> None:
        """Delete what is past its age."""
        ...

    def store_sick(self, reason: str, board: Board | None, now: float) -> Sequence[Job]:
        """Jobs that tell people directly, with a fixed dedup key, since nothing can be written."""
        ...

    def store_well(self, now: float) -> tuple[Sequence[Job], Sequence[Event]]:
        """The store writes again: jobs that say so, and the record of what was sent meanwhile."""
        ...


@dataclass(slots=True)
class Loop:
    """One step handles one message, then looks at everything that is due. Single-threaded; never sleeps."""

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
    hold_escalations: bool = False
    """The wall clock stepped: levels and reminders wait one tick."""
    unheard: deque[Message] = field(default_factory=deque)
    """What came back and is not written down yet: an answer that the store refuses now is heard again, never lost."""
    outgoing: list[Change] = field(default_factory=list)
    """Changes of the transaction under way: their jobs and log lines leave after its commit, never before."""

    def step(self, message: Message, now: float, *, also: Sequence[Message] = ()) -> float:
        """Detect -> assess -> mitigate -> escalate -> document. Returns when to call again at the latest.

        `also`: what came together with `message`; it is heard in the same round.
        """
        self.unheard.extend((message, *also))
        try:
            receive.all_of(self, now)
            receive.orders_and_alerts(self, now)
            fresh = self.detect(now)
            self.assess(fresh, now)
            self.mitigate(now)
            self.escalate(now)
            tidy.up(self, now)
        except StoreSick as error:
            self.submit(self.host.store_sick(str(error), self.board, now))
            self.sick_since = self.sick_since or now
            self.metrics.store_errors.labels("sick").inc()
        self.host.publish(self, now)
        return min(now + IDLE, self.next_question(now))

    def next_question(self, now: float) -> float:
        """When telemetry is to be asked next; with every slot taken, the next answer wakes the loop."""
        return self.stages.detection.next_due(now) if self.pools.sources.free() else now + IDLE

    # ------------------------------------------------------------------ the five stages

    def detect(self, now: float) -> bool:
        """Send out what is due, evaluate what came back. True when there is a new board."""
        detection = self.stages.detection
        for fetch in detection.due(now, self.pools.sources.free()):
            self.pools.sources.submit(fetch)
        board = detection.evaluate(now)
        if board is None:
            return False
        self.board = board
        rows = detection.checkpoint(now)
        if rows is not None:
            self.item(
                "checkpoint", lambda uow: uow.checkpoints.replace({**rows, **self.stages.alerts.rows()}), now
            )
        return True

    def assess(self, fresh: bool, now: float) -> None:
        """Compare what fires with what is open. One round, one transaction; document what changed."""
        if self.board is None or not (fresh or self.stages.alerts.changed):
            return
        board = self.board
        if self.item("assess", lambda uow: self._assess(uow, board, self.stages.alerts.firing(), now), now):
            self.stages.alerts.seen()

    def mitigate(self, now: float) -> None:
        """Every open incident takes at most one step up its ladder, then intended actions are started."""
        if self.control.draining:
            return
        with self.store.read() as uow:
            names = [incident.id for incident in uow.incidents.open()]
            names += [run.id for run in uow.runs.active() if run.id not in names]
        for name in names:
            self.item(name, partial(self._step_up, incident_id=name, now=now), now)
        self._start_intended(now)

    def escalate(self, now: float) -> None:
        """Levels, reminders and held pages that are due; then what is owed is handed to the posts."""
        held, self.hold_escalations = self.hold_escalations, False
        with self.store.read() as uow:
            due = () if held else uow.escalations.due(now)
        for escalation in due:
            self.metrics.lateness_seconds.labels("escalation").observe(now - (escalation.next_at or now))
            self.item(escalation.id, partial(self._tick, incident_id=escalation.id, now=now), now)
        with self.store.read() as uow:
            owed = uow.deliveries.due(now, limit=1)
        free = self.pools.posts.free()
        if owed and free:
            self.item("post", lambda uow: self.apply(uow, self.stages.escalate.dispatch(uow, now, free)), now)

    # ------------------------------------------------------------------ inside one transaction

    def _assess(self, uow: UnitOfWork, board: Board, reported: Sequence[Reported], now: float) -> None:
        incidents = (*uow.incidents.open(), *uow.incidents.quieted())
        detection = self.stages.detection
        known = Known(
            incidents,
            {i.id: detection.fault(detectors_of(i), i.scope, now) for i in incidents if i.findings},
            frozenset(run.id for run in uow.runs.active() if run.state in IN_FLIGHT),
        )
        before = {incident.id: incident for incident in incidents}
        for change in reconcile(board, known, reported, self.stages.topology, now):
            kept = self.apply(uow, change)
            assert kept.incident is not None
            news = triggers.of_assessment(before.get(kept.incident.id), kept.incident, change.events)
            if news:
                self.tell(uow, kept.incident, news, now)

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
            return
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

    def _step_up(self, uow: UnitOfWork, *, incident_id: str, now: float) -> None:
        self.advance(uow, incident_id, now)

    def _tick(self, uow: UnitOfWork, *, incident_id: str, now: float) -> None:
        incident = uow.incidents.get(incident_id)
        if incident is not None:
            self.tell(uow, incident, (triggers.TICK,), now)

    def _start_intended(self, now: float) -> None:
        """Free slot -> commit `started` -> submit: the due rows are the queue."""
        with self.store.read() as uow:
            intended = uow.attempts.intended()
        for attempt in intended[: self.pools.hands.free()]:
            self.item(attempt.incident, partial(self._start, attempt=attempt, now=now), now)

    def _start(self, uow: UnitOfWork, *, attempt: Attempt, now: float) -> None:
        self.apply(uow, journal.start(attempt, now))

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
        except Stale:
            self.metrics.store_errors.labels("stale").inc()
            return False
        except LeaseLost:
            self.metrics.store_errors.labels("lease").inc()
            self.control.lead.lost()
            return False
        except Exception as error:  # noqa: BLE001 - one bad item must not stop the others
            tidy.park(self, name, error, now)
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
