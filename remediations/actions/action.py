"""What every kind of action is: its Protocol, the permit it asks, and the errors of getting it ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from config.scope import Scope
from config.section import Section
from remediations.outcome import Outcome
from remediations.ports import Ports

Rendered = Mapping[str, Any]
"""Arguments with every template filled in: plain JSON data, without secrets, fit for a row and for `explain`."""

Names = Mapping[str, Any]
"""What templates see: `scope`, `facts`, `vars`, `incident` (maps), and `fault_since` (unix seconds)."""

Reveal = Callable[[Mapping[str, str]], str]
"""The secret behind `{env: NAME}` or `{file: PATH}`; `config.secrets.Environment.take` fits."""


class Permit(Protocol):
    """Asked at the very moment of acting: kill switch off, lease still valid."""

    def granted(self) -> bool: ...


class ActionError(Exception):
    """The action cannot be made ready; nothing was touched. The message is a reason for people."""


class HostileLabel(ActionError):
    """A label's or a probe's value would not stay in its place in an address, a path or a command."""


class Unrenderable(ActionError):
    """A template refers to what is not known, or gives what makes no sense there."""


A_contra = TypeVar("A_contra", bound=Section, contravariant=True)


class Action(Protocol[A_contra]):
    """One kind of action. `render` is pure; `perform` runs on a worker and touches the world at most once.

    `perform` never raises for what the world does: that is an outcome. `deadline` is monotonic seconds.
    """

    def render(self, args: A_contra, names: Names) -> dict[str, Any]:
        """Fill in the templates. Raises `ActionError`."""
        ...

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """What is acted upon, as budgets, caps and failover locks count it; never empty for a valid action."""
        ...

    def disruptive(self, rendered: Rendered) -> bool:
        """Whether it needs fresh evidence, corroboration and budget."""
        ...

    def idempotent(self, rendered: Rendered) -> bool:
        """Whether doing it twice is the same as doing it once."""
        ...

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        """Do it. `key` travels along as the idempotency key where there is a way to say it.

        The outcome's texts are neither redacted nor bounded yet.
        """
        ...
