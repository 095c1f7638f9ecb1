"""HTTP as channels use it: one request, and what its answer means for the row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime

from daemon.escalate.channels.port import Doors
from daemon.escalate.message import Receipt, ReceiptKind
from remediations.ports import PortError, Request, Response, TooLarge

MAX_ANSWER = 64_000
MAX_DETAIL = 200
SLOWEST, QUICKEST = 900.0, 1.0
"""Bounds on what `Retry-After` may ask for, in seconds."""
_TEMPORARY = frozenset({408, 425, 429})


def exchange(
    request: Request,
    doors: Doors,
    deadline: float,
    amiss: Callable[[Response], Receipt | None] | None = None,
    *,
    most: int = MAX_ANSWER,
) -> Receipt:
    """Send once and classify. Never raises for what the network or the other side does.

    `amiss`: what a 2xx says of a failure after all, or what it calls the message; None when it says nothing of the kind.
    `most`: bytes of the answer that are read.
    """
    try:
        response = doors.http.send(request, deadline=deadline, max_bytes=most)
    except TooLarge:
        return Receipt(ReceiptKind.AMBIGUOUS, "answered with more than could be read")
    except PortError as error:
        kind = ReceiptKind.AMBIGUOUS if error.sent else ReceiptKind.TEMPORARY
        return Receipt(kind, detail(str(error), doors))
    receipt = judged(response, doors)
    found = amiss(response) if amiss is not None and receipt.kind is ReceiptKind.OK else None
    return receipt if found is None else replace(found, detail=detail(found.detail, doors))


def reference(key: str) -> str:
    """A short name of one delivery, the same on every try: by it people tell a repeat from a second page."""
    return hashlib.blake2s(key.encode(errors="replace"), digest_size=4).hexdigest()


def judged(response: Response, doors: Doors) -> Receipt:
    """2xx arrived; 408, 425, 429 and 5xx may later; anything else, redirects included, will not."""
    status = response.status
    if 200 <= status < 300:
        return Receipt(ReceiptKind.OK, f"{status}", status=status)
    body = detail(response.body[: 4 * MAX_DETAIL].decode("utf-8", "replace"), doors)
    said = f"{status} {body}".strip()
    if status in _TEMPORARY or status >= 500:
        return Receipt(ReceiptKind.TEMPORARY, said, retry_after(response, doors), status=status)
    return Receipt(ReceiptKind.PERMANENT, said, status=status)


def retry_after(response: Response, doors: Doors) -> float | None:
    """Seconds of `Retry-After` (a number or an HTTP date), kept within a second and a quarter of an hour."""
    text = next(
        (value for name, value in response.headers.items() if name.lower() == "retry-after"), ""
    ).strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - doors.clock.now()
    return min(SLOWEST, max(QUICKEST, seconds))


def detail(text: str, doors: Doors) -> str:
    """What the other side said: one line, no secret, bounded. Redacted before it is cut, so no half stays."""
    return " ".join(doors.redact(text).split())[:MAX_DETAIL]
