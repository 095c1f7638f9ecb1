"""Incidents: what is open, what was last at a scope, and lists for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import bindparam, select, tuple_

from config.scope import WHOLE, Scope, scope_key
from daemon.incidents.model import ENDED, STORM, Incident, IncidentState
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned

MAPPER = Mapper(Incident, tables.incidents)
ROWS = Versioned(MAPPER)

_c = tables.incidents.c
_all = select(*MAPPER.columns)
_ended = sorted(state.value for state in ENDED)
_OPEN = _all.where(_c.state.not_in(_ended)).order_by(_c.detected_at, _c.id)
_HELD = _all.where(_c.state == IncidentState.CLOSED.value, _c.quiet_until.is_not(None))
_AT_SCOPE = (
    _all.where(_c.failure_mode == bindparam("mode"), _c.scope == bindparam("scope_"))
    .where(_c.detected_at >= bindparam("since"))
    .order_by(_c.detected_at.desc(), _c.id.desc())
    .limit(bindparam("limit"))
)

Cursor = tuple[float, str]
"""`(detected_at, id)` of the last incident of a page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first; `next` continues it, None at its end."""

    incidents: tuple[Incident, ...]
    next: Cursor | None


class Incidents:
    """Reads of incidents."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, incident_id: str) -> Incident | None:
        """The incident of this id."""
        return ROWS.get(self._tx, incident_id)

    def open(self, known: Mapping[str, Incident] = MappingProxyType({})) -> tuple[Incident, ...]:
        """Every incident that is neither resolved nor closed, oldest first. `known`: committed ones read before, by id."""
        return MAPPER.values(self._tx.rows(_OPEN), known)

    def quieted(self) -> tuple[Incident, ...]:
        """Closed by a person while it fired, and looked at again at `quiet_until`."""
        return tuple(map(MAPPER.value, self._tx.rows(_HELD)))

    def latest(self, failure_mode: str, scope: Scope) -> Incident | None:
        """The newest incident of this mode at exactly this scope, ended or not."""
        found = self.at_scope(failure_mode, scope, limit=1)
        return found[0] if found else None

    def storm(self) -> Incident | None:
        """The storm that stands, also while it settles."""
        found = self.latest(STORM, WHOLE)
        return None if found is None or found.ended else found

    def at_scope(
        self, failure_mode: str, scope: Scope, *, since: float = 0.0, limit: int = 100
    ) -> tuple[Incident, ...]:
        """Incidents of this mode at exactly this scope, detected at or after `since`, newest first."""
        params = {"mode": failure_mode, "scope_": scope_key(scope), "since": since, "limit": limit}
        return tuple(map(MAPPER.value, self._tx.rows(_AT_SCOPE, params)))

    def search(
        self,
        *,
        states: Collection[str] = (),
        modes: Collection[str] = (),
        since: float | None = None,
        until: float | None = None,
        after: Cursor | None = None,
        limit: int = 50,
    ) -> Page:
        """Newest first; empty filters match all. `since` and `until` bound `detected_at` (from, to; unix seconds).

        Paging is by key, so a list does not shift while incidents are added.
        """
        query = _all.order_by(_c.detected_at.desc(), _c.id.desc()).limit(limit + 1)
        if states:
            query = query.where(_c.state.in_(sorted(str(state) for state in states)))
        if modes:
            query = query.where(_c.failure_mode.in_(sorted(modes)))
        if since is not None:
            query = query.where(_c.detected_at >= since)
        if until is not None:
            query = query.where(_c.detected_at < until)
        if after is not None:
            query = query.where(tuple_(_c.detected_at, _c.id) < tuple_(*after))
        found = tuple(map(MAPPER.value, self._tx.rows(query)))
        if len(found) <= limit:
            return Page(found, None)
        last = found[limit - 1]
        return Page(found[:limit], (last.detected_at, last.id))
