"""Store: where units of work come from. The only object of this package that others build."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from daemon.errors import StoreSick
from daemon.incidents.records import Alert, Order
from daemon.store import schema
from daemon.store.engine import Place, engine_for, place, transaction
from daemon.store.faults import driver_errors
from daemon.store.lockfile import Lockfile
from daemon.store.retention import Pruned, Retention, prune
from daemon.store.tx import Tx
from daemon.store.unit import UnitOfWork


class Store:
    """Safe to share between threads; a unit of work belongs to the thread that opened it and does not nest."""

    def __init__(self, where: Place, *, read_only: bool) -> None:
        self._where = where
        self._read_only = read_only
        self._engine = engine_for(where, read_only=read_only)
        reading = (
            {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if where.postgres else {}
        )
        self._reading = self._engine.execution_options(**reading)
        # A database in memory is one connection, so its units take turns.
        self._turn = threading.Lock() if where.memory else None
        self._mine = threading.local()
        self.changes = 0
        """Units of work of this object that changed rows, whether kept or not: while it stands still, nothing that only
        this object writes is another than before.
        """
        self._lockfile: Lockfile | None = None
        self._file: tuple[int, int] | None = None
        """Device and inode of the database that was opened for writing."""

    @classmethod
    def open(cls, url: str, *, read_only: bool = False) -> Self:
        """Open `sqlite:////path`, `sqlite://` (in memory, empty, ready to use) or `postgresql://…`.

        No file is ever made here: a new one is made by `migrate`. A reader sees what is committed, with or without
        a living daemon, and refuses a schema that is not this version's. Raises `StoreSick`.
        """
        where = place(url)
        store = cls(where, read_only=read_only)
        if where.memory:
            store.migrate()
        elif read_only:
            store._demand_schema()
        return store

    def migrate(self) -> None:
        """Make the tables, or bring older ones to this version, in one transaction; nothing to do is cheap."""
        self._make_file()
        self._file = self._identity()
        with self._alone(), driver_errors(), transaction(self._engine, writes=True) as connection:
            schema.migrate(connection)

    def own(self) -> None:
        """Be the one daemon of a SQLite file until `close`; raises `AlreadyRunning`. Replicas share PostgreSQL."""
        if self._where.path is not None and self._lockfile is None:
            self._make_file()
            self._lockfile = Lockfile(self._where.path.with_name(self._where.path.name + ".lock"))

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[UnitOfWork]:
        """A transaction that holds the write lock from its beginning and is on disk when this returns.

        With `epoch`: `LeaseLost` unless it still leads. An exception inside keeps nothing.
        """
        self._demand_file()
        with self._alone(), driver_errors(), transaction(self._engine, writes=True) as connection:
            unit = UnitOfWork(Tx(connection, writable=True))
            if epoch is not None:
                unit.lease.demand(epoch)
            try:
                yield unit
            finally:
                self.changes += unit.changed
            if unit.stale is not None:
                raise unit.stale

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """A consistent view; writing through it is a RuntimeError."""
        with self._alone(), driver_errors(), transaction(self._reading, writes=False) as connection:
            yield UnitOfWork(Tx(connection, writable=False))

    def record(self, orders: Sequence[Order] = (), alerts: Sequence[Alert] = ()) -> tuple[int, ...]:
        """Append many orders and alerts in one transaction (group commit); on disk when this returns the orders' ids."""
        with self.write() as unit:
            unit.inbox.add_alerts(alerts)
            return unit.inbox.add_orders(orders)

    def last_seq(self) -> int:
        """Number of the newest event: cheap enough to ask every second."""
        with self.read() as unit:
            return unit.timeline.last_seq()

    def prune(self, now: float, retention: Retention, *, limit: int = 500) -> Pruned:
        """Delete what is past its age; at most about `limit` rows a kind, so call again while `more`."""
        with self._alone(), driver_errors(), transaction(self._engine, writes=True) as connection:
            return prune(Tx(connection, writable=True), now, retention, limit)

    def close(self) -> None:
        """Close all connections and give the lock file back."""
        self._engine.dispose()
        if self._lockfile is not None:
            self._lockfile.release()
            self._lockfile = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _demand_file(self) -> None:
        """What is written to a file that was deleted or replaced meanwhile is lost: raise `StoreSick`."""
        if self._file is not None and self._identity() != self._file:
            raise StoreSick(f"{self._where.path} was deleted or replaced while it was in use")

    def _identity(self) -> tuple[int, int] | None:
        if self._where.path is None:
            return None
        try:
            found = self._where.path.stat()
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if getattr(self._mine, "open", False):
            msg = "a unit of work does not nest: one item, one transaction"
            raise RuntimeError(msg)
        self._mine.open = True
        try:
            if self._turn is None:
                yield
            else:
                with self._turn:
                    yield
        finally:
            self._mine.open = False

    def _make_file(self) -> None:
        if self._where.path is None:
            return
        try:
            self._where.path.parent.mkdir(parents=True, exist_ok=True)
            self._where.path.touch()
        except OSError as error:
            raise StoreSick(f"store cannot be made: {self._where.path}: {error.strerror}") from error

    def _demand_schema(self) -> None:
        if self._where.path is not None and not self._where.path.is_file():
            raise StoreSick(f"store cannot be opened: there is no {self._where.path}")
        with driver_errors(), self._reading.connect() as connection:
            found = schema.current(connection)
        if found != schema.HEAD:
            raise StoreSick(
                f"store has schema {found or 'none'}, this version reads {schema.HEAD}: start the daemon once"
            )
