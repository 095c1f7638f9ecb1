"""Hindsight: the incidents of a backtest, by the loop that runs live, at autonomy `observe` and by the past's clock.

Board changes and due times are all it is fed; nobody is asked, acted on or told. What a probe would have answered is
not known, so playbooks ask none, and what an action would have changed is not known either: there are none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from config.drills import DrillsSpec
from config.loader import Loaded
from config.section import Autonomy
from daemon import log
from daemon.app.build import stages_of
from daemon.clock import rfc3339
from daemon.detect.evaluation import Evaluation
from daemon.detect.plan import Sections
from daemon.incidents.change import Change, Job
from daemon.loop.control import Lead, SwitchBoard
from daemon.loop.core import IDLE, Loop
from daemon.loop.ground import Ground, Pools
from daemon.loop.messages import Tick
from daemon.loop.pools import Full
from daemon.metrics import Metrics
from daemon.replay.horizon import ASKED_EVERY_SECOND, quiet_dates
from daemon.replay.recount import read
from daemon.replay.sight import PastDetection
from daemon.replay.virtual import Time
from daemon.replay.would import Would
from daemon.settings.model import Settings
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from detectors.board import Board
from detectors.samples import Floats
from remediations.actions.registry import Actions

MOST_INCIDENTS = 2_000
"""Incidents that are followed: a configuration with more has another trouble, and each costs some milliseconds."""
MOMENT = 0.001
"""Seconds until an answer is there: what is due at the very instant of a tick does not know yet what that one says."""
_LOOK = Tick("due")
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Nobody:
    """Fits `Pool` and `Host`: there is nobody to ask, act, send or look."""

    def free(self) -> int:
        return 0

    def submit(self, job: Job) -> None:
        raise Full(job.key)

    def overdue(self, now: float) -> list[Job]:
        del now
        return []

    @property
    def abandoned(self) -> int:
        return 0

    def publish(self, loop: Ground, now: float) -> None:
        """Nobody looks."""

    def reload(self, who: str) -> None:
        """Nobody asks for it."""

    def heartbeat(self, loop: Ground, now: float) -> None:
        """Nobody listens."""

    def housekeeping(self, loop: Ground, now: float) -> None:
        """Nothing is pruned: all of it is read at the end."""

    def store_sick(self, reason: str, board: Board | None, now: float) -> tuple[Job, ...]:
        del board, now
        raise RuntimeError(f"a store in memory failed: {reason}")

    def store_well(self, now: float) -> tuple[Job, ...]:
        del now
        return ()


@dataclass(slots=True)
class PastLoop(Loop):
    """The loop, telling how many incidents it opened and what it could not work on."""

    opened: int = 0
    troubles: list[str] = field(default_factory=list)

    def apply(self, uow: UnitOfWork, change: Change) -> Change:
        """Write a change. Nothing is begun, so no job can be in it but questions that nobody hears."""
        self.opened += _opens(change)
        return Ground.apply(self, uow, change)

    def apply_all(self, uow: UnitOfWork, changes: Sequence[Change]) -> Sequence[Change]:
        """As `apply` for each."""
        self.opened += sum(map(_opens, changes))
        return Ground.apply_all(self, uow, changes)

    def failed(self, name: str, error: Exception, now: float) -> None:
        """Said at the end, not paged."""
        self.parked.park(name, f"{type(error).__name__}: {error}", now)
        self.troubles.append(f"{name} could not be worked on: {type(error).__name__}: {error}")


def _opens(change: Change) -> bool:
    return change.incident is not None and change.incident.version == 0


def observing(settings: Settings) -> Settings:
    """The same configuration, nothing of which acts, asks, drills or reminds.

    Without its probes' answers `facts.NAME` is undefined, which a condition counts as unknown: that is what it is here.
    """
    books = {name: book.model_copy(update={"diagnose": {}}) for name, book in settings.playbooks.items()}
    quiet = {"autonomy": Autonomy.OBSERVE, "playbooks": books, "remind": {}, "drills": DrillsSpec()}
    return settings.model_copy(update=quiet)


class Hindsight:
    """Fits `backtest`'s onlooker. One for one backtest."""

    def __init__(self, loaded: Loaded[Settings], sections: Sections, *, most: int = MOST_INCIDENTS) -> None:
        self._settings, self._sections, self._most = loaded.model, sections, most
        environment = loaded.environment
        self._actions = Actions(
            loaded.model.managers, environment.take, environment.context, loaded.redactor.text
        )
        self._step = sections.poll_interval
        self._start = self._seen = 0.0
        self._due = self._again = math.inf
        self._until: float | None = None
        """When it was given up."""

    def begin(self, evaluation: Evaluation, start: float) -> None:
        """What stands after the first round, at `start`."""
        self._start = self._seen = start
        self._time = Time(start)
        self._detection = PastDetection(self._sections, evaluation, start)
        self._detection.begin(evaluation)
        self._loop = self._loop_at(start)
        self._look(start + MOMENT, start)

    def advance(self, ticks: Floats) -> None:
        """These ticks were evaluated: follow them."""
        turns = sorted(self._detection.turns(), reverse=True)
        end = float(ticks[-1]) + MOMENT + _EPSILON
        while self._until is None:
            while turns and turns[-1] <= self._seen + _EPSILON:
                turns.pop()
            tick = min(turns[-1] if turns else math.inf, self._again)
            if min(tick, self._due) > end:
                break
            if self._due < tick + MOMENT - _EPSILON:
                self._look(self._due, self._tick_before(self._due))
            else:
                self._look(tick + MOMENT, tick)
        self._detection.settle(float(ticks[-1]))

    def told(self, end: float) -> Would:
        """What it came to, up to `end`."""
        troubles = [*dict.fromkeys(self._loop.troubles)]
        if self._until is not None:
            troubles.append(
                f"more than {self._most} incidents: they are followed up to {rfc3339(self._until)}"
            )
        until = end if self._until is None else self._until
        return read(self._loop.store, self._settings, until, self._detection.plan.rules, tuple(troubles))

    # ------------------------------------------------------------------ inside

    def _look(self, at: float, tick: float) -> None:
        """One step at `at`, by what the evaluation at `tick` says."""
        self._seen = self._detection.tick = max(tick, self._seen)
        self._time.set(at)
        before = self._loop.store.changes
        with log.silenced():
            self._loop.step(_LOOK, at)
            while self._loop.behind:
                self._loop.step(_LOOK, at)
        self._plan(at, moved=self._loop.store.changes != before)
        if self._loop.opened > self._most:
            self._until = at

    def _tick_before(self, at: float) -> float:
        """The newest one whose answer is there."""
        return self._start + math.floor((at - MOMENT - self._start) / self._step + _EPSILON) * self._step

    def _plan(self, now: float, *, moved: bool) -> None:
        """When to look again: at the next tick, when something is due, or at once after what moved and is not at rest."""
        with self._loop.store.read() as uow:
            standing, storm = uow.incidents.open(), uow.incidents.storm()
            runs = [run for run in uow.runs.active() if run.state in ASKED_EVERY_SECOND]
        climbing = [run for run in runs if storm is None or "storm: " not in run.reason]
        dates = [at for at in quiet_dates(self._loop, now) if math.isfinite(at)]
        late = any(at <= now + _EPSILON for at in dates)
        dates += [run.due_at for run in climbing if run.due_at is not None]
        if moved and any(incident.id not in self._loop.resting for incident in standing):
            dates.append(now + IDLE)
        self._due = min((at for at in dates if at > now + _EPSILON), default=math.inf)
        asks = bool(climbing) or late or self._detection.waits(standing)
        self._again = self._seen + self._step if asks else math.inf

    def _loop_at(self, start: float) -> PastLoop:
        store = Store.open("sqlite://")
        with store.write() as uow:
            lead = Lead(uow.lease.claim("backtest", start), self._time)
        control, nobody = SwitchBoard(None, lead), Nobody()
        return PastLoop(
            store,
            stages_of(observing(self._settings), self._detection, self._actions, control),
            Pools(nobody, nobody, nobody),
            control,
            nobody,
            Metrics(CollectorRegistry()),
        )
