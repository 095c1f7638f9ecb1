"""Climbing: every open incident takes at most one step in a round; those for which nothing changed are passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from daemon.loop.ground import Ground
from daemon.loop.standing import MOST, ROUTINE, Around, Need, Open
from daemon.store.unit import UnitOfWork


class StepUp(Protocol):
    """One incident's step, inside its own transaction."""

    def __call__(self, uow: UnitOfWork, *, incident_id: str, now: float) -> None: ...


@dataclass(slots=True)
class Climb:
    """One round of steps. `found`: what stood open at its beginning."""

    loop: Ground
    found: Open
    now: float

    def all_of(self, names: Sequence[str], step: StepUp) -> None:
        """Step them, those asked longest ago first, `MOST` at most: what is left comes in the next round, at once. What
        this round's assessment has changed counts as steps.

        That round owes a step only to those: whoever has something to do in every round does not keep it from ending.
        """
        loop, now = self.loop, self.now
        standing, rules = loop.standing, loop.stages.mitigate.rules
        standing.keep(names, rules)
        incidents = {incident.id: incident for incident in self.found.incidents}
        around, changes = self._around(), loop.store.changes
        taken, routine = min(loop.assessed, MOST), 0
        order = standing.longest_ago(names)
        for place, name in enumerate(order):
            incident = incidents.get(name)
            if incident is not None:
                need = standing.need(incident, self.found, around, rules, now)
                if need is Need.NONE or (need is Need.ROUTINE and routine >= ROUTINE):
                    continue
                routine += need is Need.ROUTINE
            if taken >= MOST:
                loop.behind = standing.leave(order[place:])
                return
            taken += 1
            quiet = self._stepped(name, step)
            if loop.store.changes != changes:
                around, changes = self._moved(around), loop.store.changes
            elif incident is not None and quiet and loop.board is not None:  # without one nobody can move
                standing.unchanged(incident, self.found, around, now)
        standing.leave(())

    def _stepped(self, name: str, step: Callable[..., None]) -> bool:
        """Whether it could be worked on."""
        return self.loop.item(name, partial(step, incident_id=name, now=self.now), self.now)

    def _around(self) -> Around:
        """What concerns all alike, at the beginning of the round."""
        loop = self.loop
        with loop.store.read() as uow:
            mutes = tuple(mute.id for mute in uow.mutes.active(self.now))
        control, rules = loop.control, loop.stages.mitigate.rules
        stop = (control.kill_switch(), control.leader(), mutes)
        board_at = 0.0 if loop.board is None else loop.board.at
        in_flight = tuple((attempt.key, attempt.outcome) for attempt in self.found.in_flight)
        return Around(board_at, stop, in_flight, self.found.storm, len(in_flight) >= rules.limits.in_flight)

    def _moved(self, around: Around) -> Around:
        """After a step that changed something: slots may have been taken or left."""
        with self.loop.store.read() as uow:
            in_flight = tuple((attempt.key, attempt.outcome) for attempt in uow.attempts.in_flight())
        full = len(in_flight) >= self.loop.stages.mitigate.rules.limits.in_flight
        return around._replace(in_flight=in_flight, full=full)
