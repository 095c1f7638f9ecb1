"""Escalation: who has been told of an incident and when the next level is due. A row with the incident's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EscalationState(StrEnum):
    """Level and timers stand beside the state, not in it."""

    QUIET = "quiet"
    """Nobody has been paged."""
    PAGING = "paging"
    """Paged, nobody acknowledged."""
    ACKED = "acked"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Escalation:
    """`level` 0 (nobody) to 3. `paged_at`: the last page that put a person at the wheel; one about blindness does not.

    `next_level_at`: when the next level is due unless resolved (absolute, survives restarts); `remind_at`: the next
    reminder unless acknowledged. `held_until`: a page that waits for working hours. `policy`: the policy's snapshot,
    plain data, taken when the page was owed, so an edited file changes no running clock. `loop`: rounds of L3 repeats,
    part of delivery keys. `extensions`: how often a person moved the deadline.
    """

    id: str
    state: EscalationState = EscalationState.QUIET
    level: int = 0
    severity: str = "critical"
    reason: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    paged_at: float | None = None
    acked_by: str | None = None
    acked_at: float | None = None
    next_level_at: float | None = None
    remind_at: float | None = None
    held_until: float | None = None
    reminders: int = 0
    extensions: int = 0
    loop: int = 0
    version: int = 0

    @property
    def next_at(self) -> float | None:
        """The earliest thing that will happen on this escalation by itself."""
        times = [at for at in (self.held_until, self.next_level_at, self.remind_at) if at is not None]
        return min(times, default=None)
