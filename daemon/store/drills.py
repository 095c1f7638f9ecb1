"""Drills: what was asked of a playbook, and what it came to."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from daemon.incidents.drills import OVER, Drill, DrillState
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx
from daemon.store.versioned import Versioned

MAPPER = Mapper(Drill, tables.drills)
ROWS = Versioned(MAPPER)

_c = tables.drills.c
_all = select(*MAPPER.columns)
_UNDER_WAY = _all.where(
    _c.state.not_in(sorted(state.value for state in (*OVER, DrillState.PLANNED)))
).order_by(_c.at, _c.id)
_OF_PLAN = _all.where(_c.plan == bindparam("plan_")).order_by(_c.at.desc(), _c.id.desc()).limit(1)
_listed = _all.where(_c.state != DrillState.PLANNED.value)
_NEWEST = _listed.order_by(_c.at.desc(), _c.id.desc()).limit(bindparam("limit"))
_OF_BOOK = (
    _listed.where(_c.playbook == bindparam("playbook_"))
    .order_by(_c.at.desc(), _c.id.desc())
    .limit(bindparam("limit"))
)


class Drills:
    """Reads of drills, and the guarded write."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, drill_id: str) -> Drill | None:
        """The drill of this id."""
        return ROWS.get(self._tx, drill_id)

    def save(self, drill: Drill) -> Drill:
        """Write it where the version that was read still stands. Raises `Stale`."""
        return ROWS.put(self._tx, drill)

    def under_way(self) -> tuple[Drill, ...]:
        """Asked for and not over, oldest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_UNDER_WAY)))

    def last_of(self, plan: str) -> Drill | None:
        """The newest row of a schedule; its `at` is the time up to which nothing is due any more."""
        row = self._tx.row(_OF_PLAN, {"plan_": plan})
        return None if row is None else MAPPER.value(row)

    def newest(self, playbook: str | None = None, *, limit: int = 20) -> tuple[Drill, ...]:
        """The newest first, of one playbook or of all."""
        if playbook is None:
            return tuple(map(MAPPER.value, self._tx.rows(_NEWEST, {"limit": limit})))
        return tuple(map(MAPPER.value, self._tx.rows(_OF_BOOK, {"playbook_": playbook, "limit": limit})))
