"""The `service` action through the real door against a real supervisord: what a fake could get wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.secrets import Environment
from daemon.clock import SystemClock
from daemon.http.door import HttpDoor
from remediations.actions.managers.supervisor import Supervisor, SupervisorFault
from remediations.actions.service import ServiceAction, ServiceArgs
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports, Unreachable
from remediations.spec_managers import SupervisorSpec
from tests.fakes.ports import FakeDatabases, FakeFiles, FakePermit, FakeProcesses

pytestmark = pytest.mark.live

CLOCK = SystemClock()

CONFIGURATION = """
[unix_http_server]
file = {folder}/s.sock
chmod = 0700
[supervisord]
nodaemon = true
logfile = {folder}/log
pidfile = {folder}/pid
childlogdir = {folder}
user = root
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:writer]
command = /bin/sleep 600
startsecs = 0
autorestart = false
[program:stubborn]
command = /bin/sh -c "trap '' TERM; while true; do sleep 1; done"
startsecs = 0
stopwaitsecs = 1
killasgroup = true
stopasgroup = true
autorestart = false
[program:broken]
command = /no/such/program
autostart = false
startretries = 0
[program:brief]
command = /bin/false
autostart = false
autorestart = false
startretries = 0
[program:worker]
command = /bin/sleep 600
process_name = worker-%(process_num)s
numprocs = 4
startsecs = 0
autostart = false
autorestart = false
"""


class Supervised:
    """A supervisord of one test module, and the action that is tested on it."""

    def __init__(self, folder: Path) -> None:
        text = CONFIGURATION.format(folder=folder)
        if os.getuid() != 0:
            text = text.replace("user = root\n", "")
        (folder / "s.conf").write_text(text)
        command = [str(Path(sys.executable).with_name("supervisord")), "-n", "-c", str(folder / "s.conf")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.spec = SupervisorSpec(type="supervisor", url=f"unix://{folder}/s.sock")
        self.door = HttpDoor(CLOCK)
        self.client = Supervisor(self.door, self.spec)
        assert eventually(lambda: self.state("writer") == "running" and self.state("stubborn") == "running")

    def state(self, unit: str) -> str:
        with contextlib.suppress(Unreachable):
            return self.client.state(unit, deadline=CLOCK.monotonic() + 5).said
        return "no supervisord"

    def pid(self, unit: str) -> int:
        return int(self.client.state(unit, deadline=CLOCK.monotonic() + 5).identity or 0)

    def perform(self, seconds: float = 20.0, **written: Any) -> Outcome:
        action = ServiceAction({"pipeline": self.spec}, Environment({}).take)
        args = ServiceArgs.model_validate({"manager": "pipeline", **written})
        ports = Ports(self.door, FakeProcesses(), FakeFiles(), FakeDatabases(), CLOCK)
        deadline = CLOCK.monotonic() + seconds
        names: dict[str, Any] = {"scope": {}, "facts": {}}
        return action.perform(
            action.render(args, names), ports, deadline=deadline, permit=FakePermit(), key="k"
        )

    def close(self) -> None:
        self.door.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def eventually(holds: Callable[[], bool], within: float = 10.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if holds():
            return True
        threading.Event().wait(0.05)
    return False


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    made = Supervised(tmp_path_factory.mktemp("s"))
    yield made
    made.close()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_restart_gives_a_new_process(supervised: Supervised) -> None:
    before = supervised.pid("writer")
    outcome = supervised.perform(restart="writer")
    assert outcome.state is OutcomeState.DONE, outcome
    assert supervised.pid("writer") not in {before, 0}
    assert gone(before)


def test_a_killed_process_is_started_again(supervised: Supervised) -> None:
    before = supervised.pid("writer")
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: supervised.state("writer") == "exited")
    assert supervised.perform(restart="writer").state is OutcomeState.DONE
    assert supervised.state("writer") == "running"


def test_a_stopped_hung_process_that_ignores_everything_is_replaced(supervised: Supervised) -> None:
    before = supervised.pid("stubborn")
    os.kill(before, signal.SIGSTOP)
    assert supervised.perform(restart="stubborn").state is OutcomeState.DONE
    assert supervised.pid("stubborn") != before
    assert gone(before)


def test_a_stop_that_takes_longer_than_the_deadline_is_unknown(supervised: Supervised) -> None:
    assert supervised.perform(seconds=0.3, restart="stubborn").state is OutcomeState.UNKNOWN
    assert eventually(lambda: supervised.state("stubborn") == "stopped")
    assert supervised.perform(start="stubborn").state is OutcomeState.DONE


def test_an_unknown_unit_is_a_failure(supervised: Supervised) -> None:
    outcome = supervised.perform(restart="no-such-unit")
    assert outcome.state is OutcomeState.FAILED
    assert "BAD_NAME" in outcome.output


@pytest.mark.parametrize("unit", ["broken", "brief"])
def test_a_program_that_does_not_stay_up_is_a_failure(supervised: Supervised, unit: str) -> None:
    assert supervised.perform(restart=unit).state is OutcomeState.FAILED


def test_a_group_is_scaled_out_and_in(supervised: Supervised) -> None:
    def running() -> list[str]:
        members = supervised.client.members("worker", deadline=CLOCK.monotonic() + 5)
        return [unit.name for unit in members if unit.running]

    assert supervised.perform(scale="worker", to=2).state is OutcomeState.DONE
    assert running() == ["worker:worker-0", "worker:worker-1"]
    assert supervised.perform(scale="worker", to=4, max=3).state is OutcomeState.DONE
    assert running() == ["worker:worker-0", "worker:worker-1", "worker:worker-2"]
    assert supervised.perform(scale="worker", to=1).state is OutcomeState.DONE
    assert running() == ["worker:worker-0"]
    assert supervised.perform(restart="worker:worker-0").state is OutcomeState.DONE


def test_the_state_of_a_unit_can_be_asked_as_a_witness(supervised: Supervised) -> None:
    deadline = CLOCK.monotonic() + 5
    assert supervised.client.state("writer", deadline=deadline).running
    assert not supervised.client.state("worker:worker-3", deadline=deadline).running
    with pytest.raises(SupervisorFault):
        supervised.client.state("no-such-unit", deadline=deadline)


def test_a_manager_that_is_gone_is_a_failure_and_no_crash(tmp_path: Path) -> None:
    door = HttpDoor(CLOCK)
    client = Supervisor(door, SupervisorSpec(type="supervisor", url=f"unix://{tmp_path}/none.sock"))
    with pytest.raises(Unreachable):
        client.state("writer", deadline=CLOCK.monotonic() + 5)
    door.close()
