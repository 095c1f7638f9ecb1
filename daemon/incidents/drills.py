"""Drills: would this playbook work if its failure came now? What was asked, what each answer is worth, the row kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from config.scope import Scope


class Grade(StrEnum):
    """What one answer, a rung or a whole drill is worth. Worst last."""

    UNASKED = "unasked"
    """Nobody can look, or there is nothing to look at: counts neither way."""
    PASSED = "passed"
    HELD = "held"
    """A person holds it back on purpose (pause, maintenance, autonomy): it would not be done now, and nothing is broken."""
    FAILED = "failed"


def worst(grades: Iterable[Grade]) -> Grade:
    """The worst of them; UNASKED where there is none."""
    order = list(Grade)
    return max(grades, key=order.index, default=Grade.UNASKED)


@dataclass(frozen=True, slots=True)
class Check:
    """One question of a drill and its answer in words."""

    name: str
    grade: Grade
    text: str


@dataclass(frozen=True, slots=True)
class RungDrill:
    """One rung at one scope. `gates`: the whole trace, as `explain` has it. `action`: its kind."""

    name: str
    kind: str
    action: str
    targets: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    gates: tuple[Mapping[str, Any], ...] = ()

    @property
    def grade(self) -> Grade:
        return worst(check.grade for check in self.checks)


@dataclass(frozen=True, slots=True)
class ScopeDrill:
    """A playbook at one scope: what concerns all of it, then rung by rung."""

    scope: Scope
    checks: tuple[Check, ...] = ()
    rungs: tuple[RungDrill, ...] = ()

    @property
    def grade(self) -> Grade:
        return worst((*(check.grade for check in self.checks), *(rung.grade for rung in self.rungs)))

    def only(self, rung: str) -> ScopeDrill:
        """The same with this rung alone; all of them where none is named."""
        return replace(self, rungs=tuple(one for one in self.rungs if rung in {"", one.name}))

    def every(self) -> Iterable[Check]:
        """All its checks."""
        yield from self.checks
        for rung in self.rungs:
            yield from rung.checks


class DrillState(StrEnum):
    PLANNED = "planned"
    """A schedule was first seen: it is due from its next time on."""
    ASKED = "asked"
    """Waits for a worker, or is under way: asked anew after a restart."""
    REAL = "real"
    """Rungs are being carried out and taken back, one after the other."""
    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    """It was not begun; `note` says why."""


OVER = frozenset({DrillState.PASSED, DrillState.FAILED, DrillState.REFUSED})


@dataclass(frozen=True, slots=True)
class Drill:
    """`plan`: key of the schedule it belongs to, empty when a person asked. `wanted`: scopes asked for, all known ones
    when there are none. `rung`: only this one. `real`: what is carried out besides, rung by rung.
    """

    id: str
    playbook: str
    at: float
    who: str
    state: DrillState
    plan: str = ""
    wanted: tuple[Scope, ...] = ()
    rung: str = ""
    for_real: bool = False
    ended_at: float | None = None
    scopes: tuple[ScopeDrill, ...] = ()
    note: str = ""
    real: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0

    @property
    def score(self) -> tuple[int, int]:
        """(checks passed, checks asked)."""
        asked = [
            check for scope in self.scopes for check in scope.every() if check.grade is not Grade.UNASKED
        ]
        return sum(check.grade is Grade.PASSED for check in asked), len(asked)

    @property
    def grade(self) -> Grade:
        return worst(scope.grade for scope in self.scopes)

    def over(self, now: float) -> Drill:
        """The drill with its result. Where nothing could be asked it is refused: that is no pass."""
        if not self.scopes:
            return replace(self, state=DrillState.REFUSED, ended_at=now, note=NO_SCOPE)
        state = DrillState.FAILED if self.grade is Grade.FAILED else DrillState.PASSED
        return replace(self, state=state, ended_at=now)


NO_SCOPE = "no scope of its failure mode is known: name one by --scope, or list it under inventory"
