"""Change: the only way state changes. One incident (or one assess round), one transaction; jobs leave after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daemon.incidents.escalation import Escalation
from daemon.incidents.events import Event
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Debt, Delivery, FailoverLock, Mute
from remediations.run import Run


@dataclass(frozen=True, slots=True)
class Change:
    """Rows + events + deliveries of one decision.

    Each row carries the version it was read at (0: new): the store writes it only where that version still holds,
    raises `Stale` else, and nothing of the change is kept. `jobs` are submitted after the commit, never before.
    """

    incident: Incident | None = None
    run: Run | None = None
    escalation: Escalation | None = None
    attempts: tuple[Attempt, ...] = ()
    debts: tuple[Debt, ...] = ()
    locks: tuple[FailoverLock, ...] = ()
    unlocks: tuple[str, ...] = ()
    mutes: tuple[Mute, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to write: a quiet tick writes nothing."""
        return self == Change()


@dataclass(frozen=True, slots=True)
class Job:
    """Work for a pool: `kind` is probe | action | post | fetch, `args` plain data.

    `key` is unique while the job lives. `deadline_at`: unix seconds; past it the job is abandoned and its outcome
    is unknown. A job holds no permit: the worker is handed one and asks it at the moment of acting.
    """

    key: str
    kind: str
    incident: str
    deadline_at: float
    args: dict[str, Any] = field(default_factory=dict)
