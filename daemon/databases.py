"""The door to operated PostgreSQL servers: one statement, one deadline, a connection of its own."""

from __future__ import annotations

import contextlib
import math
import os
import re
import socket
import threading
from collections.abc import Iterator

import psycopg

from remediations.ports import Ambiguous, Clock, Databases, PortError, Unreachable

MAX_ROWS = 1_000
LATE = 0.5
"""Seconds after which a server that did not end the statement itself is hung up on."""

_NOBODY = re.compile(
    r"failed to resolve host|could not translate host name|Connection refused|Connection timed out"
    r"|timeout expired|No route to host|Network is unreachable|No such file or directory"
)
"""What libpq says, in English, when no server was spoken to. Anything else counts as an answer: "too many clients" and
"password authentication failed" come from a server that is there.
"""
_ANSWERED = "FATAL"
_LOST = ("08", "57")
"""Classes of errors after which nobody knows: the connection was lost, the statement was ended by somebody."""


class DatabaseDoor:
    """Fits `remediations.ports.Databases`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def execute(self, dsn: str, statement: str, *, deadline: float) -> tuple[tuple[object, ...], ...]:
        """Run one statement in autocommit; at most `MAX_ROWS` rows of its answer. Errors: see the port."""
        connection = self._connect(dsn, deadline)
        with connection, self._bounded(connection, deadline):
            try:
                # the operator's own statement, from the configuration; parameters never come from telemetry
                cursor = connection.execute(statement)
                return tuple(cursor.fetchmany(MAX_ROWS)) if cursor.description else ()
            except psycopg.Error as error:
                if error.sqlstate is None or error.sqlstate.startswith(_LOST):
                    raise Ambiguous(f"the statement was not answered: {error}") from error
                raise PortError(f"the server refused the statement: {error}", sent=False) from error

    def _connect(self, dsn: str, deadline: float) -> psycopg.Connection[tuple[object, ...]]:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise Unreachable("the deadline had passed before the database was asked")
        milliseconds = math.ceil(left * 1000)
        try:
            return psycopg.connect(
                dsn,
                autocommit=True,
                connect_timeout=max(2, math.ceil(left)),  # libpq counts whole seconds and takes 1 for 2
                tcp_user_timeout=milliseconds,
                options=f"-c statement_timeout={milliseconds}",
                application_name="fleetmend",
            )
        except psycopg.Error as error:
            text = str(error)
            if isinstance(error, psycopg.errors.ConnectionTimeout) or (
                _NOBODY.search(text) and _ANSWERED not in text
            ):
                raise Unreachable(f"the database cannot be reached: {error}") from error
            raise PortError(f"the database refused the connection: {error}", sent=False) from error

    @contextlib.contextmanager
    def _bounded(self, connection: psycopg.Connection[tuple[object, ...]], deadline: float) -> Iterator[None]:
        """Hang up shortly after the deadline: a server that is stopped or cut off ends no statement by itself.

        The socket is shut down through a copy of its descriptor, so nothing that libpq still uses is closed under it.
        """
        line = socket.socket(fileno=os.dup(connection.fileno()))
        left = max(0.0, deadline - self._clock.monotonic())

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(left + LATE, hang_up)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
            watch.join()
            line.close()


def _fits(door: DatabaseDoor) -> Databases:
    """The type checker proves here that the door fits its port."""
    return door
