"""What the database door says about servers: one that is not there, one that refuses, one that stops in the middle."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from daemon.clock import SystemClock
from daemon.databases import MAX_ROWS, DatabaseDoor
from remediations.ports import Ambiguous, PortError, Unreachable
from tests.fakes.postgres import Server
from tests.fakes.server import closed_port

CLOCK = SystemClock()


def test_a_server_that_is_not_there_is_unreachable_and_its_password_is_not_told() -> None:
    dsn = f"postgresql://fleet:canary-password@127.0.0.1:{closed_port()}/fleet"
    with pytest.raises(Unreachable) as caught:
        DatabaseDoor(CLOCK).execute(dsn, "select 1", deadline=CLOCK.monotonic() + 5)
    assert "canary-password" not in str(caught.value)


def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(Unreachable):
            DatabaseDoor(CLOCK).execute(
                f"postgresql://fleet@127.0.0.1:{listener.getsockname()[1]}/fleet",
                "select 1",
                deadline=started + 1,
            )
        assert time.monotonic() - started < 15  # libpq counts in whole seconds, at least two


def test_nothing_is_asked_once_the_deadline_has_passed() -> None:
    with pytest.raises(Unreachable):
        DatabaseDoor(CLOCK).execute("postgresql://127.0.0.1:1/", "select 1", deadline=CLOCK.monotonic() - 1)


# ---------------------------------------------------------------------- a real server


def ask(dsn: str, statement: str, seconds: float = 5.0) -> tuple[tuple[object, ...], ...]:
    return DatabaseDoor(CLOCK).execute(dsn, statement, deadline=CLOCK.monotonic() + seconds)


@pytest.fixture
def dsn(postgres_server: Server) -> str:
    return f"postgresql://postgres@127.0.0.1:{postgres_server.port}/postgres"


def test_rows_come_back_and_no_more_than_anybody_wants_to_see(dsn: str) -> None:
    assert ask(dsn, "SELECT 1, 'a%b'") == ((1, "a%b"),)
    assert ask(dsn, "CREATE TEMP TABLE t ()") == ()
    assert len(ask(dsn, "SELECT generate_series(1, 100000)")) == MAX_ROWS


@pytest.mark.parametrize(
    "statement", ["SELECT nonsense", "SELECT pg_wal_replay_pause()", "CREATE TEMP TABLE t (); SELECT 1/0"]
)
def test_what_the_server_refuses_is_known_not_to_have_been_done(dsn: str, statement: str) -> None:
    with pytest.raises(PortError) as caught:
        ask(dsn, statement)
    assert type(caught.value) is PortError
    assert not caught.value.sent


def test_a_server_that_is_there_and_lets_nobody_in_is_not_called_unreachable(dsn: str) -> None:
    with pytest.raises(PortError, match="does not exist") as caught:
        ask(f"{dsn}-of-another-name", "SELECT 1")
    assert not isinstance(caught.value, Unreachable)


def test_a_statement_that_outlasts_the_deadline_may_have_been_done(dsn: str) -> None:
    with pytest.raises(Ambiguous):
        ask(dsn, "SELECT pg_sleep(30)", seconds=1.5)


@contextmanager
def while_it_sleeps(server: Server, what: signal.Signals) -> Iterator[None]:
    """Send a signal to the session that sleeps, once it does."""
    found: list[int] = []

    def send() -> None:
        asked = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20%'"
        for _ in range(200):
            with server.connect("postgres") as connection:
                row = connection.execute(asked.encode() + b" AND pid <> pg_backend_pid()").fetchone()
            if row is not None:
                found.append(int(str(row[0])))
                os.kill(found[0], what)
                return
            threading.Event().wait(0.01)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        if what is signal.SIGSTOP:
            os.kill(found[0], signal.SIGCONT)


@pytest.mark.parametrize("what", [signal.SIGSTOP, signal.SIGTERM], ids=["stopped", "ended"])
def test_a_server_that_is_lost_in_the_middle_is_left_at_the_deadline_and_nobody_knows(
    postgres_server: Server, dsn: str, what: signal.Signals
) -> None:
    started = time.monotonic()
    with while_it_sleeps(postgres_server, what), pytest.raises(Ambiguous):
        ask(dsn, "SELECT pg_sleep(20)", seconds=2.0)
    assert time.monotonic() - started < 10.0, "long before the statement would have ended"
