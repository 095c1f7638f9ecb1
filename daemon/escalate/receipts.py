"""Receipts: what providers say later of a message they took: delivered or not, seen, answered. Pure.

`accepted` is not `delivered`. A provider's word comes at any time and in any order, also twice, and also before our own
mark that the message was taken: what is older than what is known changes nothing. It comes in as an order, like
everything from outside: a face makes one with `reported`, the loop books it by `advanced`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.incidents.model import Incident
from daemon.incidents.records import Delivery, DeliveryState, Order, PageEvent

ORDER = "receipt"
"""Kind of the orders that carry a report. No person gives them: they are in no table of what people may ask."""
MAX_DETAIL = 200
RENEW = "renew"
"""In the facts of an accepted row that has to be sent anew to go on standing there: after how many seconds."""
RENEWED_FOR = 360.0
"""Seconds for which an end is sent anew where what stands has to be renewed: who missed it once hears it again."""


class Fate(StrEnum):
    """What became of a message after it was accepted, from the least to the most that can be known."""

    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    SEEN = "seen"
    ACKED = "acked"


_RANK = {fate: place for place, fate in enumerate(Fate)}


@dataclass(frozen=True, slots=True)
class Report:
    """One word of a provider. `sequence`: its own number of it, where it counts. `provider_id`: of which message."""

    fate: Fate
    detail: str = ""
    sequence: int | None = None
    provider_id: str = ""


def reported(report: Report, via: str, now: float, *, key: str = "") -> Order:
    """The order that brings `report` to the loop.

    `via`: the kind of channel. `key`: of the delivery, where the callback's address names it; without it the message
    is found by kind and provider id, once the loop has booked what the provider called it. What says less than `Fate`
    (queued, sending, sent) need not be reported.
    """
    args = {
        "key": key,
        "fate": str(report.fate),
        "detail": report.detail[:MAX_DETAIL],
        "sequence": report.sequence,
        "provider_id": report.provider_id,
    }
    return Order(0, now, ORDER, via, via, None, args)


def report_of(order: Order) -> Report:
    """Invert `reported`. Raises `ValueError` for a word that is none of `Fate`."""
    sequence = order.args.get("sequence")
    return Report(
        Fate(str(order.args.get("fate"))),
        str(order.args.get("detail", "")),
        None if sequence is None else int(sequence),
        str(order.args.get("provider_id", "")),
    )


def advanced(row: Delivery, report: Report, at: float) -> Delivery:
    """The row once `report` is known; the row itself where that is no news.

    A message that arrived was accepted, whatever we knew of it, so it is not sent again. One that did not is failed,
    but stays known as one that was taken: its destination hears of the end. Of a try that is not the row's last, only
    good news counts.
    """
    if _old(row, report):
        return row
    known = replace(
        row,
        heard={**row.heard, str(report.fate): at},
        sequence=row.sequence if report.sequence is None else report.sequence,
        provider_id=report.provider_id or row.provider_id,
        sent_at=at if row.sent_at is None else row.sent_at,
        look_at=row.look_at if RENEW in row.facts else None,
    )
    if row.state is DeliveryState.DROPPED:
        return known
    if report.fate is Fate.UNDELIVERED:
        why = f"not delivered: {report.detail}" if report.detail else "not delivered"
        return replace(known, state=DeliveryState.FAILED, error=why)
    return replace(known, state=DeliveryState.ACCEPTED, error="")


def progress(row: Delivery) -> str:
    """The most that is known: `queued accepted undelivered delivered seen acked`; empty for what was never taken."""
    if row.heard:
        return max(row.heard, key=lambda word: _RANK[Fate(word)])
    if row.sent_at is not None:
        return "accepted"
    return "queued" if row.state in {DeliveryState.OWED, DeliveryState.SENDING} else ""


def overdue(
    row: Delivery, incident: Incident | None, now: float, rows: Iterable[Delivery] = ()
) -> Delivery | None:
    """The row when its `look_at` has come: owed anew if it has to be renewed, else looked at no more.

    None: it is as it was, but nobody said that it arrived. `rows`: all of the incident; what stands at a destination
    is renewed by the oldest page that brought it there, once.
    """
    known = replace(row, look_at=None)
    if row.state is not DeliveryState.ACCEPTED:
        return known
    if row.facts.get(RENEW) is None:
        return None
    over = incident is None or incident.ended
    if row.event is PageEvent.RESOLVE:
        stands = over and now < row.created_at + RENEWED_FOR
    else:
        stands = not over and not any(_renews(other) and _before(other, row) for other in rows)
    return replace(known, state=DeliveryState.OWED, due_at=now) if stands else known


def sent_anew(row: Delivery) -> bool:
    """Whether it told whom it was for already, and goes again only so that what it brought goes on standing."""
    return row.sent_at is not None and RENEW in row.facts


def _renews(row: Delivery) -> bool:
    """Whether what it brought is kept standing by it."""
    unsettled = row.state in {DeliveryState.OWED, DeliveryState.SENDING}
    return (
        RENEW in row.facts and row.event is not PageEvent.RESOLVE and (unsettled or row.look_at is not None)
    )


def _before(one: Delivery, other: Delivery) -> bool:
    return one.address == other.address and (one.created_at, one.key) < (other.created_at, other.key)


def _old(row: Delivery, report: Report) -> bool:
    """Whether the row's last try is past what `report` says."""
    if report.sequence is not None and report.sequence <= row.sequence:
        return True
    known = max((_RANK[Fate(word)] for word in row.heard), default=-1)
    if _RANK[report.fate] <= known:
        return True
    if report.fate is not Fate.UNDELIVERED:
        return False
    another = bool(row.provider_id and report.provider_id and row.provider_id != report.provider_id)
    return another or row.state is DeliveryState.OWED
