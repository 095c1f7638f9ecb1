"""Standing: which open incidents a round may pass over, for nothing has changed of what their next move depends on.

Asking all guardrails takes a transaction of some milliseconds. With hundreds of incidents open at once, nearly all of
which wait for a free slot or for the end of a storm, a round that asked each of them again would take longer than the
time between two polls. Passing one over begins nothing and ends nothing: at worst a reason is told a little late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from config.scope import WHOLE
from daemon.incidents.model import STORM, Incident
from daemon.incidents.records import Attempt
from daemon.loop import triggers
from daemon.mitigate.facts import Rules
from daemon.store.store import Store
from daemon.store.unit import UnitOfWork
from remediations.guardrails.calm import storm_reason
from remediations.guardrails.limits import EVERY_SLOT
from remediations.run import Run, RunState

MOST = 16
"""Incidents stepped in one round at most: two hundred new ones at once would hold up what is heard and sent."""
PATIENCE = 1.0
"""Seconds after which whoever looks at the telemetry or at a guardrail looks again, whatever changed."""
LONG_PATIENCE = 10.0
"""The same for whoever waits for an answer, for a person, or for something that is known to be full."""
ROUTINE = 2
"""Of those with nothing but that patience at its end, so many are asked in one round."""
AWAITS = frozenset({RunState.ACTING, RunState.UNDOING, RunState.DIAGNOSING, RunState.PROPOSED})
"""States that end by an answer, which is a change of their rows, or at their date."""


@dataclass(frozen=True, slots=True)
class Open:
    """What stands open, as read after so many changes of the store."""

    changes: int
    incidents: tuple[Incident, ...]
    climbing: Mapping[str, Run]
    in_flight: tuple[Attempt, ...]
    last_storm: Incident | None
    """Also when it has ended."""

    @property
    def storm(self) -> str | None:
        """Id of the storm that stands."""
        return None if self.last_storm is None or self.last_storm.ended else self.last_storm.id


class Around(NamedTuple):
    """What concerns all alike. `stop`: whatever stops or mutes; `full`: the cap over everything is reached."""

    board_at: float
    stop: tuple[object, ...]
    in_flight: tuple[tuple[str, str | None], ...]
    storm: str | None
    full: bool


class Need(Enum):
    """Whether an incident has to be stepped."""

    NOW = "now"
    ROUTINE = "routine"
    """For no other reason than that it was asked long ago."""
    NONE = "none"


class _Asked(NamedTuple):
    at: float
    seen: tuple[object, ...]


@dataclass(slots=True)
class Standing:
    """Remembers of each incident what it depended on when its last step changed nothing."""

    _asked: dict[str, _Asked] = field(default_factory=dict)
    _open: Open | None = None
    _rules: Rules | None = None
    _left: tuple[str, ...] = ()

    def open(self, store: Store) -> Open:
        """What stands open; read again only when this daemon, the one writer of these rows, has written."""
        if self._open is None or self._open.changes != store.changes:
            before = self._open
            incidents = {} if before is None else {incident.id: incident for incident in before.incidents}
            with store.read() as uow:
                self._open = Open(
                    store.changes,
                    uow.incidents.open(incidents),
                    {run.id: run for run in uow.runs.active({} if before is None else before.climbing)},
                    uow.attempts.in_flight(),
                    uow.incidents.latest(STORM, WHOLE),
                )
        return self._open

    def open_now(self, store: Store, uow: UnitOfWork) -> Sequence[Incident]:
        """Open incidents inside a transaction that has changed nothing yet."""
        known = self._open
        if known is not None and known.changes == store.changes:
            return known.incidents
        return uow.incidents.open({} if known is None else {i.id: i for i in known.incidents})

    def keep(self, names: Sequence[str], rules: Rules) -> None:
        """Only these are still of interest; by other rules than the last time every one is asked anew."""
        kept = names if rules is self._rules else ()
        self._asked = {name: self._asked[name] for name in kept if name in self._asked}
        self._rules = rules

    def unchanged(self, incident: Incident, found: Open, around: Around, now: float) -> None:
        """A step of it changed nothing."""
        self._asked[incident.id] = _Asked(now, _seen(incident, found.climbing.get(incident.id), around))

    def longest_ago(self, names: Sequence[str]) -> list[str]:
        """Those that the last round left, then all in the order in which they were last asked, those never asked first."""
        asked, left = self._asked, set(self._left)
        return sorted(names, key=lambda name: (name not in left, asked[name].at if name in asked else 0.0))

    def leave(self, names: Sequence[str]) -> bool:
        """A round ends without these. Whether another has to follow at once: one that followed owes nothing to others."""
        owed = set(self._left)
        self._left = tuple(name for name in names if not owed or name in owed)
        return bool(self._left)

    def need(self, incident: Incident, found: Open, around: Around, rules: Rules, now: float) -> Need:
        """Whether its step has to be taken in this round."""
        asked = self._asked.get(incident.id)
        run = found.climbing.get(incident.id)
        if asked is None or now < asked.at or asked.seen != _seen(incident, run, around):
            return Need.NOW
        if run is not None and run.due_at is not None and asked.at < run.due_at <= now:
            return Need.NOW
        if triggers.may_be_overdue(incident, rules.playbooks, found.last_storm, now):
            return Need.NOW
        if run is None or run.state in {*AWAITS, RunState.VERIFYING} or _held(run, around):
            return Need.NONE if now < asked.at + LONG_PATIENCE else Need.ROUTINE
        return Need.NONE if now < asked.at + PATIENCE else Need.NOW


def _seen(incident: Incident, run: Run | None, around: Around) -> tuple[object, ...]:
    """What the next step depends on, beside the time."""
    own: tuple[object, ...] = (incident.version, around.stop)
    if run is None:
        return own
    own = (*own, run.version)
    if run.state in AWAITS:
        return (*own, next((outcome for key, outcome in around.in_flight if key == run.attempt), "-"))
    if _held(run, around):
        return (*own, "held")
    if run.state is RunState.VERIFYING:
        return (*own, around.board_at)
    return (*own, around.board_at, around.in_flight, around.storm)


def _held(run: Run, around: Around) -> bool:
    """Whether a rung waits and cannot begin, whatever the other guardrails would say."""
    stormy = around.storm is not None and storm_reason(around.storm) in run.reason
    full = around.full and EVERY_SLOT in run.reason
    return run.state is RunState.WAITING and (full or stormy)
