"""What the database door says about a server that is not there or does not answer; statements need a real server."""

from __future__ import annotations

import socket
import time

import pytest

from daemon.clock import SystemClock
from daemon.databases import DatabaseDoor
from remediations.ports import Unreachable
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
        assert time.monotonic() - started < 4  # libpq counts in whole seconds, at least two


def test_nothing_is_asked_once_the_deadline_has_passed() -> None:
    with pytest.raises(Unreachable):
        DatabaseDoor(CLOCK).execute("postgresql://127.0.0.1:1/", "select 1", deadline=CLOCK.monotonic() - 1)
