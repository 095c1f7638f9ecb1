"""The `sql` action on real servers: a primary, its streaming standby, and clients that go on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from config.scope import WHOLE
from config.secrets import Environment, Redactor
from daemon.clock import SystemClock
from daemon.databases import DatabaseDoor
from remediations.actions.registry import Actions
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports
from tests.fakes import postgres
from tests.fakes.ports import FakePermit, FakePorts
from tests.fakes.writer import Writer, writing

pytestmark = pytest.mark.live

CLOCK = SystemClock()
DONE, FAILED, NOT_DONE = OutcomeState.DONE, OutcomeState.FAILED, OutcomeState.NOT_DONE
PROMOTE: dict[str, Any] = {"standby": {"env": "STANDBY"}, "primary": {"env": "PRIMARY"}}
PASSWORD = "canary-0f3a9c"
ROLES = f"""
CREATE TABLE positions (n bigint);
CREATE ROLE app LOGIN; GRANT ALL ON positions TO app;
CREATE ROLE fleet LOGIN PASSWORD '{PASSWORD}';
GRANT pg_monitor, pg_signal_backend TO fleet;
GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO fleet;
GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_promote(boolean, integer) TO fleet;
"""
"""No superuser is needed; PostgreSQL 15 and newer can grant the fence."""


@dataclass
class Pair:
    primary: postgres.Server
    standby: postgres.Server

    def dsn(self, server: postgres.Server) -> str:
        return f"postgresql://fleet:{PASSWORD}@127.0.0.1:{server.port}/postgres"

    @property
    def writers_dsn(self) -> str:
        """Both servers, as clients of such a pair name them: whichever takes writes."""
        ports = f"{self.primary.port},{self.standby.port}"
        return (
            f"host=127.0.0.1,127.0.0.1 port={ports} user=app dbname=postgres target_session_attrs=read-write"
        )

    def perform(self, written: dict[str, Any], primary: str = "") -> Outcome:
        environment = Environment(
            {"STANDBY": self.dsn(self.standby), "PRIMARY": primary or self.dsn(self.primary)}
        )
        made = Actions({}, environment.take, environment.context, Redactor([PASSWORD]).text)
        prepared = made.prepare({"sql": written}, {"scope": {}}, WHOLE)
        inner = FakePorts()
        ports = Ports(inner.http, inner.processes, inner.files, DatabaseDoor(CLOCK), CLOCK)
        outcome = made.perform(
            "sql",
            prepared.rendered,
            ports,
            deadline=CLOCK.monotonic() + 60,
            permit=FakePermit(),
            key="k",
        )
        assert PASSWORD not in str(outcome)
        return outcome

    def promote(self, primary: str = "", **more: Any) -> Outcome:
        return self.perform({"promote": {**PROMOTE, **more}, "timeout": "30s"}, primary)

    def ask(self, server: postgres.Server, statement: str) -> Any:
        """The first value of the answer."""
        with server.connect("postgres") as connection:
            row = connection.execute(statement.encode()).fetchone()
        return None if row is None else row[0]

    def order(self, server: postgres.Server, *statements: str) -> None:
        with server.connect("postgres") as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def untouched(self) -> bool:
        """The primary takes writes from new sessions, and the standby follows."""
        read_only = self.ask(self.primary, "SHOW transaction_read_only")
        return (read_only, self.ask(self.standby, "SELECT pg_is_in_recovery()")) == ("off", True)

    def survivors(self) -> set[int]:
        with self.standby.connect("postgres") as connection:
            return {int(str(row[0])) for row in connection.execute("SELECT n FROM positions")}


@contextmanager
def started() -> Iterator[Pair]:
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("postgresql: initdb and postgres are not installed")
    with (
        postgres.home() as here,
        postgres.running(folder, postgres.initialised(folder, here)) as primary,
        postgres.running(folder, postgres.copied(folder, primary, here / "standby")) as standby,
    ):
        made = Pair(primary, standby)
        made.order(primary, *filter(None, (part.strip() for part in ROLES.split(";"))))
        eventually(
            lambda: made.ask(standby, "SELECT count(*) FROM pg_roles WHERE rolname = 'fleet'") == 1,
            "the standby follows",
        )
        yield made


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """For what leaves both as they are."""
    with started() as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Pair]:
    with started() as made:
        yield made


def eventually(holds: Callable[[], bool], what: str, within: float = 10.0) -> None:
    for _ in range(int(within / 0.02)):
        if holds():
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"not so within {within:.0f} s: {what}")


# ---------------------------------------------------------------------- promotion


def test_a_standby_is_promoted_under_a_writer_that_goes_on_and_loses_nothing(fresh: Pair) -> None:
    """The standby's receiver is held up while the primary is fenced: what is under way is waited for."""
    receiver = int(fresh.ask(fresh.standby, "SELECT pid FROM pg_stat_wal_receiver"))
    with closing(app(fresh, "late")) as late, writing(fresh.writers_dsn) as writer:
        late.execute("INSERT INTO positions VALUES (-1)")
        writer.wrote(100)
        os.kill(receiver, signal.SIGSTOP)
        released = threading.Timer(1.0, os.kill, (receiver, signal.SIGCONT))
        released.start()
        writer.wrote(100)
        outcome = fresh.promote()
        assert outcome.state is DONE, outcome
        assert "has all of it; promoted, timeline 1 to 2" in outcome.effect
        writer.wrote(200)
        with pytest.raises(psycopg.OperationalError):
            late.commit()
    assert set(writer.acknowledged) <= fresh.survivors(), "what was acknowledged is there"
    assert writer.reconnected >= 2
    assert fresh.ask(fresh.primary, "SHOW transaction_read_only") == "on", "the old one takes no writes"
    again = fresh.promote()
    assert again.state is DONE
    assert "takes writes already, on timeline 2" in again.effect


def test_a_primary_that_died_is_replaced_and_what_was_acknowledged_is_kept(fresh: Pair) -> None:
    synchronous = ("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    fresh.order(fresh.primary, *synchronous)
    in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    eventually(lambda: fresh.ask(fresh.primary, in_step) == 1, "the standby acknowledges every commit")
    with writing(fresh.writers_dsn) as writer:
        writer.wrote(200)
        fresh.primary.fail()
        receivers = "SELECT count(*) FROM pg_stat_wal_receiver"
        eventually(lambda: fresh.ask(fresh.standby, receivers) == 0, "the standby notices")
        outcome = fresh.promote()
        assert outcome.state is DONE, outcome
        assert f"127.0.0.1:{fresh.primary.port}/postgres cannot be reached" in outcome.effect
        writer.wrote(200)
    assert set(writer.acknowledged) <= fresh.survivors()


def test_a_standby_whose_replay_is_paused_is_not_promoted(pair: Pair) -> None:
    pair.order(pair.standby, "SELECT pg_wal_replay_pause()")
    try:
        state = "SELECT pg_get_wal_replay_pause_state()"
        eventually(lambda: pair.ask(pair.standby, state) == "paused", "replay is paused")
        pair.order(pair.primary, "CREATE TABLE filler AS SELECT g FROM generate_series(1, 60000) g")
        received = "SELECT pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn() > 2000000"
        eventually(lambda: pair.ask(pair.standby, received) is True, "2 MB are received and not replayed")
        by_size, by_time = pair.promote(max_lag="1MB"), pair.promote(max_lag="1ms")
        assert (by_size.state, by_time.state) == (NOT_DONE, NOT_DONE), (by_size, by_time)
        assert "more than 1MB behind, its replay is paused" in by_size.effect
        assert "more than 1ms behind, its replay is paused" in by_time.effect
        assert pair.untouched()
    finally:
        pair.order(pair.standby, "SELECT pg_wal_replay_resume()")


def test_a_standby_that_still_receives_is_not_promoted_past_a_primary_that_cannot_be_fenced(
    pair: Pair,
) -> None:
    streaming = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    eventually(lambda: pair.ask(pair.standby, streaming) == 1, "it receives")
    nobody = "postgresql://fleet@127.0.0.1:1/postgres"
    for outcome in (pair.promote(primary=nobody), pair.perform({"promote": {"standby": {"env": "STANDBY"}}})):
        assert outcome.state is NOT_DONE, outcome
        assert "still receives from a primary that cannot be fenced" in outcome.effect
    assert pair.untouched()


def test_a_primary_that_is_there_and_does_not_let_us_in_is_not_taken_for_dead(pair: Pair) -> None:
    outcome = pair.promote(primary=f"{pair.dsn(pair.primary)}_of_another_name")
    assert outcome.state is NOT_DONE, outcome
    assert "is there and cannot be fenced" in outcome.effect
    assert "does not exist" in outcome.output
    assert pair.untouched()


def test_a_fence_that_fences_nothing_leads_to_no_promotion(pair: Pair) -> None:
    written = {
        "promote": {**PROMOTE, "fence": {"statement": "SELECT 1", "lift": "SELECT 2"}},
        "timeout": "5s",
    }
    outcome = pair.perform(written)
    assert outcome.state is FAILED
    assert "still opens sessions that can write" in outcome.effect
    assert pair.untouched()


def test_a_session_that_cannot_be_ended_keeps_its_primary_and_the_fence_is_lifted(pair: Pair) -> None:
    with pair.primary.connect("postgres") as superuser:
        superuser.execute("SELECT 1")
        outcome = pair.promote()
        assert outcome.state is FAILED, outcome
        assert "takes writes again" in outcome.effect
        assert superuser.execute("SELECT 1").fetchone() == (1,)
    assert pair.untouched()


# ---------------------------------------------------------------------- blockers


def app(pair: Pair, name: str, user: str = "app") -> psycopg.Connection[tuple[Any, ...]]:
    dsn = f"host=127.0.0.1 port={pair.primary.port} user={user} dbname=postgres application_name={name}"
    return psycopg.connect(dsn)


def pid(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    return connection.info.backend_pid


def end_blockers(pair: Pair, **more: Any) -> Outcome:
    return pair.perform({"terminate_blockers": {"dsn": {"env": "PRIMARY"}, "older_than": "0s", **more}})


def waiting(pair: Pair) -> int:
    return int(pair.ask(pair.primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


@contextmanager
def blocked_writer(pair: Pair) -> Iterator[Writer]:
    """A writer that somebody's lock keeps waiting."""
    with writing(pair.writers_dsn) as writer:
        eventually(lambda: waiting(pair) == 1, "the writer waits")
        yield writer


def test_the_root_of_a_chain_of_locks_is_ended_and_whoever_waited_goes_on(pair: Pair) -> None:
    with app(pair, "etl") as root, blocked_lock(pair, root) as writer:
        outcome = end_blockers(pair)
        assert outcome.state is DONE, outcome
        assert f"ended: {pid(root)} app etl (idle in transaction" in outcome.effect
        assert "1 waited" in outcome.effect
        writer.wrote(50)
        assert root.closed or _lost(root)


@contextmanager
def blocked_lock(pair: Pair, root: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Writer]:
    root.execute("LOCK TABLE positions IN ACCESS EXCLUSIVE MODE")
    with blocked_writer(pair) as writer:
        yield writer


def _lost(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def test_a_superuser_and_whoever_began_a_moment_ago_are_left_alone(pair: Pair) -> None:
    with app(pair, "dba", user="postgres") as superuser, blocked_lock(pair, superuser):
        outcome = end_blockers(pair)
        assert outcome.state is NOT_DONE, outcome
        assert f"left alone: {pid(superuser)} (a superuser)" in outcome.effect
        superuser.rollback()
    with app(pair, "young") as root, blocked_lock(pair, root):
        outcome = end_blockers(pair, older_than="1h")
        assert outcome.state is NOT_DONE
        assert "nobody blocks others for longer than 1h" in outcome.effect
        root.rollback()


def test_no_more_are_ended_than_may_be_and_who_waits_is_no_root(pair: Pair) -> None:
    """Three roots hold a lock each. Of the waiters one holds lock 9 itself, and another waits for that."""
    roots = [app(pair, f"root-{number}") for number in range(3)]
    try:
        for number, root in enumerate(roots):
            root.execute(f"SELECT pg_advisory_lock({number})".encode())
        most = pid(roots[1])
        with _waiters(pair, ((9, 0), (None, 9), (None, 0), (None, 1), (None, 1), (None, 1), (None, 2))):
            outcome = end_blockers(pair, max=2)
            assert outcome.state is DONE, outcome
            assert [_lost(root) for root in roots] == [True, True, False], "those that most wait for"
            assert f"{most} app root-1 (idle in transaction" in outcome.effect
            assert "waiter" not in outcome.effect
            roots[2].close()
    finally:
        for root in roots:
            root.close()


@contextmanager
def _waiters(pair: Pair, locks: tuple[tuple[int | None, int], ...]) -> Iterator[None]:
    """Sessions that each hold one lock, or none, and wait for another."""
    sessions = [app(pair, f"waiter-{number}") for number in range(len(locks))]
    for session, (held, _) in zip(sessions, locks, strict=True):
        if held is not None:
            session.execute(f"SELECT pg_advisory_xact_lock({held})".encode())

    def wait(session: psycopg.Connection[tuple[Any, ...]], lock: int) -> None:
        with session:
            session.execute(f"SELECT pg_advisory_xact_lock({lock})".encode())

    threads = [
        threading.Thread(target=wait, args=(session, lock), daemon=True)
        for session, (_, lock) in zip(sessions, locks, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: waiting(pair) == len(locks), "all wait")
        yield
    finally:
        for thread in threads:
            thread.join(10)


def test_who_may_not_see_other_sessions_says_so_and_ends_nobody(pair: Pair) -> None:
    dsn = f"host=127.0.0.1 port={pair.primary.port} user=app dbname=postgres"
    written = {"terminate_blockers": {"dsn": {"env": "PRIMARY"}}}
    outcome = pair.perform(written, primary=dsn)
    assert outcome.state is FAILED
    assert "pg_read_all_stats" in outcome.effect


def test_a_fixed_statement_is_run_once_and_its_answer_kept(pair: Pair) -> None:
    sql = "SELECT relname, relkind FROM pg_class WHERE relname = 'positions'"
    outcome = pair.perform({"statement": {"dsn": {"env": "STANDBY"}, "sql": sql}})
    assert (outcome.state, outcome.output) == (DONE, "positions | r")
    refused = pair.perform({"statement": {"dsn": {"env": "STANDBY"}, "sql": "CREATE TABLE t ()"}})
    assert refused.state is FAILED
    assert "read-only transaction" in refused.output
