"""Failover locks: targets that must not be switched again before a time."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from daemon.incidents.records import FailoverLock
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx, insert_or_replace

MAPPER = Mapper(FailoverLock, tables.locks)

_c = tables.locks.c
_all = select(*MAPPER.columns)
_GET = _all.where(_c.target == bindparam("target_"))
_LISTED = _all.where(_c.until > bindparam("now")).order_by(_c.until, _c.target)
_DELETE = delete(tables.locks).where(_c.target == bindparam("target_"))


class Locks:
    """Reads and writes of failover locks."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, target: str) -> FailoverLock | None:
        """The lock of this target, also one whose time has passed."""
        row = self._tx.row(_GET, {"target_": target})
        return None if row is None else MAPPER.value(row)

    def listed(self, now: float) -> tuple[FailoverLock, ...]:
        """Locks that hold at `now`, the first to end first."""
        return tuple(map(MAPPER.value, self._tx.rows(_LISTED, {"now": now})))

    def save(self, lock: FailoverLock) -> None:
        """Insert or replace by target."""
        self._tx.change(insert_or_replace(tables.locks, self._tx.dialect), MAPPER.row(lock))

    def remove(self, target: str) -> bool:
        """Unlock; False when there was no lock."""
        return self._tx.change(_DELETE, {"target_": target}) == 1
