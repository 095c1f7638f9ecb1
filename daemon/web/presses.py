"""Presses: which signed requests of buttons were taken already, and a turn for those that must not overtake each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from anyio import CapacityLimiter

from daemon.store.unit import UnitOfWork

KEPT_FOR = 600.0
"""Seconds: twice as long as a signature may be old."""
MOST = 2_000


@dataclass(slots=True)
class Presses:
    """Belongs to one event loop; forgets what is too old to be played back."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    tellers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    """Of the threads that tell what came of a press: a Slack that hangs must not take those that read."""
    _seen: dict[str, float] = field(default_factory=dict)

    def is_first(self, signature: str, now: float) -> bool:
        """Whether this very request comes for the first time: one that is played back asks nothing more."""
        self._seen = {key: at for key, at in self._seen.items() if at > now - KEPT_FOR}
        if signature in self._seen:
            return False
        if len(self._seen) >= MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[signature] = now
        return True


def level_passed(uow: UnitOfWork, incident: str, level: int) -> bool:
    """Whether a level above this one is paged, or about to be: pressed by two people, or twice, once is what was meant."""
    escalation = uow.escalations.get(incident)
    waiting = any(one.kind == "escalate" and one.incident == incident for one in uow.inbox.new_orders())
    return waiting or (escalation is not None and escalation.level > level)
