"""Changes of the operated pipeline: deployments and configuration, the source of "recent changes"."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select

from daemon.incidents.records import PipelineChange
from daemon.store import tables
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx

MAPPER = Mapper(PipelineChange, tables.pipeline_changes)

_c = tables.pipeline_changes.c
_INSERT = insert(tables.pipeline_changes)
_RECENT = (
    select(*MAPPER.columns)
    .where(_c.at >= bindparam("since"))
    .order_by(_c.at.desc(), _c.id.desc())
    .limit(bindparam("limit"))
)


class Pipeline:
    """Appends and reads of pipeline changes."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def add(self, change: PipelineChange) -> None:
        """Append one."""
        self._tx.change(_INSERT, MAPPER.row(change))

    def recent(self, since: float, *, limit: int = 100) -> tuple[PipelineChange, ...]:
        """Those at or after `since`, newest first."""
        return tuple(map(MAPPER.value, self._tx.rows(_RECENT, {"since": since, "limit": limit})))
