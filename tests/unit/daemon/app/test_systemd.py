"""systemd hears that the daemon has started, that its loop lives, and that it stops; others hear nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.app.systemd import Systemd

PID = 4711


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        yield bound


def heard(ear: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(ear.recv(4096))
        except BlockingIOError:
            return found


def asked(tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "60000000",
        "WATCHDOG_PID": str(PID),
        **more,
    }


def test_it_is_told_of_the_start_and_of_the_end(tmp_path: Path, ear: socket.socket) -> None:
    speaker = Systemd(asked(tmp_path), PID)
    speaker.ready()
    speaker.stopping()
    assert heard(ear) == [b"READY=1", b"STOPPING=1"]


def test_the_loop_says_three_times_within_the_time_that_it_lives(tmp_path: Path, ear: socket.socket) -> None:
    speaker = Systemd(asked(tmp_path), PID)
    for second in range(61):
        speaker.alive(1000.0 + second)
    assert heard(ear) == [b"WATCHDOG=1"] * 4, "at 0, 20, 40 and 60 s"


@pytest.mark.parametrize(
    "more",
    [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}],
    ids=["another's", "none", "no number", "zero"],
)
def test_a_watchdog_that_does_not_wait_for_us_is_not_fed(
    tmp_path: Path, ear: socket.socket, more: dict[str, str]
) -> None:
    Systemd(asked(tmp_path, **more), PID).alive(1.0)
    assert heard(ear) == []


def test_without_systemd_and_with_its_socket_gone_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, asked(tmp_path)):
        speaker = Systemd(environment, PID)
        speaker.ready()
        speaker.alive(1.0)


def test_an_abstract_socket_is_found(ear: socket.socket) -> None:
    name = f"fleetmend-test-{PID}-{ear.fileno()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}, PID).ready()
        assert bound.recv(100) == b"READY=1"
