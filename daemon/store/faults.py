"""One place where an error of the driver becomes ours, with a reason for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from daemon.errors import StoreError, StoreSick

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
    """Raise ours for whatever the driver or its pool raises inside: see `ours`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise ours(error) from error


def ours(error: Exception) -> StoreError:
    """`StoreSick` for an error of the driver, but a plain `StoreError` where it refused one value.

    Only that item is to be parked: the store itself is well. The message holds the driver's words, and no statement.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if _refused(error, cause):
        return StoreError(f"store refused a value: {_words(cause)}")
    return StoreSick(f"store {_reason(cause)}: {_words(cause)}")


def _words(cause: BaseException) -> str:
    words = "" if isinstance(cause, SQLAlchemyError) else str(cause).strip().split("\n", maxsplit=1)[0]
    return words or type(cause).__name__


def _refused(error: Exception, cause: BaseException) -> bool:
    if isinstance(error, DataError | IntegrityError):
        return True
    # Without a code of the engine: the driver could not even bind the value.
    return isinstance(error, ProgrammingError) and not _code(cause)


def _code(cause: BaseException) -> str | int | None:
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorcode", None)


def _reason(cause: BaseException) -> str:
    if isinstance(cause, PoolTimeout):
        return "busy for too long"
    code = _code(cause)
    if isinstance(code, int):
        return _SQLITE.get(code & 0xFF, "failed")
    if code:
        return _POSTGRES.get(code) or _POSTGRES.get(code[:2]) or "failed"
    # libpq has no code for a connection that could not be made or broke.
    return "unreachable" if type(cause).__name__ == "OperationalError" else "failed"
