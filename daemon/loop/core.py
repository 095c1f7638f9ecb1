"""The loop's core: `step(message, now)`, the five stages in a row. Live and virtual drivers feed the same step.

Anyone may record; only the loop decides; only workers touch the world. One item is one transaction: its rows, events
and deliveries are committed together, and its jobs leave after the commit. An item that raises is parked with a page
of its own; the others go on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from daemon.assess.levels import level_of
from daemon.assess.reconcile import Known, reconcile
from daemon.detect.rollups import KEPT
from daemon.detect.stage import Detection
from daemon.errors import StoreSick
from daemon.incidents.escalation import Escalation, EscalationState
from daemon.incidents.model import Incident, IncidentState
from daemon.incidents.records import Attempt
from daemon.incidents.reported import Reported
from daemon.loop import receive, say, storms, tidy, triggers
from daemon.loop.climbing import Climb
from daemon.loop.ground import Ground, detectors_of
from daemon.loop.messages import Message
from daemon.mitigate import journal
from daemon.store.checkpoints import Key
from daemon.store.unit import UnitOfWork
from detectors.board import Board
from detectors.hours import Hour
from remediations.outcome import Outcome, OutcomeState
from remediations.run import ACTIVE, IN_FLIGHT
from remediations.verification import Seen

SETTLE = 60.0
"""Seconds after a start within which sources say whether what was overdue is still so."""
IDLE = 1.0
"""Seconds the loop waits at most: orders written by the command line are looked for that often."""


@dataclass(slots=True)
class Loop(Ground):
    """One step handles one message, then looks at everything that is due. Never sleeps.

    `began_at`: of the first look at what is due.
    """

    began_at: float = math.inf

    def step(self, message: Message, now: float, *, also: Sequence[Message] = ()) -> float:
        """Detect -> assess -> mitigate -> escalate -> document. Returns when to call again at the latest.

        `also`: what came together with `message`; it is heard in the same round.
        """
        self.unheard.extend((message, *also))
        self.behind, self.assessed = False, 0
        try:
            receive.all_of(self, now)
            receive.orders_and_alerts(self, now)
            fresh = self.detect(now)
            self.assess(fresh, now)
            storms.look(self, now)
            self.mitigate(now)
            self.escalate(now)
            tidy.up(self, now)
        except StoreSick as error:
            self.look(now)
            self.submit(self.host.store_sick(str(error), self.board, now))
            self.sick_since = self.sick_since or now
            self.metrics.store_errors.labels("sick").inc()
        self.host.publish(self, now)
        return now if self.behind else min(now + IDLE, self.next_question(now), self.next_page(now))

    def next_question(self, now: float) -> float:
        """When telemetry is to be asked next; with every slot taken, the next answer wakes the loop."""
        return self.stages.detection.next_due(now) if self.pools.sources.free() else now + IDLE

    def next_page(self, now: float) -> float:
        """When the next level, reminder or held page is due: told on its tick, not at the next look."""
        return self.next_page_at if self.next_page_at > now else math.inf

    # ------------------------------------------------------------------ the five stages

    def detect(self, now: float) -> bool:
        """Look, and keep what was seen. True when there is a new board."""
        if not self.look(now):
            return False
        detection = self.stages.detection
        rows = detection.checkpoint(now)
        if rows is not None:
            states, hours = {**rows, **self.stages.alerts.rows()}, detection.hours()
            if self.item("checkpoint", partial(_remember, detection, states, hours, now=now), now):
                detection.hours_kept(hours)
        return True

    def look(self, now: float) -> bool:
        """Send out what is due, evaluate what came back; needs no store. True when there is a new board."""
        detection = self.stages.detection
        for fetch in detection.due(now, self.pools.sources.free()):
            self.pools.sources.submit(fetch)
        board = detection.evaluate(now)
        if board is not None:
            self.board = board
            say.detected(detection.transitions())
        return board is not None

    def assess(self, fresh: bool, now: float) -> None:
        """Compare what fires with what is open. One round, one transaction; document what changed."""
        if self.board is None or not (fresh or self.stages.alerts.changed):
            return
        board = self.board
        reported = self.stages.alerts.firing(now)
        if self.item("assess", lambda uow: self._assess(uow, board, reported, now), now):
            self.stages.alerts.seen()

    def mitigate(self, now: float) -> None:
        """Every open incident takes at most one step up its ladder, then intended actions are started."""
        if self.control.draining:
            return
        found = self.standing.open(self.store)
        at_rest = {i.id: i.version for i in found.incidents if self.resting.get(i.id) == i.version}
        self.resting = at_rest
        names = [incident.id for incident in found.incidents if incident.id not in at_rest]
        Climb(self, found, now).all_of(list(dict.fromkeys((*names, *found.climbing))), self._step_up)
        self._start_intended(now)

    def escalate(self, now: float) -> None:
        """Levels, reminders and held pages that are due; then what is owed is handed to the posts."""
        self.began_at = min(self.began_at, now)
        held, self.hold_escalations = self.hold_escalations, False
        with self.store.read() as uow:
            due = () if held else [row for row in uow.escalations.due(now) if self._seen(uow, row, now)]
        for escalation in due:
            self.metrics.lateness_seconds.labels("escalation").observe(now - (escalation.next_at or now))
            self.item(escalation.id, partial(self._tick, incident_id=escalation.id, now=now), now)
        with self.store.read() as uow:
            owed, looks = uow.deliveries.due(now, limit=1), uow.deliveries.to_look_at(now, limit=1)
            self.next_page_at = uow.escalations.next_after(now)
        if looks:
            self.item("receipts", partial(self._look, now=now), now)
        free = self.pools.posts.free()
        if owed and free:
            self.item("post", partial(self._post, now=now, free=free), now)

    # ------------------------------------------------------------------ inside one transaction

    def _assess(self, uow: UnitOfWork, board: Board, reported: Sequence[Reported], now: float) -> None:
        incidents = (*self.standing.open_now(self.store, uow), *uow.incidents.quieted())
        detection = self.stages.detection
        known = Known(
            incidents,
            {i.id: detection.fault(detectors_of(i), i.scope, now) for i in incidents if _may_relapse(i)},
            frozenset(run.id for run in uow.runs.active() if run.state in IN_FLIGHT),
            frozenset(i.id for i in incidents if i.advises and _taken(uow, i)),
        )
        level = level_of(board, known, reported, self.stages.topology)
        if level is not None and level == self.level:
            return
        before = {incident.id: incident for incident in incidents}
        changes = reconcile(board, known, reported, self.stages.topology, now)
        self.level, self.assessed = None if changes else level, len(changes)
        for kept in self.apply_all(uow, changes):
            assert kept.incident is not None
            news = triggers.of_assessment(before.get(kept.incident.id), kept.incident, kept.events)
            if news:
                self.tell(uow, kept.incident, news, now)

    def _step_up(self, uow: UnitOfWork, *, incident_id: str, now: float) -> None:
        self.advance(uow, incident_id, now)
        incident, run = uow.incidents.get(incident_id), uow.runs.get(incident_id)
        escalation = uow.escalations.get(incident_id)
        told = escalation is not None and escalation.state is not EscalationState.QUIET
        if incident is not None and run is not None and run.state not in ACTIVE and told:
            self.resting[incident_id] = incident.version

    def _tick(self, uow: UnitOfWork, *, incident_id: str, now: float) -> None:
        incident = uow.incidents.get(incident_id)
        if incident is not None:
            self.tell(uow, incident, (triggers.TICK,), now)

    def _seen(self, uow: UnitOfWork, escalation: Escalation, now: float) -> bool:
        """Whether its level may be told. One that fell due while the daemon was down waits until its fault is seen again,
        a minute at most: it may have ended meanwhile.
        """
        if (escalation.next_at or now) >= self.began_at or now >= self.began_at + SETTLE:
            return True
        incident = uow.incidents.get(escalation.id)
        if incident is None or self.board is None or not self.board.all_rounds_done:
            return False
        detectors = detectors_of(incident)
        reading = self.stages.detection.fault(detectors, incident.scope, now) if detectors else None
        return reading is None or reading.seen is Seen.BREACH

    def _post(self, uow: UnitOfWork, *, now: float, free: int) -> None:
        for change in self.stages.escalate.detour(uow, now):
            self.apply(uow, change)
        self.apply(uow, self.stages.escalate.dispatch(uow, now, free))

    def _look(self, uow: UnitOfWork, *, now: float) -> None:
        for change in self.stages.escalate.look(uow, now):
            self.apply(uow, change)

    def _start_intended(self, now: float) -> None:
        """Free slot -> commit `started` -> submit: the due rows are the queue."""
        with self.store.read() as uow:
            intended = uow.attempts.intended()[: self.pools.hands.free()]
            stopped = {attempt.key: self.stages.mitigate.stopped(uow, attempt, now) for attempt in intended}
        for attempt in intended:
            why = stopped[attempt.key]
            if why is not None:
                outcome = Outcome(OutcomeState.NOT_DONE, f"not begun: {why}", "", now)
                receive.performed(self, attempt.key, outcome, now)
                continue
            self.item(attempt.incident, partial(self._start, attempt=attempt, now=now), now)

    def _start(self, uow: UnitOfWork, *, attempt: Attempt, now: float) -> None:
        self.apply(uow, journal.start(attempt, now))

    def failed(self, name: str, error: Exception, now: float) -> None:
        tidy.park(self, name, error, now)


def _remember(
    detection: Detection, states: Mapping[Key, Any], hours: Sequence[Hour], uow: UnitOfWork, *, now: float
) -> None:
    """What detection is to know again after a restart; after a reload, what was kept before it."""
    uow.checkpoints.replace(states)
    if hours:
        uow.rollups.save(hours)
        uow.rollups.forget(now - KEPT)
    if detection.forgetful:
        detection.recall(uow.rollups.load())


def _taken(uow: UnitOfWork, incident: Incident) -> bool:
    """Whether a person acknowledged it."""
    escalation = uow.escalations.get(incident.id)
    return escalation is not None and escalation.acked_by is not None


def _may_relapse(incident: Incident) -> bool:
    return incident.state is IncidentState.RECOVERED and bool(incident.findings)
