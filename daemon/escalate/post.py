"""What a worker does with one message: render it for its channel, send it once, and once shorter if it was too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.secrets import HIDDEN
from daemon.escalate.channels.port import Doors
from daemon.escalate.channels.registry import AddressBook, Entry
from daemon.escalate.message import Message, Receipt, ReceiptKind

REFUSED_FOR_ITS_FORM = frozenset({400, 413, 422})
"""Answers to which a shorter message is worth a try: a rejected page is a lost page."""


def post(args: Mapping[str, Any], book: AddressBook, doors: Doors, deadline: float) -> Receipt:
    """Send what a job of kind `post` holds. `deadline`: monotonic seconds. Never raises."""
    message, plain = args["message"], args["plain"]
    entry = book.find(args["address"], args["channel"])
    if entry is None:
        return Receipt(ReceiptKind.PERMANENT, f"{args['address']} has no channel {args['channel']} any more")
    return deliver(message, plain, entry, book, doors, deadline)


def deliver(
    message: Message, plain: Message, entry: Entry, book: AddressBook, doors: Doors, deadline: float
) -> Receipt:
    """Send `message`; `plain` in its place when it cannot be rendered. Never raises."""
    doors = _discreet(message, doors)
    receipt = _try(_redacted(message, doors), entry, book, doors, deadline, short=False)
    if receipt is None:
        receipt = _try(_redacted(plain, doors), entry, book, doors, deadline, short=True)
        return _shortened(receipt) if receipt else Receipt(ReceiptKind.PERMANENT, "cannot be rendered")
    if receipt.kind is ReceiptKind.PERMANENT and receipt.status in REFUSED_FOR_ITS_FORM:
        again = _try(_redacted(message, doors), entry, book, doors, deadline, short=True)
        return _shortened(again) if again else receipt
    return receipt


def _discreet(message: Message, doors: Doors) -> Doors:
    """Doors that let nothing back in by which this message is acknowledged: rows are read by who may not order."""
    signed = {message.token, *(href.rpartition("/a/")[2] for _, href in message.links if "/a/" in href)} - {
        ""
    }

    def redact(text: str) -> str:
        for token in signed:
            text = text.replace(token, HIDDEN)
        return doors.redact(text)

    return replace(doors, redact=redact)


def _try(
    message: Message, entry: Entry, book: AddressBook, doors: Doors, deadline: float, *, short: bool
) -> Receipt | None:
    """One sending; None when the channel could not make anything of the message."""
    try:
        return entry.channel.send(message, entry.spec, book.shared, doors, deadline, short=short)
    except Exception:  # noqa: BLE001 - a channel's own mistake must not lose the page
        return None


def _shortened(receipt: Receipt) -> Receipt:
    return replace(receipt, shortened=True)


def _redacted(message: Message, doors: Doors) -> Message:
    """Texts from outside are redacted where they came in; this is the last gate before they leave."""
    return replace(
        message,
        headline=doors.redact(message.headline),
        parts=tuple(doors.redact(part) for part in message.parts),
        page=tuple(doors.redact(part) for part in message.page),
        source=doors.redact(message.source),
    )
