"""Verification: was it mended? Judged from samples taken after the action, over a continuous hold.

A reading is what all deciding detectors of an incident said together at one tick after the action ended. A symptom
that merely changed is no recovery; what cannot be seen is *unknown*, never *recovered*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Seen(StrEnum):
    """One observation, as verification and guardrails read it."""

    BREACH = "breach"
    OK = "ok"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """`at`: unix seconds of the tick. `observed_at`: of the newest sample behind it, None when there was none."""

    at: float
    seen: Seen
    observed_at: float | None = None
    value: float | None = None


LATE = 60.0
"""Seconds by which the reading that ends a hold may be late."""
NOTHING_SEEN = Reading(0.0, Seen.UNKNOWN)


class Verdict(StrEnum):
    RECOVERED = "recovered"
    CONTAINED = "contained"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"
    SELF_RESOLVED = "self_resolved"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the sentence that says why."""

    verdict: Verdict
    reason: str


def judge(
    *, acted_until: float, within: float, hold: float, readings: Sequence[Reading], now: float
) -> Judgement | None:
    """Judge a rung from readings since `acted_until` (unix seconds); None while it is still open.

    Recovered as soon as readings were OK without a break for `hold` seconds. At `acted_until + within`: unknown
    when the last reading is unknown or there is none, not recovered when it is a breach. A hold that runs then may
    finish: what is healthy and was not seen for long enough (a restart, a scrape that failed) must not be undone. One
    that began later has no end of its own: readings may be forgotten before the hold is over. An UNKNOWN breaks the hold.
    """
    hold_from: float | None = None
    last: Reading | None = None
    for reading in readings:
        if reading.at <= acted_until:
            continue
        last = reading
        if reading.seen is not Seen.OK:
            hold_from = None
        elif hold_from is None:
            hold_from = reading.at
        if hold_from is not None and reading.at - hold_from >= hold:
            return Judgement(Verdict.RECOVERED, f"healthy for {hold:.0f} s on samples taken after the action")
    if now < acted_until + within:
        return None
    if last is None or last.seen is Seen.UNKNOWN:
        return Judgement(Verdict.UNKNOWN, f"nothing could be observed at the end of {within:.0f} s")
    if hold_from is not None:
        if now < min(hold_from, acted_until + within) + hold + LATE:
            return None
        return Judgement(Verdict.UNKNOWN, f"healthy when last seen, and not seen for {hold:.0f} s in a row")
    return Judgement(Verdict.NOT_RECOVERED, f"still failing {within:.0f} s after the action")
