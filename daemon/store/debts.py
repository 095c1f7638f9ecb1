"""Debts: what has to be given back."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from daemon.incidents.records import Debt, DebtState
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned

MAPPER = Mapper(Debt, tables.debts)
ROWS = Versioned(MAPPER)

SETTLED = (DebtState.PAID.value, DebtState.WAIVED.value)

_c = tables.debts.c
_all = select(*MAPPER.columns)
_OF = _all.where(_c.incident == bindparam("incident_")).order_by(_c.opened_at, _c.id)
_UNPAID = _all.where(_c.state.not_in(SETTLED)).order_by(_c.opened_at, _c.id)
_DUE = _all.where(_c.state.not_in(SETTLED), _c.due_at <= bindparam("now")).order_by(_c.due_at, _c.id)


class Debts:
    """Reads of debts."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, debt_id: str) -> Debt | None:
        """The debt of this id."""
        return ROWS.get(self._tx, debt_id)

    def of(self, incident_id: str) -> tuple[Debt, ...]:
        """All debts an incident opened, oldest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_OF, {"incident_": incident_id})))

    def unpaid(self) -> tuple[Debt, ...]:
        """Every debt that is neither paid nor waived, oldest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_UNPAID)))

    def due(self, now: float) -> tuple[Debt, ...]:
        """Unpaid debts whose due date has come, in whatever state; longest overdue first."""
        return tuple(map(MAPPER.value, self._tx.rows(_DUE, {"now": now})))
