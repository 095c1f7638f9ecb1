"""One open transaction: the few ways in which a repository speaks to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite

from daemon.store.faults import driver_errors

Params = Mapping[str, Any]


class Tx:
    """A connection inside a transaction. Every error of the driver leaves as `StoreSick` or, for one bad value, `StoreError`."""

    __slots__ = ("_connection", "changed", "dialect", "writable")

    def __init__(self, connection: Connection, *, writable: bool) -> None:
        self._connection = connection
        self.dialect = connection.dialect.name
        self.writable = writable
        self.changed = False
        """Some statement changed a row, or may have."""

    def rows(self, statement: Executable, params: Params | None = None) -> Sequence[Row[*tuple[Any, ...]]]:
        """All rows of a select."""
        with driver_errors():
            return self._connection.execute(statement, params).all()

    def row(self, statement: Executable, params: Params | None = None) -> Row[*tuple[Any, ...]] | None:
        """The first row of a select, None when there is none."""
        with driver_errors():
            return self._connection.execute(statement, params).first()

    def change(self, statement: Executable, params: Params | Sequence[Params] | None = None) -> int:
        """Number of rows that a statement changed; a sequence of parameters runs it once for each."""
        self._demand_writable()
        with driver_errors():
            count = self._connection.execute(statement, params).rowcount
        self.changed = self.changed or count != 0  # -1: not told
        return count

    def returning(self, statement: Executable, params: Sequence[Params]) -> Sequence[Row[*tuple[Any, ...]]]:
        """What an insert with RETURNING gave back, in the order of `params`."""
        self._demand_writable()
        self.changed = True
        with driver_errors():
            return self._connection.execute(statement, params).all()

    def _demand_writable(self) -> None:
        if not self.writable:
            msg = "this unit of work only reads"
            raise RuntimeError(msg)


@cache
def insert_if_absent(table: Table, dialect: str) -> Executable:
    """An insert that changes no row when the key is taken."""
    statement = _insert(table, dialect).on_conflict_do_nothing(index_elements=list(table.primary_key))
    return statement.execution_options(preserve_rowcount=True)  # an insert's count is dropped otherwise


@cache
def insert_or_replace(table: Table, dialect: str) -> Executable:
    """An insert that overwrites the row when the key is taken."""
    statement = _insert(table, dialect)
    keys = list(table.primary_key)
    fresh = {column.name: statement.excluded[column.name] for column in table.c if column not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=fresh)


def _insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
