"""Sight: what detection says of the past. The live stage over excerpts of blocks that were evaluated already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from config.scope import scope_of
from daemon.detect.evaluation import Evaluation
from daemon.detect.notices import Notice
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from daemon.incidents.change import Job
from daemon.incidents.model import BLIND, Incident
from daemon.replay.excerpts import Excerpts, Seen
from detectors.board import Board, FindingState
from detectors.findings import board_of
from detectors.hours import Hour
from detectors.state import State, Transition


class PastDetection(Detection):
    """Asks nothing of the world: a board is made from `excerpts` whenever the loop wants one."""

    def __init__(self, sections: Sections, evaluation: Evaluation, now: float) -> None:
        super().__init__(sections, now)
        self.plan = evaluation.plan
        self._evaluation.adopt(self.plan)
        # Its rings tell how far apart samples are, and so for how long evidence is fresh.
        self._intake = self._evaluation.intake = evaluation.intake
        self.excerpts: Mapping[str, Excerpts] = {
            name: Excerpts(rule) for name, rule in self.plan.rules.items()
        }
        self.tick = now
        """What is looked at: unix seconds of the newest evaluation."""
        self._shown = -math.inf

    def begin(self, evaluation: Evaluation) -> None:
        """Where everything stands after the first round; from here on the excerpts are filled."""
        for name, watch in evaluation.watches.items():
            self.excerpts[name].last = (watch.state, watch.seen)
            watch.recorder = self.excerpts[name]

    def turns(self) -> set[float]:
        """Ticks since this was last asked at which something changed that incidents are made of."""
        return {tick for excerpts in self.excerpts.values() for tick in excerpts.turns()}

    def settle(self, tick: float) -> None:
        """Everything up to `tick` was followed, or is not to be."""
        for excerpts in self.excerpts.values():
            excerpts.settle(tick)

    def waits(self, incidents: Sequence[Incident]) -> bool:
        """Whether telemetry is missed for which no incident stands: what explains it is waited for, tick by tick."""
        if self._board is None:
            return False
        told = {incident.scope for incident in incidents if incident.failure_mode == BLIND}
        dark = (f for f in self._board.findings.values() if f.state is FindingState.NO_DATA)
        return any(scope_of({"source": finding.source}) not in told for finding in dark)

    def evaluate(self, now: float) -> Board | None:
        """The board of the newest tick; None when that one was made already."""
        if self._shown == self.tick:
            return None
        self._shown = self.tick
        standing: list[tuple[str, State, Seen | None]] = [
            (name, *excerpts.at(self.tick)) for name, excerpts in self.excerpts.items()
        ]
        for name, state, seen in standing:
            watch = self._evaluation.watches[name]
            watch.state, watch.seen, watch.last_tick = state, seen, self.tick
        board = board_of(
            now,
            [(self.plan.rules[name], state) for name, state, _ in standing],
            all_rounds_done=True,
            sources_down={},
        )
        self._board = self._corroborated(board, now)
        return self._board

    def _counts(self, said: bool | None) -> bool | None:
        """No witness was asked: what they would have said is not known, and not held against the finding."""
        return said

    # ------------------------------------------------------------------ nothing of this is asked of the past

    def due(self, now: float, free: int = 8) -> list[Job]:
        """Nothing is asked."""
        del now, free
        return []

    def next_due(self, now: float) -> float:
        """Never."""
        del now
        return math.inf

    def hurry(self, detectors: Sequence[str], now: float) -> None:
        """There is no fresher evidence than the tick's."""

    def checkpoint(self, now: float) -> None:
        """Nothing is to be resumed."""

    def hours(self) -> tuple[Hour, ...]:
        """Nothing is to be kept."""
        return ()

    def transitions(self) -> tuple[Transition, ...]:
        """They are told by the backtest itself."""
        return ()

    def notices(self, now: float) -> tuple[Notice, ...]:
        """Bounds of a replay are no troubles of a daemon."""
        del now
        return ()
