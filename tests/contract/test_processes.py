"""The contract of the process door. Beside exit codes and output it promises that nothing is left behind (B7, B8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from daemon.clock import SystemClock
from daemon.processes import ProcessDoor
from remediations.ports import Clock, Command, Exit, Processes, Unreachable
from tests.fakes.ports import FakeProcesses

CLOCK = SystemClock()
GRACE = 0.2


@pytest.fixture
def door() -> ProcessDoor:
    return ProcessDoor(CLOCK, os.environ, grace=GRACE)


def soon(seconds: float = 10.0) -> float:
    return CLOCK.monotonic() + seconds


def shell(script: str, **more: object) -> Command:
    return Command(("/bin/sh", "-c", script), **more)  # type: ignore[arg-type]  # keywords of Command


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children_of_ours() -> set[int]:
    """Direct children of this process, zombies included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.add(int(stat.parent.name))
    return found


def running(marker: str) -> list[int]:
    """Processes, zombies aside, with this word in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


# ---- what the fake promises too ----


@pytest.fixture(params=["door", "fake"])
def processes(request: pytest.FixtureRequest, door: ProcessDoor) -> Processes:
    if request.param == "door":
        return door
    fake = FakeProcesses()
    fake.exits = {"/bin/true": Exit(0, "", 0.0), "/bin/false": Exit(1, "", 0.0)}
    return fake


def test_the_exit_code_is_told(processes: Processes) -> None:
    assert processes.run(Command(("/bin/true",)), deadline=soon()).code == 0
    assert processes.run(Command(("/bin/false",)), deadline=soon()).code == 1


def test_a_program_that_is_not_there_is_unreachable(processes: Processes) -> None:
    with pytest.raises(Unreachable):
        processes.run(Command(("/no/such/program",)), deadline=soon())


# ---- what only a real door can break ----


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(Command(()), id="no words at all"),
        pytest.param(Command(("/etc/passwd",)), id="not executable"),
        pytest.param(Command(("/bin/true",), cwd=Path("/no/such/folder")), id="no such folder"),
        pytest.param(Command(("/bin/true",), user="nobody-of-that-name"), id="no such user"),
        pytest.param(Command(("/bin/true", "a\0b")), id="a null byte in a word"),
        pytest.param(Command(("/bin/true", "x" * 10_000_000)), id="longer than the system takes"),
    ],
)
def test_what_cannot_be_started_is_unreachable_and_leaves_nothing(
    door: ProcessDoor, command: Command
) -> None:
    before = descriptors()
    with pytest.raises(Unreachable):
        door.run(command, deadline=soon())
    assert descriptors() == before


def test_both_outputs_come_back_in_order(door: ProcessDoor) -> None:
    assert (
        door.run(shell("echo one; echo two >&2; echo three"), deadline=soon()).output == "one\ntwo\nthree\n"
    )


def test_words_are_not_split_or_expanded(door: ProcessDoor) -> None:
    ended = door.run(Command(("/bin/echo", "a b", "$HOME", "*", "; rm -rf /")), deadline=soon())
    assert ended.output == "a b $HOME * ; rm -rf /\n"


def test_a_program_sees_only_the_environment_it_is_given(tmp_path: Path) -> None:
    door = ProcessDoor(CLOCK, {"PATH": "/usr/bin:/bin", "FLEETMEND_SIGNING_KEY": "canary", "LANG": "C.UTF-8"})
    ended = door.run(Command(("/usr/bin/env",), env={"A": "1"}, cwd=tmp_path), deadline=soon())
    assert sorted(ended.output.splitlines()) == ["A=1", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"]


def test_a_program_has_no_input_and_a_session_of_its_own(door: ProcessDoor) -> None:
    script = "import os,sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '')"
    assert door.run(Command((sys.executable, "-c", script)), deadline=soon()).output == "True True\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_program_can_run_as_another_user_without_our_groups(door: ProcessDoor) -> None:
    script = "import os; print(os.getuid() != 0, os.getgid() != 0, os.getgroups())"
    ended = door.run(Command(("/usr/bin/env", "python3", "-c", script), user="nobody"), deadline=soon())
    assert ended.output == "True True []\n"


def test_output_is_bounded_and_keeps_both_ends(door: ProcessDoor) -> None:
    command = shell("echo first; seq 1 200000; echo last", max_output=1000)
    output = door.run(command, deadline=soon()).output
    assert output.startswith("first\n1\n")
    assert output.endswith("\nlast\n")
    assert len(output) < 1100
    assert "bytes left out" in output


def test_a_cut_never_leaves_half_a_word(door: ProcessDoor) -> None:
    secret = "canary-" * 20
    output = door.run(shell(f"yes {secret} | head -n 500", max_output=1000), deadline=soon()).output
    words = [word for word in output.split() if word.startswith(("canary", "anary", "nary", "ary"))]
    assert words
    assert set(words) == {secret}


def test_bytes_that_are_no_text_are_replaced(door: ProcessDoor) -> None:
    assert door.run(shell(r"printf '\377ok'"), deadline=soon()).output == "\ufffdok"


def test_a_program_that_closes_its_output_is_still_waited_for(door: ProcessDoor) -> None:
    ended = door.run(shell("exec >&- 2>&-; sleep 0.3; exit 7"), deadline=soon())
    assert ended.code == 7
    assert ended.elapsed >= 0.3


def test_a_program_ended_by_a_signal_says_so(door: ProcessDoor) -> None:
    assert door.run(shell("kill -9 $$"), deadline=soon()).code == -signal.SIGKILL


def test_at_the_deadline_the_program_is_asked_to_end(door: ProcessDoor) -> None:
    ended = door.run(shell("trap 'echo bye; exit 0' TERM; sleep 30 & wait"), deadline=soon(1.0))
    assert (ended.code, ended.timed_out) == (None, True)
    assert "bye" in ended.output
    assert ended.elapsed < 20, "it would sleep 30 s"


def test_one_that_ignores_the_request_is_killed_with_all_its_children(door: ProcessDoor) -> None:
    marker = f"MARK={os.urandom(8).hex()}"
    script = "trap '' TERM; (trap '' TERM; sleep 60) & (trap '' TERM; sleep 60) & sleep 60"
    command = shell(script, env=dict([marker.split("=")]))
    ended = door.run(command, deadline=soon(0.3))
    assert ended.timed_out
    assert ended.elapsed < 20, "they would sleep 60 s"
    assert running(marker) == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            "(trap '' TERM; sleep 60) & sleep 0.1; exit 1",
            id="a child that ignores TERM and holds the output",
        ),
        pytest.param(
            "(trap '' TERM; exec >/dev/null 2>&1; sleep 60) & sleep 0.1; exit 1",
            id="a child that lets go of it",
        ),
        pytest.param("(sleep 60; echo late) & exit 1", id="an ordinary background job"),
    ],
)
def test_a_program_that_ends_leaves_no_child_behind(door: ProcessDoor, script: str) -> None:
    marker = f"MARK={os.urandom(8).hex()}"
    ended = door.run(shell(script, env=dict([marker.split("=")])), deadline=soon())
    assert (ended.code, ended.timed_out) == (1, False)
    assert ended.elapsed < 8, "the deadline is not waited for"
    assert running(marker) == []


STUBBORN = "(trap '' TERM; exec sleep 60) & "


def failures(door: ProcessDoor, marker: str, count: int, left: int = 2) -> None:
    """So many programs, each of which fails and leaves so many children behind that do not listen."""
    command = shell(f"{STUBBORN * left}sleep 0.05; echo broken; exit 3", env=dict([marker.split("=")]))
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda _: door.run(command, deadline=soon(30)).code, range(count)))
    assert codes == [3] * count


def test_fifty_failing_programs_leave_no_process_no_zombie_and_no_descriptor(door: ProcessDoor) -> None:
    marker = f"MARK={os.urandom(8).hex()}"
    failures(door, marker, 16)
    before_descriptors, before_children = descriptors(), children_of_ours()
    failures(door, marker, 50)
    assert running(marker) == []
    assert children_of_ours() <= before_children
    assert descriptors() == before_descriptors


AS_PROCESS_1 = """
import ctypes, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from daemon.clock import SystemClock
from daemon.processes import ProcessDoor
from remediations.ports import Command

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans fall to us, as to process 1
clock = SystemClock()
door = ProcessDoor(clock, os.environ, grace=0.05)
command = Command(("/bin/sh", "-c", sys.argv[1]))
with ThreadPoolExecutor(8) as pool:
    codes = list(pool.map(lambda _: door.run(command, deadline=clock.monotonic() + 30).code, range(50)))
tasks = Path("/proc/self/task").iterdir()
left = " ".join((task / "children").read_text() for task in tasks).split()
print(set(codes), len(left))
"""


def test_what_orphans_leave_is_reaped_by_a_daemon_that_is_process_1_of_its_container() -> None:
    script = f"{STUBBORN * 3}sleep 0.05; exit 3"
    ended = subprocess.run(
        [sys.executable, "-c", AS_PROCESS_1, script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("{3} 0\n", "")


def test_a_program_works_in_the_folder_it_is_given(door: ProcessDoor, tmp_path: Path) -> None:
    ended = door.run(Command(("/bin/pwd",), cwd=tmp_path), deadline=soon())
    assert ended.output == f"{tmp_path.resolve()}\n"


@pytest.mark.slow
def test_a_thousand_failing_programs_leave_nothing_either() -> None:
    door = ProcessDoor(CLOCK, os.environ, grace=0.05)
    marker = f"MARK={os.urandom(8).hex()}"
    before_descriptors, before_children = descriptors(), children_of_ours()
    failures(door, marker, 1000, left=1)
    assert running(marker) == []
    assert children_of_ours() <= before_children
    assert descriptors() == before_descriptors


@pytest.mark.parametrize(
    ("script", "by"),
    [
        pytest.param("echo up; sleep 30", signal.SIGTERM, id="one that listens"),
        pytest.param(
            "trap '' TERM; echo up; while true; do sleep 1; done", signal.SIGKILL, id="one that does not"
        ),
    ],
)
def test_a_stop_ends_what_runs_long_before_its_deadline(
    door: ProcessDoor, script: str, by: signal.Signals
) -> None:
    marker = f"MARK={os.urandom(8).hex()}"
    ended: list[Exit] = []
    command = shell(script, env=dict([marker.split("=")]))
    thread = threading.Thread(target=lambda: ended.append(door.run(command, deadline=soon(60))))
    thread.start()
    assert eventually(lambda: len(running(marker)) > 1)  # the sleep runs, so the trap is set
    assert door.end_all() == 1
    thread.join(5)
    assert [exit_.code for exit_ in ended] == [-by]
    assert running(marker) == []
    assert door.end_all() == 0


def test_a_stop_ends_also_what_is_only_being_started() -> None:
    door = DoorThatStartsSlowly(CLOCK, os.environ, grace=GRACE)
    ended: list[Exit] = []
    run = threading.Thread(target=lambda: ended.append(door.run(shell("sleep 30"), deadline=soon(60))))
    run.start()
    assert door.begun.wait(5)
    asked: list[int] = []
    stop = threading.Thread(target=lambda: asked.append(door.end_all()))
    stop.start()
    stop.join(0.05)
    door.known.set()
    run.join(5)
    stop.join(5)
    assert asked == [1]
    assert [exit_.code for exit_ in ended] == [-signal.SIGTERM]


class DoorThatStartsSlowly(ProcessDoor):
    """Its program runs, `begun`, before the door gets to know so: `known`."""

    def __init__(self, clock: Clock, environ: Mapping[str, str], *, grace: float) -> None:
        super().__init__(clock, environ, grace=grace)
        self.begun, self.known = threading.Event(), threading.Event()

    def _start(self, command: Command) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        started = super()._start(command)
        self.begun.set()
        self.known.wait(5)
        return started


def eventually(holds: Callable[[], bool], within: float = 5.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if holds():
            return True
        threading.Event().wait(0.02)
    return False
