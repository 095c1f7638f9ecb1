"""The one module that reads a clock, and the text form of instants at the faces (RFC 3339, UTC).

Everywhere else an instant is a float (unix seconds) handed in as an argument.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from remediations.ports import Clock


class SystemClock:
    """The machine's two clocks; fits `remediations.ports.Clock`."""

    def now(self) -> float:
        """Unix seconds, UTC; may step when the machine's time is set."""
        return time.time()  # noqa: TID251 - the one place that may

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""
        return time.monotonic()


def rfc3339(instant: float) -> str:
    """`2026-01-05T09:00:00.000Z`: always UTC, always milliseconds, so texts sort as instants do."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 text. Raises `ValueError` on anything else, a missing offset included."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; end it with Z")
    return moment.timestamp()


def _fits(clock: SystemClock) -> Clock:
    """The type checker proves here that the door fits its port."""
    return clock
