"""Health: which channels failed the last message they were given, and which levels nobody could be reached at. Pure.

Read from the rows alone, so a restart knows as much. A channel that was never used counts as good: nothing speaks
against it, and `page_test` is there to prove it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from daemon.escalate.outbox import FALLBACK_AFTER
from daemon.escalate.rules import Policy
from daemon.escalate.schedules import OnCall
from daemon.incidents.records import Delivery, DeliveryState

Place = tuple[str, str]
"""Address (`ana/0`) and kind of a channel."""


def failing(rows: Iterable[Delivery]) -> dict[Place, str]:
    """Channels whose newest answer is a failure, and what it was."""
    newest: dict[Place, tuple[float, str]] = {}
    for row in rows:
        place = row.address, row.channel
        if row.state is DeliveryState.ACCEPTED:
            said = (row.sent_at or row.created_at, "")
        elif row.state is DeliveryState.FAILED or (row.error and row.tries >= FALLBACK_AFTER):
            said = (row.tried_at or row.due_at, row.error or "failed")
        else:
            continue  # not tried, or not often enough to tell
        newest[place] = max(newest.get(place, said), said)
    return {place: error for place, (_, error) in newest.items() if error}


def silent_levels(
    policies: Mapping[str, Policy], oncall: OnCall, rows: Iterable[Delivery], local: Collection[str]
) -> tuple[str, ...]:
    """Levels of which every channel that leaves the machine fails, in words.

    `local`: kinds that only show a page here. A level without people, or with such channels alone, was made so:
    `check` says that.
    """
    ill = failing(rows)
    found = []
    for name, policy in policies.items():
        for number, level in enumerate(policy.levels, 1):
            places = [
                (f"{person.id}/{way.position}", way.kind)
                for person in oncall.people(level.notify)
                for way in person.usable
                if way.kind not in local
            ]
            if places and all(place in ill for place in places):
                errors = "; ".join(f"{address} by {kind}: {ill[address, kind]}" for address, kind in places)
                found.append(f"nobody can be reached at L{number} of {name} ({errors})")
    return tuple(dict.fromkeys(found))
