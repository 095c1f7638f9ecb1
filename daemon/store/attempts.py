"""Attempts, the journal: what was intended, is in flight, and was done to a target."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import and_, bindparam, func, or_, select, true

from daemon.incidents.records import Attempt, Phase
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned
from remediations.run import IN_FLIGHT, RunState

MAPPER = Mapper(Attempt, tables.attempts)
ROWS = Versioned(MAPPER)

_c = tables.attempts.c
_run = tables.runs.c
_all = select(*MAPPER.columns)
_OF = _all.where(_c.incident == bindparam("incident_")).order_by(_c.intended_at, _c.key)
_INTENDED = _all.where(_c.outcome.is_(None), _c.started_at.is_(None)).order_by(_c.intended_at, _c.key)

_under_way = and_(
    _run.state.in_(sorted(state.value for state in IN_FLIGHT)),
    _run.attempt == _c.key,
)
_unjudged = and_(
    _run.state.in_([RunState.VERIFYING.value, RunState.UNDOING.value]),
    _c.phase == Phase.DO.value,
    _c.outcome.in_(["done", "unknown"]),
    _c.verdict.is_(None),
)
_IN_FLIGHT = (
    _all.select_from(tables.attempts.outerjoin(tables.runs, _run.id == _c.incident))
    .where(or_(_c.outcome.is_(None), _under_way, _unjudged))
    .order_by(_c.intended_at, _c.key)
)
_began = func.coalesce(_c.started_at, _c.intended_at)
_DISRUPTIVE = (
    _all.where(_c.action == bindparam("action_"), _c.disruptive == true(), _began >= bindparam("since"))
    .where(or_(_c.outcome.is_(None), _c.outcome != "not_done"))
    .order_by(_began)
)
_ALL_DISRUPTIVE = (
    select(_began)
    .where(_c.disruptive == true(), _began >= bindparam("since"))
    .where(or_(_c.outcome.is_(None), _c.outcome != "not_done"))
    .order_by(_began)
)
_JUDGED = _all.where(_c.phase == Phase.DO.value, _c.verdict.is_not(None), _began >= bindparam("since")).where(
    _c.key.like(bindparam("keys"))
)


class Attempts:
    """Reads of the journal."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, key: str) -> Attempt | None:
        """The attempt of this key."""
        return ROWS.get(self._tx, key)

    def of(self, incident_id: str) -> tuple[Attempt, ...]:
        """All attempts of an incident, in the order they were intended."""
        return tuple(map(MAPPER.value, self._tx.rows(_OF, {"incident_": incident_id})))

    def intended(self) -> tuple[Attempt, ...]:
        """Intended and not yet started, oldest first: the queue for free hands."""
        return tuple(map(MAPPER.value, self._tx.rows(_INTENDED)))

    def in_flight(self) -> tuple[Attempt, ...]:
        """Intended, started without an outcome, or in verification or undo: its targets count as unhealthy."""
        return tuple(map(MAPPER.value, self._tx.rows(_IN_FLIGHT)))

    def verdicts_since(self, playbook: str, rung: str, since: float) -> Counter[str]:
        """How often each verdict was given on a rung's action that began at or after `since`.

        Its key names the rung, so few rows are read whole; a `_` in a name matches more, which are left out here.
        """
        rows = self._tx.rows(_JUDGED, {"since": since, "keys": f"%/{rung}/{Phase.DO}/%"})
        found = map(MAPPER.value, rows)
        mine = (attempt for attempt in found if (attempt.playbook, attempt.rung) == (playbook, rung))
        return Counter(attempt.verdict for attempt in mine if attempt.verdict is not None)

    def disruptive_since(self, action: str, target: str, since: float) -> tuple[float, ...]:
        """When each disruptive use of `action` on `target` at or after `since` began, in order.

        One that is intended counts from its intent; one that was refused at the last moment (`not_done`) never was.
        """
        rows = self._tx.rows(_DISRUPTIVE, {"action_": action, "since": since})
        found = map(MAPPER.value, rows)
        return tuple(
            attempt.intended_at if attempt.started_at is None else attempt.started_at
            for attempt in found
            if target in attempt.targets
        )

    def all_disruptive_since(self, since: float) -> tuple[float, ...]:
        """The same of everything, whatever was done to what."""
        return tuple(float(row[0]) for row in self._tx.rows(_ALL_DISRUPTIVE, {"since": since}))
