"""One place where a driver's error becomes ours: every one of them is `StoreSick` with a reason for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from daemon.errors import StoreSick

_SQLITE = {
    sqlite3.SQLITE_FULL: "disk full",
    sqlite3.SQLITE_IOERR: "I/O error",
    sqlite3.SQLITE_BUSY: "locked too long",
    sqlite3.SQLITE_LOCKED: "locked too long",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "not permitted",
}
"""By primary result code, https://www.sqlite.org/rescode.html."""

_POSTGRES = {
    "53100": "disk full",
    "53": "out of resources",
    "55P03": "locked too long",
    "57014": "too slow",
    "58": "I/O error",
    "XX": "corrupt",
    "08": "unreachable",
    "57": "unreachable",
    "28": "not permitted",
    "25006": "read-only",
}
"""By SQLSTATE or its class, https://www.postgresql.org/docs/current/errcodes-appendix.html."""


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raise `StoreSick` for whatever the driver or its pool raises inside."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise sick(error) from error


def sick(error: Exception) -> StoreSick:
    """`StoreSick` for an error of the driver; the message holds the driver's words, but no statement or value."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    words = str(cause).strip().split("\n", maxsplit=1)[0] if not isinstance(cause, SQLAlchemyError) else ""
    return StoreSick(f"store {_reason(cause)}: {words or type(cause).__name__}")


def _reason(cause: BaseException) -> str:
    if isinstance(cause, PoolTimeout):
        return "busy for too long"
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return _SQLITE.get(code & 0xFF, "failed") if code is not None else "failed"
    state = getattr(cause, "sqlstate", None) or ""
    if not state:
        return "unreachable" if type(cause).__name__ == "OperationalError" else "failed"
    return _POSTGRES.get(state) or _POSTGRES.get(state[:2]) or "failed"
