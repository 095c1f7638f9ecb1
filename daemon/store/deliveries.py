"""Deliveries: the pages that are owed, and those that were sent."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned

MAPPER = Mapper(Delivery, tables.deliveries)
ROWS = Versioned(MAPPER)

_c = tables.deliveries.c
_all = select(*MAPPER.columns)
_DUE = (
    _all.where(_c.state == DeliveryState.OWED.value, _c.due_at <= bindparam("now"))
    .order_by(_c.due_at, _c.key)
    .limit(bindparam("limit"))
)
_SENDING = _all.where(_c.state == DeliveryState.SENDING.value).order_by(_c.due_at, _c.key)
_OF = _all.where(_c.incident == bindparam("incident_")).order_by(_c.created_at, _c.key)
_UNSENT = _all.where(_c.state.in_([DeliveryState.OWED.value, DeliveryState.SENDING.value])).limit(10_000)
_TO_LOOK_AT = (
    _all.where(_c.look_at <= bindparam("now")).order_by(_c.look_at, _c.key).limit(bindparam("limit"))
)
_OF_PROVIDER = (
    _all.where(_c.provider_id == bindparam("provider_id_"))
    .order_by(_c.created_at.desc(), _c.key.desc())
    .limit(bindparam("limit"))
)
_TRIED = (
    _all.where(_c.tried_at >= bindparam("since"))
    .order_by(_c.tried_at.desc(), _c.key.desc())
    .limit(bindparam("limit"))
)
_OF_NONE = (
    _all.where(_c.incident == "-").order_by(_c.created_at.desc(), _c.key.desc()).limit(bindparam("limit"))
)
_FAULTY = (
    select(_c.key).where(_c.tried_at >= bindparam("since"), _c.state != DeliveryState.ACCEPTED.value).limit(1)
)
_REFUSED = (
    _all.where(_c.tried_at >= bindparam("since"), _c.state == DeliveryState.FAILED.value)
    .order_by(_c.tried_at.desc(), _c.key.desc())
    .limit(bindparam("limit"))
)
_RECENT = _all.order_by(_c.created_at.desc(), _c.key.desc()).limit(bindparam("limit"))


class Deliveries:
    """Reads of deliveries."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, key: str) -> Delivery | None:
        """The delivery of this key."""
        return ROWS.get(self._tx, key)

    def due(self, now: float, *, limit: int = 100) -> tuple[Delivery, ...]:
        """Owed and due at `now`, longest overdue first."""
        return tuple(map(MAPPER.value, self._tx.rows(_DUE, {"now": now, "limit": limit})))

    def sending(self) -> tuple[Delivery, ...]:
        """Those a worker has, or had when the daemon was killed."""
        return tuple(map(MAPPER.value, self._tx.rows(_SENDING)))

    def of(self, incident_id: str) -> tuple[Delivery, ...]:
        """All deliveries of an incident, oldest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_OF, {"incident_": incident_id})))

    def to_look_at(self, now: float, *, limit: int = 100) -> tuple[Delivery, ...]:
        """Accepted ones that something else was expected of by `now`, longest overdue first."""
        return tuple(map(MAPPER.value, self._tx.rows(_TO_LOOK_AT, {"now": now, "limit": limit})))

    def of_provider(self, kind: str, provider_id: str, *, limit: int = 1000) -> tuple[Delivery, ...]:
        """Those of this kind of channel that went in the message that its provider calls so, newest first."""
        rows = (
            self._tx.rows(_OF_PROVIDER, {"provider_id_": provider_id, "limit": limit}) if provider_id else ()
        )
        return tuple(row for row in map(MAPPER.value, rows) if row.channel == kind)

    def faulty(self, since: float) -> bool:
        """Whether a try since then ended otherwise than by being accepted."""
        return self._tx.row(_FAULTY, {"since": since}) is not None

    def refused(self, since: float, *, limit: int = 200) -> tuple[Delivery, ...]:
        """Those that failed for good in a try since then, newest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_REFUSED, {"since": since, "limit": limit})))

    def tried(self, since: float, *, limit: int = 1000) -> tuple[Delivery, ...]:
        """Those whose last try ended since then, however it ended, newest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_TRIED, {"since": since, "limit": limit})))

    def tests(self, *, limit: int = 100) -> tuple[Delivery, ...]:
        """Test pages among the newest messages about no incident, newest first."""
        rows = map(MAPPER.value, self._tx.rows(_OF_NONE, {"limit": limit}))
        return tuple(row for row in rows if row.event is PageEvent.TEST)

    def recent(self, *, limit: int = 100) -> tuple[Delivery, ...]:
        """The newest deliveries of all incidents, newest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_RECENT, {"limit": limit})))

    def unsent(self) -> tuple[Delivery, ...]:
        """Everything that is owed, due or not, or being sent; at most 10 000."""
        return tuple(map(MAPPER.value, self._tx.rows(_UNSENT)))
