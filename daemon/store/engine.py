"""Where the store is, and how connections to it are made: SQLite file, SQLite in memory, PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from daemon.errors import StoreSick

LOCK_WAIT = 5.0
"""Seconds to wait for another writer before the store counts as sick."""

_WRITER = 0x666C6D64
"""Advisory lock that makes writers of one PostgreSQL database queue up, as BEGIN IMMEDIATE does on SQLite."""

_PG_OPTIONS = (
    f"-c lock_timeout={int(LOCK_WAIT * 1000)} -c statement_timeout=30000 "
    # A leader that is stopped inside a transaction must not hold the others up for ever.
    "-c idle_in_transaction_session_timeout=30000"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A parsed address: `path` of a SQLite file, None in memory and for PostgreSQL."""

    url: URL
    path: Path | None
    memory: bool

    @property
    def postgres(self) -> bool:
        """Whether replicas may share it."""
        return self.path is None and not self.memory


def place(url: str) -> Place:
    """Parse `sqlite:////var/lib/x.db`, `sqlite://` (memory), `:memory:`, `postgresql://…`. Raises `StoreSick`."""
    try:
        parsed = make_url("sqlite://" if url == ":memory:" else url)
    except ArgumentError:
        raise StoreSick("store cannot be opened: its address is no URL") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        memory = parsed.database in {None, "", ":memory:"}
        return Place(parsed, None if memory else Path(str(parsed.database)), memory)
    if kind == "postgresql":
        return Place(parsed.set(drivername="postgresql+psycopg"), None, memory=False)
    raise StoreSick(f"store cannot be opened: {kind} is not supported, use sqlite or postgresql")


def engine_for(where: Place, *, read_only: bool) -> Engine:
    """The engine; its transactions are those of `transaction`."""
    if where.postgres:
        return _postgres(where.url)
    return create_engine(
        "sqlite://",
        creator=_connector(where, read_only=read_only),
        poolclass=StaticPool if where.memory else QueuePool,
    )


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """Commits at its end. One that writes has the write lock from its beginning.

    It begins here and not in an event of the engine: as soon as anybody listens to one, every statement costs more.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        elif writes:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")
        yield connection


def _connector(where: Place, *, read_only: bool) -> Callable[[], sqlite3.Connection]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:" if where.path is None else _file(where.path.absolute(), read_only=read_only),
            uri=where.path is not None,
            timeout=LOCK_WAIT,
            isolation_level=None,  # no transaction begins behind our back
            check_same_thread=False,
        )
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
        return connection

    return connect


def _file(path: Path, *, read_only: bool) -> str:
    # Neither mode makes the file: only a migration does.
    target = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rw'}"
    # A reader opens a log of its own beside a store that has none. Where it may not, nobody writes either (a living
    # daemon has a log), so the file can be read as it lies.
    alone = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    return f"{target}&immutable=1" if read_only and alone else target


def _postgres(url: URL) -> Engine:
    return create_engine(
        url,
        connect_args={"options": _PG_OPTIONS, "connect_timeout": int(LOCK_WAIT)},
        pool_pre_ping=True,
        pool_timeout=LOCK_WAIT,
        pool_size=8,
    )
