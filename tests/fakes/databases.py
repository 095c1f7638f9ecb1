"""A primary and its standby as the `sql` action sees them: answers to its own questions, and what was ordered of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from remediations.actions import promotion
from remediations.ports import Databases, PortError

Rows = tuple[tuple[object, ...], ...]

STANDBY, PRIMARY = (
    "postgresql://fleet:canary-0f3a9c@hot-b/fleet",
    "host=hot-a dbname=fleet user=fleet password='canary 0f3a9c'",
)


@dataclass
class FakeServer:
    """`errors`: beginning of a statement -> what is raised for it; one that was sent takes effect all the same."""

    recovering: bool = False
    system: int = 7
    timeline: int = 1
    read_only: bool = False
    known: int = 5_000_000
    received: int = 5_000_000
    replayed: int = 5_000_000
    delay: float = 0.0
    paused: bool = False
    receiving: bool = False
    sessions: int = 2
    stubborn: int = 0
    """Sessions that do not end."""
    prepared: int = 0
    """Transactions that wait for the second phase of their commit."""
    sees_sessions: bool = True
    deaf: bool = False
    """Takes an order to be read-only, and goes on opening sessions that can write."""
    slow: bool = False
    """A promotion is begun and not finished."""
    errors: dict[str, PortError] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)

    def state(self) -> Rows:
        return (
            (
                self.recovering, self.system, self.timeline, self.read_only, self.known, self.received,
                self.replayed, self.delay, self.paused, int(self.receiving),
            ),
        )  # fmt: skip

    def run(self, statement: str) -> Rows:
        error = next((e for begin, e in self.errors.items() if statement.startswith(begin)), None)
        if error is not None and not error.sent:
            raise error
        rows = self._answer(statement)
        if error is not None:
            raise error
        return rows

    def _answer(self, statement: str) -> Rows:
        if statement == promotion.STATE:
            return self.state()
        if statement == promotion.IS_READ_ONLY:
            return ((self.read_only and not self.deaf,),)
        self.orders.append(statement.split("(", maxsplit=1)[0].strip().splitlines()[0])
        if statement == promotion.END_SESSIONS:
            ended, self.sessions = self.sessions - self.stubborn, self.stubborn
            return ((self.sees_sessions, ended, self.stubborn, self.prepared),)
        if statement in {promotion.READ_ONLY, "SELECT fence()"}:
            self.read_only = True
        elif statement in {promotion.WRITABLE, "SELECT lift()"}:
            self.read_only = False
        elif statement.startswith("SELECT pg_promote") and not self.slow:
            self.recovering, self.receiving, self.timeline = False, False, self.timeline + 1
        return ((True,),)


@dataclass
class FakePair:
    """A healthy pair."""

    standby: FakeServer = field(default_factory=lambda: FakeServer(recovering=True, receiving=True))
    primary: FakeServer = field(default_factory=FakeServer)
    refusals: dict[str, PortError] = field(default_factory=dict)
    """Connection string -> what connecting to it raises."""

    def execute(self, dsn: str, statement: str, *, deadline: float) -> Rows:
        del deadline
        if dsn in self.refusals:
            raise self.refusals[dsn]
        return {STANDBY: self.standby, PRIMARY: self.primary}[dsn].run(statement)

    @property
    def touched(self) -> list[str]:
        """Everything that was ordered, the primary's first."""
        return self.primary.orders + self.standby.orders


def _fits(pair: FakePair) -> Databases:
    """The type checker proves here that the fake fits its port."""
    return pair
