"""Mutes: pauses, maintenance and silences, each with an owner and an end."""

from __future__ import annotations

from sqlalchemy import bindparam, or_, select

from daemon.incidents.records import Mute
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx, insert_or_replace

MAPPER = Mapper(Mute, tables.mutes)

_c = tables.mutes.c
_all = select(*MAPPER.columns)
_GET = _all.where(_c.id == bindparam("id_"))
_ACTIVE = (
    _all.where(_c.lifted_at.is_(None), _c.starts_at <= bindparam("now"))
    .where(or_(_c.ends_at.is_(None), _c.ends_at > bindparam("now")))
    .order_by(_c.starts_at, _c.id)
)
_LISTED = _all.order_by(_c.starts_at.desc(), _c.id.desc()).limit(bindparam("limit"))


class Mutes:
    """Reads of mutes, and the one write: an id that exists is replaced."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, mute_id: str) -> Mute | None:
        """The mute of this id."""
        row = self._tx.row(_GET, {"id_": mute_id})
        return None if row is None else MAPPER.value(row)

    def active(self, now: float) -> tuple[Mute, ...]:
        """Those that hold at `now`: absolute times, checked at use."""
        return tuple(map(MAPPER.value, self._tx.rows(_ACTIVE, {"now": now})))

    def listed(self, *, limit: int = 200) -> tuple[Mute, ...]:
        """The newest, whether they hold or not."""
        return tuple(map(MAPPER.value, self._tx.rows(_LISTED, {"limit": limit})))

    def save(self, mute: Mute) -> None:
        """Insert or replace by id."""
        self._tx.change(insert_or_replace(tables.mutes, self._tx.dialect), MAPPER.row(mute))
