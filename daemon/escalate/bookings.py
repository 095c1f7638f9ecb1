"""What stands on the record about one message: the events of its row, and the key of the job that has it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from daemon.escalate.pacing import BUNDLE, TOGETHER
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.records import Delivery, DeliveryState


def sent(row: Delivery, now: float) -> Change:
    """It was accepted."""
    count = int(row.facts.get(TOGETHER, 1))
    many = {"bundle": row.facts[BUNDLE], "together": count} if count > 1 else {}
    with_others = f", in one message about {count} incidents" if many else ""
    said = f"Sent to {row.person} by {row.channel} ({row.event}){with_others}"
    event = event_of(row, now, Kind.SENT, said, key=row.key, receipt=row.receipt, **many)
    return Change(deliveries=(row,), events=(event,))


def dropped(row: Delivery, why: str, now: float) -> Change:
    """Nobody needs it any more."""
    event = event_of(
        row,
        now,
        Kind.NOT_SENT,
        f"Not sent to {row.person} by {row.channel}: {why}",
        key=row.key,
        error=why,
        next_at=None,
    )
    return Change(deliveries=(replace(row, state=DeliveryState.DROPPED, error=why),), events=(event,))


def not_sent(row: Delivery, now: float) -> Event:
    """It was not taken; `next_at`: when it is tried again."""
    said = f"Not sent to {row.person} by {row.channel}: {row.error}"
    next_at = row.due_at if row.state is DeliveryState.OWED else None
    return event_of(row, now, Kind.NOT_SENT, said, key=row.key, error=row.error, next_at=next_at)


def receipt_event(row: Delivery, now: float, word: str, detail: str) -> Event:
    """What its provider said later of it; `none`: nothing by the time it should have."""
    what = {"none": "Nobody says that it arrived", "acked": "Answered", "seen": "Seen"}
    said = what.get(word, word.capitalize()) + (f" ({detail})" if detail else "")
    text = f"{said}: {row.event} to {row.person} by {row.channel}"
    return event_of(row, now, Kind.RECEIPT, text, key=row.key, receipt=word, detail=detail)


def event_of(row: Delivery, now: float, kind: Kind, said: str, **data: Any) -> Event:
    """A line of the timeline of the row's incident."""
    return Event(row.incident, now, kind, said, data)


def merged(changes: Sequence[Change]) -> Change:
    """One change of several. At most one of them may move an escalation."""
    return Change(
        escalation=next((change.escalation for change in changes if change.escalation is not None), None),
        deliveries=tuple(row for change in changes for row in change.deliveries),
        events=tuple(event for change in changes for event in change.events),
        jobs=tuple(job for change in changes for job in change.jobs),
    )


def job_key(row: Delivery) -> str:
    """A job of its own for each try, so that a late receipt of an abandoned one is known as such."""
    return f"{row.key}#{row.tries}"
