"""The timeline: append-only events, numbered in the order they were committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, func, insert, select

from daemon.incidents.events import Event
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx

MAPPER = Mapper(Event, tables.timeline)

_c = tables.timeline.c
_INSERT = insert(tables.timeline)
_OF = (
    select(_c.seq, *MAPPER.columns)
    .where(_c.incident == bindparam("incident_"))
    .order_by(_c.seq.desc())
    .limit(bindparam("limit"))
)
_TAIL = (
    select(_c.seq, *MAPPER.columns)
    .where(_c.seq > bindparam("after"))
    .order_by(_c.seq)
    .limit(bindparam("limit"))
)
_LAST = select(func.max(_c.seq))


class Line(NamedTuple):
    """An event and its number; numbers grow and are never given twice, but may have gaps."""

    seq: int
    event: Event


class Timeline:
    """Appends and reads of events."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def append(self, events: Sequence[Event]) -> None:
        """Add events in their order."""
        if events:
            self._tx.change(_INSERT, [MAPPER.row(event) for event in events])

    def of(self, incident_id: str, *, limit: int = 5000) -> tuple[Event, ...]:
        """The last `limit` events of an incident (`-`: the daemon's own), oldest first."""
        rows = self._tx.rows(_OF, {"incident_": incident_id, "limit": limit})
        return tuple(MAPPER.value(row[1:]) for row in reversed(rows))

    def tail(self, after: int, *, limit: int = 500) -> tuple[Line, ...]:
        """Events of all incidents with a number above `after`, in order."""
        rows = self._tx.rows(_TAIL, {"after": after, "limit": limit})
        return tuple(Line(row[0], MAPPER.value(row[1:])) for row in rows)

    def last_seq(self) -> int:
        """The highest number given so far, 0 when there is none: one look at the end of an index."""
        row = self._tx.row(_LAST)
        return 0 if row is None or row[0] is None else int(row[0])
