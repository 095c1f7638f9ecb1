"""systemd hears that the daemon has started, that its loop lives, and that it stops; others hear nothing."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.app.systemd import Systemd

PID = 4711
UNIT = Path(__file__).resolve().parents[4] / "deploy" / "fleetmend.service"


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


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Type=notify", "it is started once it serves"),
        ("NotifyAccess=main", "nobody else speaks for it"),
        ("WatchdogSec=60", "a loop that hangs is restarted"),
        ("TimeoutStartSec=10min", "a migration is not cut short again and again"),
        ("OOMScoreAdjust=-500", "it is not the first to go when memory is short"),
        ("Restart=always", "whoever ended it was not asked"),
        ("StartLimitIntervalSec=0", "a disk that is away for ten minutes leaves nobody unwatched for good"),
        ("RestartPreventExitStatus=2", "a restart mends no configuration"),
        ("ProtectSystem=strict", "it writes its own state alone"),
        ("NoNewPrivileges=yes", "and is never more than it was"),
        ("CapabilityBoundingSet=", "nor needs to be"),
    ],
)
def test_the_unit_that_is_shipped_keeps_it_alive_and_small(line: str, why: str) -> None:
    assert line in UNIT.read_text(encoding="utf-8").splitlines(), why


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    text = re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE)
    unit = tmp_path / "fleetmend.service"
    unit.write_text(text, encoding="utf-8")
    found = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
