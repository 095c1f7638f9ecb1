"""Roll-ups: what each detector's signal came to in finished hours, scope by scope; a few weeks of them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import bindparam, delete, select

from daemon.store import tables
from daemon.store.mapping import dumps
from daemon.store.tx import Tx, insert_or_replace
from detectors.hours import Hour

_c = tables.rollups.c
_ALL = select(_c.detector, _c.hour, _c.signal, _c.doc).order_by(_c.hour, _c.detector)
_FORGET = delete(tables.rollups).where(_c.hour < bindparam("before"))


class Rollups:
    """One row per detector and hour: an hour is read and written as a whole, whatever the number of its scopes."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def load(self) -> tuple[Hour, ...]:
        """Every hour, oldest first."""
        return tuple(
            Hour(detector, hour, signal, {key: tuple(row) for key, row in orjson.loads(doc).items()})
            for detector, hour, signal, doc in self._tx.rows(_ALL)
        )

    def save(self, hours: Sequence[Hour]) -> None:
        """Keep these hours as they are now; one that was kept before is replaced."""
        rows = [
            {"detector": one.detector, "hour": one.start, "signal": one.signal, "doc": dumps(one.scopes)}
            for one in hours
        ]
        if rows:
            self._tx.change(insert_or_replace(tables.rollups, self._tx.dialect), rows)

    def forget(self, before: float) -> None:
        """Delete hours that began before this instant (unix seconds)."""
        self._tx.change(_FORGET, {"before": before})
