"""The door to operated PostgreSQL servers: one statement, one deadline, a connection of its own."""

from __future__ import annotations

import math

import psycopg

from remediations.ports import Ambiguous, Clock, Databases, PortError, Unreachable

MAX_ROWS = 1_000


class DatabaseDoor:
    """Fits `remediations.ports.Databases`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def execute(self, dsn: str, statement: str, *, deadline: float) -> tuple[tuple[object, ...], ...]:
        """Run one statement in autocommit; at most `MAX_ROWS` rows of its answer.

        Raises `Unreachable` when nothing was sent, `Ambiguous` when the answer did not come (the statement may have
        taken effect), `PortError` when the server refused the statement.
        """
        connection = self._connect(dsn, deadline)
        with connection:
            try:
                # the operator's own statement, from the configuration; parameters never come from telemetry
                cursor = connection.execute(statement)
                return tuple(cursor.fetchmany(MAX_ROWS)) if cursor.description else ()
            except psycopg.errors.QueryCanceled as error:
                raise Ambiguous(f"the statement did not end within the deadline: {error}") from error
            except psycopg.OperationalError as error:
                raise Ambiguous(f"the connection was lost during the statement: {error}") from error
            except psycopg.Error as error:
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
            raise Unreachable(f"the database cannot be reached: {error}") from error


def _fits(door: DatabaseDoor) -> Databases:
    """The type checker proves here that the door fits its port."""
    return door
