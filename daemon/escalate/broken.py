"""Broken channels: those whose provider says that it is the channel that is no good, and no message. Pure.

Told once, as a trouble of the daemon that goes by other channels, and not with each incident that meets it. It is over
when a message is taken there again: a page, or the test that its text asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from daemon.escalate.outbox import STATUS
from daemon.escalate.proving import PART
from daemon.escalate.schedules import Directory
from daemon.incidents.records import Delivery, DeliveryState, PageEvent

GONE = frozenset({401, 403, 404, 410})
"""A key that is no longer taken, an address that is no longer there."""
LOOK_BACK = 7 * 86_400.0
"""Seconds after which a refusal that nothing followed is forgotten."""


def broken(rows: Iterable[Delivery], directory: Directory) -> Mapping[str, str]:
    """Part of the daemon -> what is the matter, for people. `rows`: those tried lately, the newest first.

    A channel that is no longer configured is forgotten.
    """
    newest: dict[tuple[str, str], Delivery] = {}
    for row in rows:
        if row.state is DeliveryState.ACCEPTED or gone(row):
            newest.setdefault((row.address, row.channel), row)
    found = {}
    for (address, kind), row in newest.items():
        person = directory.people.get(row.person)
        ways = {(f"{person.id}/{way.position}", way.kind) for way in person.usable} if person else set()
        if person and gone(row) and (address, kind) in ways:
            found[f"{PART}{address} {kind}"] = (
                f"{kind} refuses whatever is sent to {person.name} ({row.facts[STATUS]}): no page reaches them by it. "
                f"Mend it, then: fleetmend page test {person.id} --channel {kind}"
            )
    return found


def gone(row: Delivery) -> bool:
    """Whether the last try of a real message was refused because of the channel; a test by hand is answered to its asker."""
    return (
        row.event is not PageEvent.TEST
        and row.state is DeliveryState.FAILED
        and row.facts.get(STATUS) in GONE
    )
