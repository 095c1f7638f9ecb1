"""Escalations: whose clock has something due."""

from __future__ import annotations

import math

from sqlalchemy import bindparam, func, select

from daemon.incidents.escalation import Escalation, EscalationState
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned

MAPPER = Mapper(Escalation, tables.escalations, derived={"next_at": lambda escalation: escalation.next_at})
ROWS = Versioned(MAPPER)

_c = tables.escalations.c
_DUE = (
    select(*MAPPER.columns)
    .where(_c.next_at <= bindparam("now"), _c.state != EscalationState.ENDED.value)
    .order_by(_c.next_at, _c.id)
    .limit(bindparam("limit"))
)
_NEXT = select(func.min(_c.next_at)).where(
    _c.next_at > bindparam("now"), _c.state != EscalationState.ENDED.value
)


class Escalations:
    """Reads of escalations."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, incident_id: str) -> Escalation | None:
        """The escalation of this incident."""
        return ROWS.get(self._tx, incident_id)

    def due(self, now: float, *, limit: int = 1_000) -> tuple[Escalation, ...]:
        """Those with a held page, a level or a reminder due at `now`, longest overdue first; never an ended one."""
        return tuple(map(MAPPER.value, self._tx.rows(_DUE, {"now": now, "limit": limit})))

    def next_after(self, now: float) -> float:
        """When the next of those is due that is not yet; infinite when none is."""
        row = self._tx.row(_NEXT, {"now": now})
        return math.inf if row is None or row[0] is None else float(row[0])
