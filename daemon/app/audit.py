"""The self-audit: whether this daemon may say to the outside that all is well. Asked on the loop's thread, once a beat.

It really writes (the lease's renewal), because a store that only reads looks well until somebody has to be paged.
"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.errors import LeaseLost, StoreError
from daemon.escalate import health
from daemon.escalate.channels.registry import BY_KIND
from daemon.escalate.outbox import sequence
from daemon.incidents.records import Delivery
from daemon.loop.ground import Ground
from daemon.store.unit import UnitOfWork

FRESH_WITHIN = 60.0
"""Seconds since the last round of detection, or four polls where that is longer."""
LATE = 120.0
"""Seconds after which a timer or a page that is due has been forgotten. One deferred on purpose is due later."""
AHEAD = 60.0
"""Seconds by which the newest row may lie ahead of the clock: beyond, the clock is wrong now or was then."""
RECENT, JUDGED_BY = 500, 7 * 86_400.0
"""Messages by which channels are judged: the newest, and how old they may be (seconds)."""
NAMED = 3
_LOCAL = frozenset(kind for kind, channel in BY_KIND.items() if channel.local)


def audit(loop: Ground, poll_interval: float, now: float) -> dict[str, str]:
    """Name of each check that fails -> what is the matter; empty when all is well. Never raises for the store."""
    found: dict[str, str] = {}
    fresh_within = max(FRESH_WITHIN, 4 * poll_interval)
    if loop.board is None or now - loop.board.at > fresh_within:
        found["detection"] = f"no round of detection within {fresh_within:.0f} s"
    if parked := loop.parked.items():
        found["items"] = f"{len(parked)} could not be worked on and rest: {_named(parked)}"
    if loop.sick_since is not None:
        found["store"] = "the store could not be written"
    try:
        with loop.store.write(epoch=loop.control.epoch) as uow:
            uow.lease.renew(loop.control.epoch, now)
            found |= _rows(loop, uow, now)
    except LeaseLost as error:
        loop.control.lead.lost()
        found["lease"] = str(error)
    except StoreError as error:
        found["store"] = str(error)
    return found


def _rows(loop: Ground, uow: UnitOfWork, now: float) -> dict[str, str]:
    found = {}
    newest = [line.event.at for line in uow.timeline.tail(uow.timeline.last_seq() - 1)]
    if any(at > now + AHEAD for at in newest):
        found["clock"] = f"the clock is {max(newest) - now:.0f} s behind what was recorded"
    if timers := uow.escalations.due(now - LATE):
        found["timers"] = f"{len(timers)} overdue by more than {LATE:.0f} s: {_named(t.id for t in timers)}"
    late = [row for row in _heads(uow) if row.due_at < now - LATE]
    if late:
        waiting = _named(dict.fromkeys(row.incident for row in late))
        found["pages"] = f"{len(late)} owed for more than {LATE:.0f} s: {waiting}"
    setup = loop.stages.escalate.setup
    rows = uow.deliveries.tried(now - JUDGED_BY, limit=RECENT)
    if silent := health.silent_levels(setup.policies, setup.directory.at(now), rows, _LOCAL):
        found["levels"] = "; ".join(silent)
    return found


def _heads(uow: UnitOfWork) -> Iterable[Delivery]:
    """What is to go next to each destination: what waits behind a message that is tried again waits on purpose."""
    heads: dict[tuple[str, str], Delivery] = {}
    for row in sorted(uow.deliveries.unsent(), key=lambda row: (row.created_at, row.key)):
        heads.setdefault(sequence(row), row)
    return heads.values()


def _named(names: Iterable[str]) -> str:
    known = [*names]
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return ", ".join(known[:NAMED]) + more
