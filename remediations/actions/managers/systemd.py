"""systemd by `systemctl` over the Processes port: words of an argument vector, never a shell (systemctl(1)).

Every start of a unit has an invocation id of its own, which tells a new process from the old one. Proved against a
program that answers as `systemctl` is documented to, not against a systemd.
"""

from __future__ import annotations

import os
import re

from config.problems import Wrong
from remediations.actions.managers.manager import Manager, ManagerFault, Order, Standing, UnitState, Work, one
from remediations.outcome import OutcomeState
from remediations.ports import Ambiguous, Command, Processes
from remediations.spec_managers import SystemdSpec

OPERATIONS = ("restart", "stop", "start")
PROPERTIES = "LoadState,ActiveState,SubState,MainPID,NRestarts,InvocationID"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,254}", re.ASCII)
"""systemd.unit(5): no pattern, no slash, and nothing that reads as an option."""
SUFFIXES = frozenset({"service", "socket", "timer", "target", "mount", "path", "slice", "scope"})
"""A name that ends in none of them is a service."""
RUNNING = frozenset({"active", "reloading", "refreshing"})
IDLE = frozenset({"inactive", "failed"})
DOWN = "auto-restart"
"""The sub-state of what has ended and waits for its next try; its active state is then `activating`."""


def named(operation: str, unit: str) -> str:
    """The unit with its suffix. Raises `Wrong`."""
    del operation
    if not NAME.fullmatch(unit):
        raise Wrong(f"no name of a systemd unit: {unit}", "write one such as ingestion@navixy.service")
    return unit if unit.rpartition(".")[2] in SUFFIXES else f"{unit}.service"


class Systemd:
    """See the module."""

    def __init__(self, processes: Processes, spec: SystemdSpec) -> None:
        self._processes = processes
        self._spec = spec

    @property
    def steady(self) -> float:
        return self._spec.steady

    def state(self, unit: str, *, deadline: float) -> UnitState:
        try:
            unit = named("state", unit)
        except Wrong as wrong:
            raise ManagerFault(str(wrong)) from None
        said = _properties(self._run("show", f"--property={PROPERTIES}", "--", unit, deadline=deadline))
        active, sub = said.get("ActiveState", ""), said.get("SubState", "")
        if not active:
            raise ManagerFault(f"systemd says nothing of {unit}")
        if said.get("LoadState") == "not-found":
            raise ManagerFault(f"systemd knows no unit {unit}")
        standing = Standing.RUNNING if active in RUNNING else Standing.BETWEEN
        if active in IDLE or sub.startswith(DOWN):
            standing = Standing.DOWN
        running = standing is Standing.RUNNING
        restarts = said.get("NRestarts", "").strip("0")
        told = f"{active} ({sub})" + (f", {said['NRestarts']} times restarted by itself" if restarts else "")
        return UnitState(unit, standing, told, _identity(said) if running else "", active in IDLE)

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        return one(self, order, work)

    def stop(self, before: UnitState, work: Work) -> None:
        """Returns when systemd's job is over."""
        self._run("stop", "--", before.name, deadline=work.deadline)

    def start(self, before: UnitState, work: Work) -> None:
        """Returns when systemd's job is over."""
        self._run("start", "--", before.name, deadline=work.deadline)

    def restart(self, before: UnitState, work: Work) -> None:
        """Returns when systemd's job is over."""
        self._run("restart", "--", before.name, deadline=work.deadline)

    def _run(self, *words: str, deadline: float) -> str:
        """What it printed. Raises `PortError`, `ManagerFault`; a job goes on when its systemctl is cut off."""
        spec = self._spec
        argv = (
            str(spec.program),
            *(("--user",) if spec.user else ()),
            "--no-ask-password",
            "--no-pager",
            *words,
        )
        env = {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"} if spec.user else {}
        ended = self._processes.run(Command(argv, env=env), deadline=deadline)
        if ended.timed_out or ended.code is None or ended.code < 0:
            raise Ambiguous(f"systemctl {words[0]} was cut off before it was over")
        if ended.code != 0:
            raise ManagerFault(f"systemctl {words[0]} ended with {ended.code}: {ended.output.strip()}")
        return ended.output


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _identity(said: dict[str, str]) -> str:
    """The main process, and which of the unit's starts it belongs to."""
    return f"process {said.get('MainPID') or '0'} of start {(said.get('InvocationID') or 'unknown')[:12]}"


def _fits(manager: Systemd) -> Manager:
    """The type checker proves here that it is one."""
    return manager
