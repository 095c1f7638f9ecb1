"""A PostgreSQL server as one `sql` action speaks to it: by name, within the action's time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from remediations.ports import Clock, Databases, PortError

Asked = tuple[Any, ...]
"""One row of an answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """`name`: for people and locks (`host/database`). `deadline`: monotonic seconds, of the whole action."""

    name: str
    dsn: str
    databases: Databases
    clock: Clock
    deadline: float

    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    def ask(self, statement: str, *, within: float | None = None) -> tuple[Asked, ...]:
        """The rows of the answer, within that many seconds and the action's own time. Raises `PortError`."""
        until = self.deadline if within is None else min(self.deadline, self.now() + within)
        return self.databases.execute(self.dsn, statement, deadline=until)

    def row(self, statement: str, *, within: float | None = None) -> Asked:
        """The first row. Raises `PortError`, also when there is none."""
        rows = self.ask(statement, within=within)
        if not rows:
            raise PortError("it answered nothing", sent=False)
        return rows[0]
