"""Processes the demo starts: ended by their own ids, with whatever they started in their group."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from daemon.cli.children import Child, kept, run
from daemon.cli.pipeline import free_port
from daemon.errors import FleetmendError

pytestmark = pytest.mark.live

PARENT = """
import subprocess, sys, signal
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(child.pid, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True: signal.pause()
"""


def started(code: str, log: Path) -> Child:
    child = Child([sys.executable, "-c", code], log, os.environ)
    pause = threading.Event()
    for _ in range(200):
        if log.read_bytes():
            return child
        pause.wait(0.05)
    child.stop()
    raise AssertionError("the child said nothing")


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    pause = threading.Event()
    return any(not lives(pid) or pause.wait(0.05) for _ in range(100))


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    child = started(PARENT, tmp_path / "log")
    grandchild = int((tmp_path / "log").read_text(encoding="ascii"))
    assert lives(grandchild)
    child.stop()
    assert child.ended
    assert gone(grandchild)


def test_a_child_that_ignores_term_is_killed(tmp_path: Path) -> None:
    child = started(STUBBORN, tmp_path / "log")
    child.stop(within=0.2)
    assert child.ended
    child.stop()


def test_a_child_is_ended_whatever_happens_meanwhile(tmp_path: Path) -> None:
    child = started(STUBBORN.replace("SIG_IGN", "SIG_DFL"), tmp_path / "log")
    with pytest.raises(KeyboardInterrupt), kept(child):
        raise KeyboardInterrupt
    assert child.ended


def test_a_child_restarts_as_another_process(tmp_path: Path) -> None:
    child = started(STUBBORN.replace("SIG_IGN", "SIG_DFL"), tmp_path / "log")
    before = child.pid
    child.restart()
    assert child.pid != before
    child.must_run()
    child.stop()


def test_an_end_that_was_not_asked_for_shows_the_end_of_the_log(tmp_path: Path) -> None:
    child = started("print('no such port', flush=True); raise SystemExit(3)", tmp_path / "log")
    assert gone(child.pid)
    with pytest.raises(FleetmendError, match=r"ended with 3; .*log ends:\nno such port"):
        child.must_run()
    child.stop()


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", "print('fine')"], os.environ, timeout=30) == "fine\n"
    with pytest.raises(FleetmendError, match="because"):
        run([sys.executable, "-c", "import sys; sys.exit('because')"], os.environ, timeout=30)
    with pytest.raises(FleetmendError, match="did not end within"):
        run([sys.executable, "-c", STUBBORN], os.environ, timeout=0.5)


def test_a_taken_port_is_passed_over() -> None:
    import socket

    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        link.listen()
        taken = link.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(0) > 0
