"""The lease: who leads. Its epoch only grows, and every write of the leader names the epoch it was made under."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from daemon.errors import LeaseLost
from daemon.store import tables
from daemon.store.tx import Tx

_NAME = "leader"

_c = tables.lease.c
_CURRENT = select(_c.holder, _c.epoch, _c.claimed_at, _c.renewed_at).where(_c.name == _NAME)
_FIRST = insert(tables.lease).values(
    name=_NAME,
    holder=bindparam("holder_"),
    epoch=1,
    claimed_at=bindparam("now"),
    renewed_at=bindparam("now"),
)
_CLAIM = (
    update(tables.lease)
    .where(_c.name == _NAME)
    .values(
        holder=bindparam("holder_"),
        epoch=bindparam("epoch_"),
        claimed_at=bindparam("now"),
        renewed_at=bindparam("now"),
    )
)
_RENEW = update(tables.lease).where(_c.name == _NAME).values(renewed_at=bindparam("now"))


@dataclass(frozen=True, slots=True)
class Lease:
    """`renewed_at`: when the holder last said that it lives (unix seconds)."""

    holder: str
    epoch: int
    claimed_at: float
    renewed_at: float


class Leases:
    """The one lease row."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def current(self) -> Lease | None:
        """Who leads, or led last; None before the first claim."""
        row = self._tx.row(_CURRENT)
        return None if row is None else Lease(row[0], row[1], row[2], row[3])

    def claim(self, holder: str, now: float) -> int:
        """Take the lease whoever has it, and return its new epoch. Whether it may be taken is the caller's rule."""
        lease = self.current()
        if lease is None:
            self._tx.change(_FIRST, {"holder_": holder, "now": now})
            return 1
        self._tx.change(_CLAIM, {"holder_": holder, "now": now, "epoch_": lease.epoch + 1})
        return lease.epoch + 1

    def renew(self, epoch: int, now: float) -> None:
        """Say that the holder of `epoch` lives. Raises `LeaseLost` when another leads."""
        self.demand(epoch)
        self._tx.change(_RENEW, {"now": now})

    def demand(self, epoch: int) -> None:
        """Raise `LeaseLost` unless `epoch` still leads."""
        lease = self.current()
        if lease is None or lease.epoch != epoch:
            leader = "nobody" if lease is None else f"{lease.holder} under epoch {lease.epoch}"
            raise LeaseLost(f"this daemon led under epoch {epoch}; now {leader} leads")
