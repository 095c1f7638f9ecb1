"""What a person at a terminal can do to a running stack: signals, files, control calls, the process manager."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo import versions
from demo.effects import BREAKER, EffectLog
from demo.ground import ROOT
from demo.service import wait_for
from demo.settings import NEWCOMER, PROVIDERS, Stack
from demo.stack import owned
from demo.supervise import RUNNING, Manager, ManagerFault
from demo.wire import Peer, WireError


class CannotBreak(Exception):
    """A variant that cannot be shown here; the text says why."""


class Hands:
    """Raises OSError when the stack is not up."""

    def __init__(self, stack: Stack, heals_after: float = 0.0) -> None:
        self.stack, self.manager = stack, Manager(stack.socket)
        self.heals_after = heals_after  # seconds until a self-healing variant heals; 0: as configured

    # -- processes -----------------------------------------------------------------------------------------------

    def consumers(self) -> list[str]:
        """Every provider's; the newcomer's while it is there."""
        units = [f"ingestion-{provider}" for provider in PROVIDERS]
        extra = f"ingestion-{NEWCOMER}"
        return [*units, extra] if extra in self.manager.processes() else units

    def send(self, units: list[str], number: signal.Signals) -> None:
        """By the process's own id; a unit that is dead has none."""
        processes = self.manager.processes()
        for unit in units:
            if pid := processes[unit]["pid"]:
                os.kill(pid, number)

    def kill(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)

    def start(self, units: list[str]) -> None:
        """Start what is not running; one that ends at once is somebody's intention here."""
        for unit in units:
            with contextlib.suppress(ManagerFault):
                self.manager.start(unit)

    def ended(self, units: list[str]) -> None:
        """Wait until supervisor has noticed."""

        def gone() -> bool:
            processes = self.manager.processes()
            return all(processes[unit]["statename"] not in RUNNING for unit in units)

        wait_for(gone, 5.0)

    def children_of(self, unit: str) -> list[int]:
        pid = self.manager.processes()[unit]["pid"]
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(word) for word in text.split()]

    def detach(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A process of the stack's folder that outlives this command; `heal` and `down` end it."""
        argv = [sys.executable, "-m", *arguments]
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end_detached(self) -> None:
        """Strangers and timers; not the one that asks."""
        for pid, argv in owned(self.stack.state).items():
            if {"demo.programs.stranger", "demo.self_heal"} & set(argv):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # -- calls ---------------------------------------------------------------------------------------------------

    def control(self, program: str, path: str, content: Any) -> Any:
        """A call to a process's own control; raises CannotBreak when it does not answer."""
        try:
            status, answer = Peer(self.stack.port(program), 3.0).post(path, content)
        except WireError as error:
            raise CannotBreak(f"{program} does not answer: {error}") from error
        if status != 200:
            raise CannotBreak(f"{program} answered {status}: {answer}")
        return answer

    def admin(self, program: str, path: str, content: Any) -> int:
        """An admin call as an operator makes it; the status, 0 without an answer."""
        key = {"Idempotency-Key": f"demo-heal-{os.urandom(4).hex()}"}
        try:
            return Peer(self.stack.port(program), 5.0).post(path, content, key)[0]
        except WireError:
            return 0

    def health(self, program: str, path: str = "/health") -> dict[str, Any] | None:
        try:
            status, answer = Peer(self.stack.port(program), 1.0).get(path)
        except WireError:
            return None
        return dict(answer) if status == 200 and isinstance(answer, dict) else None

    # -- files ---------------------------------------------------------------------------------------------------

    def flag(self, program: str, kind: str, text: str = "") -> None:
        path = self.stack.faults / f"{program}.{kind}"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def overwrite(self, path: Path, text: str) -> None:
        """In place, so that its owner stays; readable and writable for the program that has it too."""
        path.write_text(text, encoding="utf-8")
        path.chmod(0o666)

    def switch(self, parent: Path, version: str) -> None:
        """Point `parent`'s link to a version, and write down that it was this hand."""
        old = versions.current(parent)
        if version != old:
            EffectLog(self.stack.effects, BREAKER).switched(str(parent / "current"), old, version)
            versions.switch(parent, version)

    def warm_folder(self) -> Path:
        """Where this process sees the warm tier's filesystem: its mount, or through its writer's namespace."""
        warm = self.stack.state / "warm"
        if warm.is_mount():
            return warm
        if self.stack.warm_left_out:
            raise CannotBreak(self.stack.warm_left_out)
        pid = self.manager.processes()["storage-writer-warm"]["pid"]
        return Path(f"/proc/{pid}/root{warm}")
