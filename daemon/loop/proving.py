"""The daily test of every channel: owed at its time, its end owed once it arrived; what did not arrive is a trouble."""

from __future__ import annotations

from daemon.escalate import broken, proving
from daemon.escalate.channels.registry import BY_KIND
from daemon.incidents.change import Change
from daemon.loop.ground import Ground
from daemon.store.unit import UnitOfWork

LOOK_EVERY = 5.0
"""Seconds between two looks at the tests under way."""
DAY = 86_400.0
MOST = 500
"""Tests looked at: the newest."""
_LOCAL = frozenset(kind for kind, channel in BY_KIND.items() if channel.local)
_TRACKING = frozenset(kind for kind, channel in BY_KIND.items() if channel.tracks)


def look(loop: Ground, now: float) -> None:
    """Owe what is due; see what became of it."""
    plan, directory = loop.stages.escalate.setup.page_test, loop.stages.escalate.setup.directory
    proof = loop.proof
    at = plan.due(now) if plan is not None else None
    if plan is not None and at is not None and at != proof.owed:
        change = proving.owed(plan, directory, _LOCAL, at, now)
        if loop.item("page test", lambda uow: _owe(loop, uow, change), now):
            proof.owed = at
    if 0.0 <= now - proof.looked_at < LOOK_EVERY:
        return
    proof.looked_at = now
    with loop.store.read() as uow:
        rows = uow.deliveries.tests(limit=MOST)
        refused = [row for row in uow.deliveries.refused(now - broken.LOOK_BACK) if broken.gone(row)]
        since = min((row.tried_at or now for row in refused), default=now)
        after = uow.deliveries.tried(since, limit=10 * MOST) if refused else ()
    unproved = {} if plan is None else proving.unproved(rows, directory, plan.within, now)
    proof.unproved = {**unproved, **broken.broken(after, directory)}
    recent = [row for row in rows if now - row.created_at < DAY]
    ends = [end for end in proving.ends(recent, _TRACKING, now) if end.key not in proof.ended]
    if ends and loop.item("page test", lambda uow: loop.apply(uow, Change(deliveries=tuple(ends))), now):
        proof.ended.update(end.key for end in ends)
    proof.ended &= {f"{row.key}{proving.OVER}" for row in recent}


def _owe(loop: Ground, uow: UnitOfWork, change: Change) -> None:
    """What stands on disk already, owed before a restart, is told of no second time."""
    fresh = {row.key for row in change.deliveries if uow.deliveries.get(row.key) is None}
    loop.apply(
        uow,
        Change(
            deliveries=tuple(row for row in change.deliveries if row.key in fresh),
            events=tuple(event for event in change.events if event.data["key"] in fresh),
        ),
    )
