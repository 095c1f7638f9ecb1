"""Thresholds that the signal can never reach, or never miss."""

from __future__ import annotations

import math
from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View, Watched
from detectors.rule import Test

RANGES = {
    "share_over": (0.0, 1.0),
    "probe": (0.0, 1.0),
    "ratio": (0.0, math.inf),
    "rate": (0.0, math.inf),
    "increase": (0.0, math.inf),
    "burn_rate": (0.0, math.inf),
    "peers": (0.0, math.inf),
}
"""Kind of signal -> the least and the greatest value it can have; others can have any."""
_MEASURED = frozenset({"ratio", "share_over", "quantile", "rate", "age", "growth", "burn_rate", "peers"})


def _tests(one: Watched) -> Iterator[tuple[str, Test]]:
    if one.rule.baseline is not None:
        return  # in deviations, whatever the signal
    yield "fire", one.rule.fire
    if one.spec.clear is not None:
        yield "clear", one.rule.clear


def _out_of_range(view: View) -> Iterator[Found]:
    for one in view.detectors:
        kind = one.rule.signal.kind
        low, high = RANGES.get(kind, (-math.inf, math.inf))
        for key, test in _tests(one):
            said = _never_or_always(test, low, high)
            if said is not None:
                text = f"{test.op} {test.threshold:g} is {said} true: {_span(kind, low, high)}"
                yield Found((*one.path, key, test.op), text, _hint(test))


def _span(kind: str, low: float, high: float) -> str:
    return (
        f"a {kind} goes from {low:g} to {high:g}" if high < math.inf else f"a {kind} is never below {low:g}"
    )


def _never_or_always(test: Test, low: float, high: float) -> str | None:
    at = test.threshold
    if test.op == "equals":
        return None if low <= at <= high else "never"
    if test.op == "above":
        return "never" if at >= high else "always" if at < low else None
    return "never" if at <= low else "always" if at > high else None


def _hint(test: Test) -> str:
    return (
        f"did you mean {test.threshold:g}%?" if 1 < test.threshold <= 100 else "choose one inside the range"
    )


def _over_all(view: View) -> Iterator[Found]:
    for one in view.detectors:
        for key, test in _tests(one):
            never = test.op == "above" and test.threshold >= 1
            if one.rule.signal.kind == "ratio" and never:
                text = f"above {test.threshold:g} is more than all: a share of attempts ends at 1"
                yield Found((*one.path, key, test.op), text, _hint(test))


def _equals(view: View) -> Iterator[Found]:
    for one in view.detectors:
        for key, test in _tests(one):
            hit = test.op == "equals" and (test.threshold not in {0.0, 1.0} or one.rule.signal.kind == "age")
            if hit and one.rule.signal.kind in _MEASURED:
                text = f"equals {test.threshold:g} asks a measured {one.rule.signal.kind} for one exact value"
                yield Found((*one.path, key, "equals"), text, "use above or below")


OUT_OF_RANGE = Check(
    code="threshold-out-of-range",
    title="The threshold lies outside of what the signal can be",
    gravity=Gravity.ERROR,
    why="""A share of a histogram lies between 0 and 1, a probe is 0 or 1, and growth is never negative. A condition
outside of that never holds, so the detector is dead (or, for `clear`, the incident never ends), or it always holds. It
cannot work, so the configuration is refused.""",
    fix="Shares are fractions or percentages: `0.05` or `5%`, not `5`.",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 0.5, window: 1m}}
    fire: {above: 5, for: 5m}   # <--
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 0.5, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_out_of_range,
)

OVER_ALL = Check(
    code="ratio-over-all",
    title="A ratio is asked to be above 100 %",
    gravity=Gravity.WARNING,
    why="""`to` counts attempts, failures included, so `of` over `to` ends at 1 and `above: 5` (which is 500 %) never
holds. Where `of` may really outgrow `to`, such as retries per request, the warning can be silenced. The same trap hides
in burn rates (`burn-never`).""",
    fix="Write the percentage with its sign: `5%`.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5, for: 5m}   # <--
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_over_all,
)

EQUALS = Check(
    code="equals-on-measure",
    title="`equals` on a value that is measured",
    gravity=Gravity.WARNING,
    why="""A rate, ratio, share, quantile or age is a quotient or a difference of measured numbers and practically never
one exact value: `equals: 0.05` does not hold at 0.0500001. Only "none" (0) and, for shares, "all" (1) are values that
such a signal rests at.""",
    fix="Use `above` or `below`.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {equals: 5%, for: 5m}   # <--
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_equals,
)
