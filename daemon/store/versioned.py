"""Compare-and-set: a row is written only where the version that was read still stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import bindparam, select

from daemon.errors import Stale
from daemon.store.mapping import Mapper
from daemon.store.tx import Tx, insert_if_absent


class HasVersion(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=HasVersion)


class Versioned(Generic[V]):
    """Reading by key and guarded writing of one table; the statements are built once."""

    def __init__(self, mapper: Mapper[V]) -> None:
        table = mapper.table
        (key,) = table.primary_key
        self.mapper = mapper
        self._key = key.name
        self._select = select(*mapper.columns).where(key == bindparam("key_"))
        self._update = (
            table.update()
            .where(key == bindparam("key_"), table.c.version == bindparam("version_"))
            .values({column.name: bindparam(column.name) for column in table.c if column is not key})
        )

    def get(self, tx: Tx, key: str) -> V | None:
        """The row of this key."""
        row = tx.row(self._select, {"key_": key})
        return None if row is None else self.mapper.value(row)

    def put(self, tx: Tx, value: V) -> V:
        """Insert (version 0) or update; returns the value with its new version. Raises `Stale`."""
        read = value.version
        row = self._next(value)
        if read == 0:
            written = tx.change(insert_if_absent(self.mapper.table, tx.dialect), row)
        else:
            key = row.pop(self._key)
            written = tx.change(self._update, row | {"key_": key, "version_": read})
        if written != 1:
            key = getattr(value, self._key)
            raise Stale(
                f"{self.mapper.table.name} {key}: another decision came first (read at version {read})"
            )
        return _with_version(value, read + 1)

    def add(self, tx: Tx, values: Sequence[V]) -> tuple[V, ...]:
        """Insert new rows, all in one statement; returns them with their version. Raises `Stale` if one is there already."""
        if not values:
            return ()
        rows = [self._next(value) for value in values]
        written = tx.change(insert_if_absent(self.mapper.table, tx.dialect), rows)
        if written != len(rows):
            raise Stale(
                f"{self.mapper.table.name}: {len(rows) - written} of {len(rows)} rows are there already"
            )
        return tuple(_with_version(value, 1) for value in values)

    def put_once(self, tx: Tx, value: V) -> V:
        """As `put`, but a new row whose key is taken is the row that stands: it exists once."""
        if value.version:
            return self.put(tx, value)
        if tx.change(insert_if_absent(self.mapper.table, tx.dialect), self._next(value)) == 1:
            return _with_version(value, 1)
        return self.get(tx, getattr(value, self._key)) or value

    def _next(self, value: V) -> dict[str, Any]:
        row = self.mapper.row(value)
        row["version"] = value.version + 1
        return row


def _with_version(value: V, version: int) -> V:
    return dataclasses.replace(value, version=version)  # type: ignore[type-var]  # every row type is a dataclass
