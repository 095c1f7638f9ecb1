"""Evaluation: from samples that came in to changes of state. Live hands in one tick after the other, a replay thousands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from config.scope import Scope
from daemon.detect.intake import Intake
from daemon.detect.inventory import Members, Suspension
from daemon.detect.plan import Plan
from daemon.detect.watch import Around, Watch, probe_rings
from detectors.hours import MOST_SCOPES
from detectors.moves import Moves
from detectors.samples import Floats
from detectors.state import Transition

_MOST_READ_BACK = 5_000
_NO_PAUSE = 1.5
_MOST_TRANSITIONS = 10_000


@dataclass(slots=True)
class Evaluation:
    """Rings, members and watches under one plan. `begun_at`: unix seconds from which this evaluation exists.

    `probe_scopes`: who a probe is asked about, by its name and the time. `moved`: some detector changed its state
    since this was last set back.
    """

    plan: Plan
    intake: Intake
    members: Members
    begun_at: float
    probe_scopes: Callable[[str, float], tuple[Scope, ...]]
    watches: dict[str, Watch] = field(default_factory=dict)
    moved: bool = False
    _transitions: list[Transition] = field(default_factory=list)
    _off: dict[tuple[float, ...], tuple[Floats, Suspension]] = field(default_factory=dict)

    def adopt(self, plan: Plan) -> None:
        """Make rings and watches fit a plan, keeping what has the same name."""
        self.plan = plan
        self.members.inventory = plan.sections.inventory
        self.intake.adopt(plan)
        before, self.watches = self.watches, {}
        for name, rule in plan.rules.items():
            old = before.get(name)
            self.watches[name] = old.under(rule, rule.source) if old else Watch.of(rule, rule.source)

    def transitions(self) -> tuple[Transition, ...]:
        """Changes of state since this was last asked, in order."""
        found, self._transitions = tuple(self._transitions), []
        return found

    def advance(self, news: Mapping[str, bool], down: Mapping[str, object], now: float) -> None:
        """Live: every watch whose rings heard something, to their newest tick. `news`: rings -> an answer came;
        `down`: sources that gave nothing for their hold.
        """
        for watch in self.watches.values():
            if watch.reads not in news:
                continue
            watch.first_round = watch.first_round or news[watch.reads]
            tick = self.intake.ticks[watch.reads]
            ticks = self._due(watch, tick, source_down=watch.reads in down)
            if tick > watch.last_tick and len(ticks):
                found = self._take(watch, ticks, now)
                if found:
                    told = (transition for moves in found for transition in moves)
                    self._transitions = [*self._transitions, *told][-_MOST_TRANSITIONS:]
                    self.moved = True
                watch.forget(tick - self.intake.rings[watch.reads].retention)
        suspended = self._suspended_by
        if suspended in news and suspended in self.intake.ticks:
            self._switch(self._longest(self.intake.ticks[suspended]))
        self._off.clear()
        self._note((watch for watch in self.watches.values() if watch.reads in news), now)

    def replay(self, ticks: Floats) -> list[Moves]:
        """Past instants whose samples have all been taken in; what changed in them, detector by detector."""
        found: list[Moves] = []
        for watch in self.watches.values():
            found += self._take(watch, ticks, float(ticks[-1]))
            watch.ticks.clear()
        if self._suspended_by:
            self._switch(ticks)
        self._off.clear()
        self._note(self.watches.values(), float(ticks[-1]))
        return found

    def around(self, watch: Watch, ticks: Floats | None = None) -> Around:
        """What a watch has to know beside its samples: at these ticks, or now."""
        rings, rule = self.intake.rings, watch.rule
        gate = watch.home
        if rule.gate is not None and rule.gate.signal.kind == "probe":
            gate = probe_rings(rule.gate.signal.text)
        now = max(watch.last_tick, self.begun_at)
        listed = self.members.expected(rule.signal, now)
        if rule.signal.kind == "probe":
            listed = self.probe_scopes(rule.signal.text, now)
        off = Suspension((0,), (self.members.suspended,)) if ticks is None else self._suspension(ticks)
        return Around(rings[watch.reads], rings[gate], listed, off, self.members.lists)

    def _take(self, watch: Watch, ticks: Floats, now: float) -> tuple[Moves, ...]:
        try:
            found = watch.take(ticks, self.around(watch, ticks))
        except Exception as error:  # noqa: BLE001 - samples that break one detector must not blind the others
            watch.seen = None
            text = f"{type(error).__name__}: {error}"
            self.intake.notices.add("unjudged", watch.rule.name, text, now)
            return ()
        if watch.seasons is not None and watch.seasons.rollups.hours.full:
            text = f"only {MOST_SCOPES} scopes are learnt hour by hour; those beyond have no baseline"
            self.intake.notices.add("scope_limit", watch.rule.name, text, now)
        return found

    def _due(self, watch: Watch, tick: float, *, source_down: bool) -> Floats:
        """The newest tick; on the first answer after a start also those missed before, as far back as samples reach.

        Until that first answer nothing is evaluated, unless it fails to come for so long that this is a finding.
        """
        if watch.replayed:
            return np.array([tick])
        begun = self.intake.begun(watch.reads)
        source = self.plan.sources.get(watch.reads)
        if begun is None and watch.first_round and source is not None and source.has_history:
            begun = watch.last_tick  # it told its history, and there was nothing in it
        if begun is None or math.isinf(begun):
            answered = watch.first_round or source_down
            return np.array([tick] if answered else [])
        watch.replayed = True
        step = watch.rule.step
        begin = max(begun, watch.last_tick + step / 2)
        missed = max(min(math.floor((tick - begin) / step + 1e-9), _MOST_READ_BACK), 0)
        ticks = np.array([tick - step * back for back in range(missed, -1, -1)])
        # Read back without a gap: nothing passed unobserved.
        if ticks[0] - watch.last_tick <= _NO_PAUSE * step:
            watch.state = replace(watch.state, resumed=False)
        return ticks

    def _suspension(self, ticks: Floats) -> Suspension:
        """Worked out once a round for the same ticks; who was off before the round is the start of each."""
        key = (float(ticks[0]), float(ticks[-1]), float(len(ticks)))
        if key not in self._off:
            self._off[key] = (ticks, self.members.suspension(self.intake.rings, self.plan.default, ticks))
        return self._off[key][1]

    @property
    def _suspended_by(self) -> str:
        """The source that says who is switched off; empty when nobody can be."""
        rule = self.plan.sections.inventory.suspended
        return (rule.source or self.plan.default) if rule else ""

    def _longest(self, tick: float) -> Floats:
        """Of the ticks looked at in this round that end with this one, the most: what was read back counts too."""
        looked_at = [ticks for ticks, _ in self._off.values() if ticks[-1] == tick]
        return max(looked_at, key=len, default=np.array([tick]))

    def _switch(self, ticks: Floats) -> None:
        """Who is off at the last of these ticks stays so until it is read anew."""
        self.members.suspended = self._suspension(ticks).off[-1]

    def _note(self, watches: Iterable[Watch], now: float) -> None:
        """Who was there."""
        for watch in watches:
            if watch.seen is not None:
                self.members.note(watch.rule.name, watch.seen[0].scopes, watch.seen_at, now)
