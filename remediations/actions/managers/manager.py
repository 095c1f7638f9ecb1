"""What every process manager is to the daemon: its Protocol, what it says of a unit, and one order being carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from remediations.actions.action import Permit
from remediations.outcome import OutcomeState
from remediations.ports import Clock, PortError

T = TypeVar("T")

POLL = 1.0
"""Seconds between two questions about what came of an order."""


class Standing(StrEnum):
    """Three answers, because what is just being started is neither up nor a proof that anything is down."""

    RUNNING = "running"
    DOWN = "not running"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as its manager sees it. `said`: in the manager's own words.

    `identity`: of what runs now (process, container start, generation), empty where nothing does. A restart that took
    place changes it; "it runs" alone says nothing, for the old process may be the one that does.
    `idle`: it does not run, and nobody is about to start it.
    """

    name: str
    standing: Standing
    said: str
    identity: str = ""
    idle: bool = False

    @property
    def running(self) -> bool:
        return self.standing is Standing.RUNNING

    def __str__(self) -> str:
        return f"{self.name} is {self.said}" + (f" as {self.identity}" if self.identity else "")


class ManagerFault(Exception):
    """The manager was reached and what was asked is not so: an unknown unit, a refusal, a start that failed."""


@dataclass(frozen=True, slots=True)
class Order:
    """`to`: of `scale`, how many shall run afterwards."""

    operation: str
    unit: str
    to: int | None = None


@dataclass
class Work:
    """One order being carried out: what has been done so far, in words, survives whatever goes wrong after it.

    `deadline`: monotonic seconds. `pause`: waits so many seconds; a virtual clock advances itself.
    """

    permit: Permit
    clock: Clock
    deadline: float
    pause: Callable[[float], object]
    steps: list[str] = field(default_factory=list)
    said: str = ""
    ordered: bool = False
    """Something was told to change; from here on an unanswered question leaves the outcome open."""

    def permitted(self) -> bool:
        """Asked right before the world is touched."""
        granted = self.permit.granted()
        if not granted:
            self.steps.append("no permit")
        return granted

    @property
    def open(self) -> OutcomeState:
        """What it is when the deadline came first: unknown, or a failure where nothing was told to change."""
        return OutcomeState.UNKNOWN if self.ordered else OutcomeState.FAILED

    def already(self, state: str) -> OutcomeState:
        self.steps.append(f"already {state}")
        return OutcomeState.DONE

    def ask_until(self, ask: Callable[[], T | None]) -> T | None:
        """The first answer that settles it, or None at the deadline; an answer that cannot be had counts as "not yet".

        The deadline comes by the clock, or by what was waited: a replay's clock stands still while an action runs.
        """
        left = self.deadline - self.clock.monotonic()
        while left > 0 and self.clock.monotonic() < self.deadline:
            try:
                answer = ask()
            except (PortError, ManagerFault) as error:
                self.said = str(error)
            else:
                if answer is not None:
                    return answer
            self.pause(min(POLL, max(0.0, self.deadline - self.clock.monotonic())))
            left -= POLL
        return None


class Manager(Protocol):
    """Both may raise `PortError` and `ManagerFault`. `deadline`: monotonic seconds."""

    def state(self, unit: str, *, deadline: float) -> UnitState:
        """What it knows of one unit; also a witness for corroboration (`{manager, unit, is: down}`)."""
        ...

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        """Do what is ordered, one of the operations its type knows, and see with its own eyes that it took place.

        Asks the permit right before it touches anything. What a deadline cuts off is `unknown`.
        """
        ...


class Single(Protocol):
    """A manager of processes, one a unit: only what differs between them. Shared by `one`."""

    @property
    def steady(self) -> float:
        """Seconds that a new process has to have lasted; 0 where the manager sees to it itself."""
        ...

    def state(self, unit: str, *, deadline: float) -> UnitState: ...

    def stop(self, before: UnitState, work: Work) -> None: ...

    def start(self, before: UnitState, work: Work) -> None: ...

    def restart(self, before: UnitState, work: Work) -> None: ...


def one(manager: Single, order: Order, work: Work) -> OutcomeState:
    """Restart, stop or start one unit, and see that it took place."""
    before = manager.state(order.unit, deadline=work.deadline)
    if not work.permitted():
        return OutcomeState.NOT_DONE
    if order.operation == "stop":
        return stopped(manager, before, work)
    if order.operation == "start" and before.running:
        return work.already(f"{before.said} as {before.identity}")
    return replaced(manager, before, work, again=order.operation == "restart")


def stopped(manager: Single, before: UnitState, work: Work) -> OutcomeState:
    if before.idle:
        return work.already(before.said)
    work.ordered = True
    manager.stop(before, work)

    def ended() -> UnitState | None:
        now = manager.state(before.name, deadline=work.deadline)
        return now if now.idle or now.running else None

    after = work.ask_until(ended)
    if after is None:
        return OutcomeState.UNKNOWN
    work.steps.append(
        f"stopped {before.name} ({before.identity})" if after.idle else f"{after} after its stop"
    )
    return OutcomeState.DONE if after.idle else OutcomeState.FAILED


def replaced(manager: Single, before: UnitState, work: Work, *, again: bool) -> OutcomeState:
    """Restart (`again`) or start it, then see a process that is not the old one, and that it lasts."""
    work.ordered = True
    (manager.restart if again else manager.start)(before, work)

    def settled() -> UnitState | None:
        now = manager.state(before.name, deadline=work.deadline)
        return None if now.standing is Standing.BETWEEN else now

    after = work.ask_until(settled)
    if after is not None and after.running and after.identity != before.identity and manager.steady:
        work.pause(min(manager.steady, max(0.0, work.deadline - work.clock.monotonic())))
        lasted = work.ask_until(settled)
        if lasted is not None and lasted.identity != after.identity:
            work.steps.append(f"{after.name} ({after.identity}) did not last {manager.steady:g} s; {lasted}")
            return OutcomeState.FAILED
        after = lasted
    if after is None:
        work.steps.append(f"{before.name} was not seen to run before the deadline")
        return OutcomeState.UNKNOWN
    if not after.running or after.identity == before.identity:
        work.steps.append(f"{after} after its start")
        return OutcomeState.FAILED
    work.steps.append(f"started {after.name} ({after.identity})")
    return OutcomeState.DONE


Operations = Mapping[str, Callable[[Order, Work], OutcomeState]]
"""What a manager can be told, by the word of the configuration."""
