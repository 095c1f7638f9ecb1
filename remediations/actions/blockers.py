"""Ending the sessions that others wait for: the roots of the chains of locks, so many at most, and whom it hit.

A root blocks somebody and waits for nobody. Left alone are our own sessions, superusers, everything that is no client
(replication, autovacuum, background workers), other databases, and whoever began more recently than `older_than`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config.units import format_duration
from remediations.actions.action import Permit
from remediations.actions.postgres import Asked, Server
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, PortError

LOOK = 10.0
"""Seconds for a question."""
SEES_ALL = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
ROOTS = """
WITH blocked AS (
  SELECT pid, unnest(pg_blocking_pids(pid)) AS by FROM pg_stat_activity WHERE wait_event_type = 'Lock'
), roots AS (
  SELECT by AS pid, count(DISTINCT pid) AS waiting FROM blocked WHERE by NOT IN (SELECT pid FROM blocked) GROUP BY by
), known AS (
  SELECT roots.pid, waiting, coalesce(usename::text, '') AS usename, coalesce(application_name, '') AS application,
         coalesce(state, '') AS state,
         coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8 AS age,
         CASE WHEN roots.pid = 0 THEN 'a prepared transaction'
              WHEN a.pid IS NULL THEN 'has ended'
              WHEN backend_type <> 'client backend' THEN backend_type
              WHEN a.pid = pg_backend_pid() OR application_name = 'fleetmend' THEN 'ours'
              WHEN r.rolsuper THEN 'a superuser'
              WHEN datname IS DISTINCT FROM current_database() THEN 'another database'
              ELSE '' END AS spared
    FROM roots LEFT JOIN pg_stat_activity a ON a.pid = roots.pid LEFT JOIN pg_roles r ON r.oid = a.usesysid
)
"""
_TOLD = " SELECT pid, usename, application, state, age, waiting, spared FROM known ORDER BY waiting DESC, age DESC"
LOOK_AT = ROOTS + _TOLD
_END = """, chosen AS MATERIALIZED (
  SELECT * FROM known WHERE spared = '' AND age >= {older_than:f} ORDER BY waiting DESC, age DESC LIMIT {most:d}
)
SELECT pid, usename, application, state, age, waiting, pg_terminate_backend(pid, 2000) FROM chosen
"""
"""Found and ended in one statement: a number that was given to somebody else meanwhile is never hit."""


def end_statement(older_than: float, most: int) -> str:
    """The statement that ends them; both numbers are the configuration's."""
    return ROOTS + _END.format(older_than=float(older_than), most=int(most))


class Blockers:
    """One such round. `steps`: what was seen and done, in words."""

    def __init__(self, rendered: Mapping[str, Any], server: Server, permit: Permit) -> None:
        self._older_than: float = rendered["older_than"]
        self._most: int = rendered["max"]
        self._server = server
        self._permit = permit
        self.steps: list[str] = []
        self.said = ""

    def carry_out(self) -> OutcomeState:
        """Never raises for what the server does."""
        try:
            if not self._server.row(SEES_ALL, within=LOOK)[0]:
                self.steps.append("the role may not see other sessions (pg_read_all_stats)")
                return OutcomeState.FAILED
            found = self._server.ask(LOOK_AT, within=LOOK)
        except PortError as error:
            self.said = str(error)  # a question that went unanswered changed nothing
            return OutcomeState.FAILED
        due = [root for root in found if not root[6] and root[4] >= self._older_than]
        spared = [root for root in found if root[6]]
        if spared:
            self.steps.append(f"left alone: {', '.join(f'{root[0]} ({root[6]})' for root in spared)}")
        if not due:
            self.steps.append(f"nobody blocks others for longer than {format_duration(self._older_than)}")
            return OutcomeState.NOT_DONE
        if not self._permit.granted():
            self.steps.append("no permit")
            return OutcomeState.NOT_DONE
        return self._end()

    def _end(self) -> OutcomeState:
        try:
            ended = self._server.ask(end_statement(self._older_than, self._most))
        except Ambiguous as error:
            self.said = str(error)
            return OutcomeState.UNKNOWN
        except PortError as error:
            self.said = str(error)
            return OutcomeState.FAILED
        if not ended:
            self.steps.append("they ended by themselves")
            return OutcomeState.NOT_DONE
        gone, left = [row for row in ended if row[6]], [row for row in ended if not row[6]]
        self._tell("ended", gone)
        self._tell("did not end", left)
        return OutcomeState.FAILED if left else OutcomeState.DONE

    def _tell(self, what: str, rows: Sequence[Asked]) -> None:
        if rows:
            self.steps.append(f"{what}: {', '.join(_who(row) for row in rows)}")


def _who(row: Asked) -> str:
    """Whom it hit; what they were asking is theirs, and may hold what nobody should read."""
    pid, user, application, state, age, waiting, _ = row
    name = " ".join(filter(None, (_plain(user), _plain(application))))
    return f"{pid} {name} ({state}, {age:.0f} s, {waiting} waited)"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(text))[:64]
