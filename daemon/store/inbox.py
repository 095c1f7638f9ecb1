"""The inbox: what people ordered and other systems alerted. Anyone may append; the loop alone settles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from daemon.incidents.records import Alert, Order, OrderState
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx

ORDERS = Mapper(Order, tables.orders)
ALERTS = Mapper(Alert, tables.alerts)

NEW, DONE, DEAD = "new", "done", "dead"

_o = tables.orders.c
_a = tables.alerts.c
_ADD_ORDERS = insert(tables.orders).returning(_o.id, sort_by_parameter_order=True)
_ADD_ALERTS = insert(tables.alerts)
_ORDER = select(*ORDERS.columns).where(_o.id == bindparam("id_"))
_NEW_ORDERS = (
    select(*ORDERS.columns).where(_o.state == OrderState.NEW.value).order_by(_o.id).limit(bindparam("limit"))
)
_NEW_ALERTS = select(*ALERTS.columns).where(_a.inbox == NEW).order_by(_a.id).limit(bindparam("limit"))
_SETTLE_ORDER = (
    update(tables.orders)
    .where(_o.id == bindparam("id_"))
    .values(state=bindparam("state_"), doc=bindparam("doc_"))
)
_SETTLE_ALERTS = (
    update(tables.alerts)
    .where(_a.id.in_(bindparam("ids_", expanding=True)), _a.inbox == NEW)
    .values(inbox=bindparam("inbox_"), note=bindparam("note_"))
)


class Inbox:
    """Orders and alerts, each handled once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def add_orders(self, orders: Sequence[Order]) -> tuple[int, ...]:
        """Append; returns their new ids in the same order (the `id` they came with is not used)."""
        if not orders:
            return ()
        rows = [_without_id(ORDERS.row(order)) for order in orders]
        return tuple(row[0] for row in self._tx.returning(_ADD_ORDERS, rows))

    def add_alerts(self, alerts: Sequence[Alert]) -> None:
        """Append; the `id` they came with is not used, and nobody waits for the new ones."""
        if alerts:
            rows = [ALERTS.row(alert) | {"inbox": NEW, "note": ""} for alert in alerts]
            self._tx.change(_ADD_ALERTS, [_without_id(row) for row in rows])

    def order(self, order_id: int) -> Order | None:
        """One order with its answer so far."""
        row = self._tx.row(_ORDER, {"id_": order_id})
        return None if row is None else ORDERS.value(row)

    def new_orders(self, *, limit: int = 100) -> tuple[Order, ...]:
        """Orders nobody carried out yet, oldest first."""
        return tuple(map(ORDERS.value, self._tx.rows(_NEW_ORDERS, {"limit": limit})))

    def new_alerts(self, *, limit: int = 500) -> tuple[Alert, ...]:
        """Alerts nobody handled yet, oldest first."""
        return tuple(map(ALERTS.value, self._tx.rows(_NEW_ALERTS, {"limit": limit})))

    def settle_order(self, order_id: int, state: OrderState, answer: str) -> bool:
        """Record what became of an order; False when it was settled before (or never was)."""
        order = self.order(order_id)
        if order is None or order.state is not OrderState.NEW:
            return False
        doc = ORDERS.row(replace(order, state=state, answer=answer))["doc"]
        return self._tx.change(_SETTLE_ORDER, {"id_": order_id, "state_": state.value, "doc_": doc}) == 1

    def settle_alerts(self, ids: Sequence[int], note: str = "") -> int:
        """Record that alerts were handled; returns how many were not settled before."""
        return self._settle_alerts(ids, DONE, note)

    def dead_letter(self, item: Order | Alert, error: str) -> bool:
        """Park what could not be handled, with its error: it is kept, and asked for no more."""
        if isinstance(item, Order):
            return self.settle_order(item.id, OrderState.REFUSED, error)
        return self._settle_alerts([item.id], DEAD, error) == 1

    def _settle_alerts(self, ids: Sequence[int], inbox: str, note: str) -> int:
        return self._tx.change(_SETTLE_ALERTS, {"ids_": list(ids), "inbox_": inbox, "note_": note})


def _without_id(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if name != "id"}
