"""Points in time as people write them on a command line."""

from __future__ import annotations

import math
import re

from config.problems import Wrong
from config.units import parse_duration
from daemon.clock import parse_rfc3339
from daemon.errors import UsageError

LAST = 253_402_300_799.0
"""The end of the year 9999: RFC 3339 has no later instant."""
_SECONDS = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


def parse_instant(option: str, text: str, now: float) -> float:
    """Unix seconds, to the millisecond, from RFC 3339, unix seconds, `now`, `-30d` or `now-30d`. Raises `UsageError`."""
    try:
        if text == "now":
            at = now
        elif _SECONDS.fullmatch(text):
            at = float(text)
        elif text.startswith(("-", "now-")):
            at = now - parse_duration(text.partition("-")[2])
        else:
            at = parse_rfc3339(text)
    except (Wrong, ValueError) as error:
        remedy = "write 2026-01-05T09:00:00Z, unix seconds, now or -30d"
        raise UsageError(f"{option}: {error}; {remedy}") from None
    if not (math.isfinite(at) and 0 <= at <= LAST):
        raise UsageError(f"{option}: {text} is no instant between 1970 and 9999")
    return round(at, 3)
