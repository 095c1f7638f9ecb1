"""Bounds and thresholds of histograms that stand for something else than was meant."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, Path, View

_LONG = 100.0
"""Seconds; who means a request that takes so long writes the unit."""


def _not_positive(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal = one.rule.signal.measured
        if signal.kind == "share_over" and signal.bound <= 0:
            text = f"bound {signal.bound:g} is below what a histogram measures: everything is over it"
            yield Found(one.in_signal("bound"), text, "use an edge of its buckets")


def _no_unit(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal = one.rule.signal.measured
        if not signal.of[0].endswith("_seconds_bucket"):
            continue
        places: dict[Path, float] = {}
        if signal.kind == "share_over":
            places[one.in_signal("bound")] = signal.bound
        elif one.rule.signal.kind == "quantile" and one.rule.baseline is None:
            places[(*one.path, "fire", one.rule.fire.op)] = one.rule.fire.threshold
        for path, seconds in places.items():
            if seconds >= _LONG and isinstance(view.raw(path), int | float):
                text = f"{seconds:g} on a metric of seconds is {seconds / 60:.3g} minutes"
                yield Found(path, text, f"write the unit: {seconds:g}ms or {seconds:g}s")


NOT_POSITIVE = Check(
    code="bound-not-positive",
    title="The bound of a `share_over` is zero or less",
    gravity=Gravity.WARNING,
    why="""Histograms of durations and sizes begin at zero, so every event is over such a bound: the share is 100 % or,
where no bucket has that edge, unknown for ever. (Whether a bound is an edge at all, only the source knows: `--live` asks,
see `bound-off-edge`.)""",
    fix="Use the service level, which has to be an edge of the buckets.",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 0, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 500ms, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_not_positive,
)

NO_UNIT = Check(
    code="seconds-without-unit",
    title="A large bare number on a histogram of seconds",
    gravity=Gravity.WARNING,
    why="""A bare number is in the metric's own unit, and a name that ends in `_seconds` says which. `bound: 500` for a
service level of 500 ms is more than eight minutes: nothing is ever over it. Numbers below 100 are not told, nor is any
that has its unit.""",
    fix="Write the unit: `500ms`, `2m`.",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 500, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds, bound: 500ms, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_no_unit,
)
