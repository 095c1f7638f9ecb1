"""Threads: what a message has to know of those that went before it to the same destination. Pure.

Providers that call a message something can be told of the first page of an incident: what follows it is an answer to it,
or changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from daemon.escalate.message import Message
from daemon.escalate.owed import BATCH, MAYBE, PAGES
from daemon.incidents.records import Delivery, DeliveryState, PageEvent


def first_of(row: Delivery, rows: Sequence[Delivery]) -> Delivery | None:
    """The first page that went to the row's destination since the last end was told there, where it can be named.

    `rows`: all of the incident. A page that went out together with those of other incidents is no message of its own.
    """
    here = [other for other in rows if other.address == row.address and other.key != row.key]
    ends = [
        other.created_at
        for other in here
        if other.event is PageEvent.RESOLVE
        and other.state is not DeliveryState.DROPPED
        and other.created_at < row.created_at
    ]
    since = max(ends, default=float("-inf"))
    pages = [
        other
        for other in here
        if other.event in PAGES and other.created_at > since and other.state is DeliveryState.ACCEPTED
    ]
    first = min(pages, key=lambda other: (other.created_at, other.key), default=None)
    return first if first is not None and first.provider_id and BATCH not in first.facts else None


def placed(message: Message, row: Delivery, rows: Sequence[Delivery], token: str) -> Message:
    """The message with what it has to know. `token`: what stands behind its buttons."""
    first = first_of(row, rows)
    return replace(
        message,
        maybe=row.receipt.startswith(MAYBE),
        first=first.provider_id if first is not None else "",
        token=token,
    )
