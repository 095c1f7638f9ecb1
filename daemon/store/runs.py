"""Runs: who climbs, and when the last climb ended."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import bindparam, func, select, true

from config.scope import Scope, scope_key
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned
from remediations.run import ACTIVE, Run

MAPPER = Mapper(Run, tables.runs)
ROWS = Versioned(MAPPER)

_c = tables.runs.c
_ACTIVE = (
    select(*MAPPER.columns)
    .where(_c.state.in_(sorted(state.value for state in ACTIVE)))
    .order_by(_c.due_at, _c.id)
)
_CLIMB_ENDED = (
    select(func.max(_c.ended_at))
    .join_from(tables.runs, tables.incidents, tables.incidents.c.id == _c.id)
    .where(_c.playbook == bindparam("playbook_"), _c.acted == true())
    .where(tables.incidents.c.scope == bindparam("scope_"))
)


class Runs:
    """Reads of runs."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, incident_id: str) -> Run | None:
        """The run of this incident."""
        return ROWS.get(self._tx, incident_id)

    def active(self, known: Mapping[str, Run] = MappingProxyType({})) -> tuple[Run, ...]:
        """Every run that has neither given up nor finished. `known`: committed ones read before, by id."""
        return MAPPER.values(self._tx.rows(_ACTIVE), known)

    def climb_ended_at(self, playbook: str, scope: Scope) -> float | None:
        """When the latest climb of this playbook at this scope ended that had begun an action; None if none did."""
        row = self._tx.row(_CLIMB_ENDED, {"playbook_": playbook, "scope_": scope_key(scope)})
        ended: float | None = None if row is None else row[0]
        return ended
