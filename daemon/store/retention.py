"""Retention: forget what is old and over, and nothing that is owed, open or still binding."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, not_, or_, select

from daemon.incidents.drills import OVER
from daemon.incidents.escalation import EscalationState
from daemon.incidents.model import ENDED
from daemon.incidents.records import DeliveryState, OrderState
from daemon.store import tables
from daemon.store.debts import SETTLED
from daemon.store.inbox import NEW
from daemon.store.tx import Tx
from remediations.run import ACTIVE


@dataclass(frozen=True, slots=True)
class Retention:
    """Ages in seconds: `timeline` of events and what came in, `closed_incidents` of incidents since their end."""

    timeline: float
    closed_incidents: float


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was deleted; `more`: a bound was reached, so another call will find more."""

    incidents: int
    events: int
    others: int
    more: bool


_i = tables.incidents.c


def _values(states: frozenset[str] | tuple[str, ...]) -> list[str]:
    return sorted(str(state) for state in states)


_OWED = or_(
    exists().where(tables.debts.c.incident == _i.id, tables.debts.c.state.not_in(SETTLED)),
    exists().where(
        tables.deliveries.c.incident == _i.id,
        tables.deliveries.c.state.in_([DeliveryState.OWED.value, DeliveryState.SENDING.value]),
    ),
    exists().where(tables.attempts.c.incident == _i.id, tables.attempts.c.outcome.is_(None)),
    exists().where(tables.runs.c.id == _i.id, tables.runs.c.state.in_(_values(frozenset(ACTIVE)))),
    exists().where(
        tables.escalations.c.id == _i.id,
        tables.escalations.c.state != EscalationState.ENDED.value,
        tables.escalations.c.next_at.is_not(None),
    ),
)
"""Something of this incident still has to happen."""


def _over(now: float) -> ColumnElement[bool]:
    lifted = or_(_i.quiet_until.is_(None), _i.quiet_until <= now)
    return and_(_i.state.in_(_values(frozenset(ENDED))), lifted, not_(_OWED))


_BELONGS = (
    (tables.timeline, tables.timeline.c.incident),
    (tables.attempts, tables.attempts.c.incident),
    (tables.debts, tables.debts.c.incident),
    (tables.deliveries, tables.deliveries.c.incident),
    (tables.escalations, tables.escalations.c.id),
    (tables.runs, tables.runs.c.id),
    (tables.incidents, _i.id),
)
"""What goes with an incident, the incident last."""


def prune(tx: Tx, now: float, retention: Retention, limit: int) -> Pruned:
    """Delete at most `limit` incidents with all that belongs to them, and `limit` rows of every other kind."""
    incidents = _prune_incidents(tx, now, now - retention.closed_incidents, limit)
    cutoff = now - retention.timeline
    t = tables.timeline.c
    binding = select(_i.id).where(not_(_over(now)))
    events = _delete(tx, tables.timeline, and_(t.at < cutoff, t.incident.not_in(binding)), limit)
    others = [_delete(tx, table, condition, limit) for table, condition in _past(cutoff)]
    return Pruned(incidents, events, sum(others), max(incidents, events, *others) >= limit)


def _prune_incidents(tx: Tx, now: float, cutoff: float, limit: int) -> int:
    ended_at = func.coalesce(_i.resolved_at, _i.detected_at)
    old = select(_i.id).where(ended_at < cutoff, _over(now)).order_by(ended_at).limit(limit)
    ids = [row[0] for row in tx.rows(old)]
    if ids:
        for table, column in _BELONGS:
            tx.change(delete(table).where(column.in_(ids)))
    return len(ids)


def _past(cutoff: float) -> list[tuple[Table, ColumnElement[bool]]]:
    """What is over by itself; an order or alert nobody handled yet is not."""
    o, a, m, d, p = tables.orders.c, tables.alerts.c, tables.mutes.c, tables.drills.c, tables.deliveries.c
    unsent = [DeliveryState.OWED.value, DeliveryState.SENDING.value]
    return [
        (tables.orders, and_(o.at < cutoff, o.state != OrderState.NEW.value)),
        (tables.alerts, and_(a.at < cutoff, a.inbox != NEW)),
        (tables.pipeline_changes, tables.pipeline_changes.c.at < cutoff),
        (tables.mutes, or_(m.lifted_at < cutoff, m.ends_at < cutoff)),
        (tables.locks, tables.locks.c.until < cutoff),
        (tables.deliveries, and_(p.incident == "-", p.created_at < cutoff, p.state.not_in(unsent))),
        (tables.drills, and_(d.at < cutoff, d.state.in_(_values(frozenset(OVER))))),
    ]


def _delete(tx: Tx, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    (key,) = table.primary_key
    return tx.change(delete(table).where(key.in_(select(key).where(condition).limit(limit))))
