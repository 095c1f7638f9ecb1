"""Run: where an incident stands on its ladder. A row, not a thread: waiting is a state with a due time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class RunState(StrEnum):
    """What the run waits for."""

    DIAGNOSING = "diagnosing"
    """Probes were asked; their answers are awaited."""
    RECHECKING = "rechecking"
    """The fault has to be seen on fresh data before the next rung is considered."""
    WAITING = "waiting"
    """A guardrail refused that lifts by itself within `wait_up_to`, or the rung's action is to wait."""
    PROPOSED = "proposed"
    """A person has to approve the rung."""
    ACTING = "acting"
    VERIFYING = "verifying"
    UNDOING = "undoing"
    GAVE_UP = "gave_up"
    DONE = "done"


class RunEvent(StrEnum):
    """What can happen to a run."""

    ANSWERED = "answered"
    """All probes answered or timed out."""
    REFUSED = "refused"
    LIFTED = "lifted"
    """A waited-for guardrail may have lifted: ask again."""
    PROPOSE = "propose"
    APPROVE = "approve"
    ACT = "act"
    WAIT = "wait"
    """The action is to wait: nothing more is done before its end."""
    DONE = "done"
    """The action reports that it was carried out."""
    NEXT = "next"
    """This rung is over without recovery; diagnose anew for the next one."""
    UNDO = "undo"
    GIVE_UP = "give_up"
    FINISH = "finish"
    """Verified recovery, or nothing left to do because the fault is gone."""
    RESUME = "resume"
    """A person hands the wheel back."""


R = RunState

RUN: Mapping[tuple[RunState, RunEvent], RunState] = {
    (R.DIAGNOSING, RunEvent.ANSWERED): R.RECHECKING,
    (R.RECHECKING, RunEvent.REFUSED): R.WAITING,
    (R.WAITING, RunEvent.LIFTED): R.RECHECKING,
    (R.RECHECKING, RunEvent.PROPOSE): R.PROPOSED,
    (R.PROPOSED, RunEvent.APPROVE): R.RECHECKING,
    (R.RECHECKING, RunEvent.ACT): R.ACTING,
    (R.ACTING, RunEvent.DONE): R.VERIFYING,
    (R.ACTING, RunEvent.WAIT): R.WAITING,
    (R.WAITING, RunEvent.NEXT): R.DIAGNOSING,
    (R.ACTING, RunEvent.UNDO): R.UNDOING,
    (R.ACTING, RunEvent.NEXT): R.DIAGNOSING,
    (R.VERIFYING, RunEvent.UNDO): R.UNDOING,
    (R.VERIFYING, RunEvent.NEXT): R.DIAGNOSING,
    (R.UNDOING, RunEvent.NEXT): R.DIAGNOSING,
    (R.GAVE_UP, RunEvent.RESUME): R.DIAGNOSING,
    (R.GAVE_UP, RunEvent.FINISH): R.DONE,
    (R.DONE, RunEvent.RESUME): R.DIAGNOSING,
    **{
        (state, RunEvent.GIVE_UP): R.GAVE_UP
        for state in (
            R.DIAGNOSING,
            R.RECHECKING,
            R.WAITING,
            R.PROPOSED,
            R.ACTING,
            R.VERIFYING,
            R.UNDOING,
        )
    },
    **{
        (state, RunEvent.FINISH): R.DONE
        for state in (R.DIAGNOSING, R.RECHECKING, R.WAITING, R.PROPOSED, R.VERIFYING)
    },
}

IN_FLIGHT = frozenset({R.ACTING, R.VERIFYING, R.UNDOING})
"""States in which a rung is under way; a page lets it finish."""
ACTIVE = frozenset(RunState) - {R.GAVE_UP, R.DONE}


class IllegalMove(Exception):
    """A move the run's table does not know; the message names state and event."""


def run_after(state: RunState, event: RunEvent) -> RunState:
    """Next state of a run. Raises `IllegalMove`."""
    try:
        return RUN[state, event]
    except KeyError:
        raise IllegalMove(f"run: no {event} in state {state}") from None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a probe answered: `ok` by its own condition; a failed probe has `ok` False, `error`, and no body."""

    at: float
    ok: bool
    status: int | None = None
    body: Any = None
    error: str = ""

    def names(self) -> dict[str, Any]:
        """The names an expression sees; a body that never came is left out, so reading it is *unknown*."""
        seen: dict[str, Any] = {"ok": self.ok, "error": self.error, "at": self.at}
        if self.status is not None:
            seen["status"] = self.status
        if self.body is not None:
            seen["body"] = self.body
        return seen


@dataclass(frozen=True, slots=True)
class Run:
    """`rung`: index on the ladder of the rung considered or under way. `climb`: 1, and one more per `resume`.

    `due_at`: when this state must be looked at again at the latest. `asked`: probes awaited. `attempt`: key of the
    journal row under way. `acted_until`: end of the last action, from which verification measures. `tries`: how
    often the present rung was begun (part of the attempt's key). `released_at`: when a person last approved or
    resumed; a page after it puts a person at the wheel again. `reruns`: same-key repeats of the present action. `contained_by`: rungs that contained so far.
    `acted`: whether this climb has begun an action. `reason`: why it gave up or waits.
    """

    id: str
    playbook: str | None
    state: RunState
    entered_at: float
    rung: int = 0
    climb: int = 1
    tries: int = 0
    due_at: float | None = None
    asked: tuple[str, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    attempt: str | None = None
    acted_until: float | None = None
    acted: bool = False
    reruns: int = 0
    waiting_since: float | None = None
    proposal_expires_at: float | None = None
    proposed: str = ""
    """A digest of the action that was proposed, as written: the approval is for that one."""
    approved_by: str | None = None
    released_at: float | None = None
    contained_by: tuple[str, ...] = ()
    reason: str = ""
    ended_at: float | None = None
    unheard: bool = False
    """The life that asked has ended: what was asked is asked again."""
    at: str = ""
    """Name of the rung at `rung` when the run last moved: a reload may put another one there."""
    version: int = 0
