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
    when the last reading is unknown or there is none, else not recovered. An UNKNOWN breaks the hold.
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
    if last.seen is Seen.OK:
        return Judgement(
            Verdict.NOT_RECOVERED, f"not healthy for {hold:.0f} s without a break in {within:.0f} s"
        )
    return Judgement(Verdict.NOT_RECOVERED, f"still failing {within:.0f} s after the action")
