"""`wait {for}`: nothing is done for a while, then the next rung comes, diagnosed anew.

No worker sleeps: the action ends at once, and the run's row carries the wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from config.scope import Scope, scope_key
from config.section import Section
from config.units import Duration, format_duration
from remediations.actions.action import Action, Names, Permit, Rendered
from remediations.outcome import Outcome, OutcomeState
from remediations.ports import Ports

KIND = "wait"
LONGEST = 3600.0
"""Seconds. What should wait longer than an hour is better looked at by a person."""


class WaitArgs(Section):
    """Time for what heals by itself, or for the rung before to work. It mends nothing and is not verified.

    The run's row carries the wait, so a restart changes nothing. When the fault is gone meanwhile, the incident mended
    itself.
    """

    for_: Annotated[Duration, Field(alias="for", gt=0, le=LONGEST)]


class WaitAction:
    """See the module."""

    def render(self, args: WaitArgs, names: Names) -> dict[str, Any]:
        del names
        return {"for": args.for_}

    def targets(self, rendered: Rendered, scope: Scope) -> frozenset[str]:
        """The scope; nothing is done to it."""
        del rendered
        return frozenset({scope_key(scope)})

    def disruptive(self, rendered: Rendered) -> bool:
        del rendered
        return False

    def idempotent(self, rendered: Rendered) -> bool:
        del rendered
        return True

    def perform(
        self, rendered: Rendered, ports: Ports, *, deadline: float, permit: Permit, key: str
    ) -> Outcome:
        del deadline, key
        now = ports.clock.now()
        if not permit.granted():
            return Outcome(OutcomeState.NOT_DONE, "no permit, and nothing to wait for", "", now)
        return Outcome(
            OutcomeState.DONE, f"the next rung comes in {format_duration(rendered['for'])}", "", now
        )


def waits(kind: str, rendered: Mapping[str, Any]) -> float:
    """Seconds after its end before the next rung; 0 for every other kind."""
    return float(rendered["for"]) if kind == KIND else 0.0


def _fits(action: WaitAction) -> Action[WaitArgs]:
    """The type checker proves here that this kind is an action."""
    return action
