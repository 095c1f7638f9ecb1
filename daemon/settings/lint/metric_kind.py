"""Metrics read as what their name says they are not."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _histogram(view: View) -> Iterator[Found]:
    for one in view.detectors:
        name = one.rule.signal.of[0]
        if one.rule.signal.measured.kind in {"share_over", "quantile"} and name.endswith("_bucket_bucket"):
            text = f"{name} is no series: the name of a histogram goes without _bucket"
            hint = f"write of: {name.removesuffix('_bucket_bucket')}"
            yield Found(one.in_signal("of"), text, hint)


def _counter(view: View) -> Iterator[Found]:
    for one in view.detectors:
        kind = one.rule.signal.measured.kind
        if kind not in {"gauge", "age", "growth"}:
            continue
        counters = [name for name in one.rule.signal.of if name.endswith("_total")]
        if counters:
            text = f"{', '.join(counters)} counts up for ever, and is read as a {kind}"
            yield Found(one.in_signal("of"), text, "use rate or increase, or a metric that is a gauge")


HISTOGRAM = Check(
    code="histogram-name",
    title="The name of a histogram with its `_bucket`",
    gravity=Gravity.ERROR,
    why="""`share_over` and `quantile` take the name of the histogram and add `_bucket` themselves, so
`write_duration_seconds_bucket` looks for `write_duration_seconds_bucket_bucket`, which nobody exports. It cannot work, so
the configuration is refused.""",
    fix="Write the name without `_bucket`.",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: write_duration_seconds_bucket, bound: 0.5, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
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
    find=_histogram,
)

COUNTER = Check(
    code="counter-as-gauge",
    title="A counter is read as a gauge",
    gravity=Gravity.WARNING,
    why="""By the naming rules of OpenMetrics a name that ends in `_total` is a counter: it only grows, until a restart
sets it to zero. Its value passes every threshold sooner or later and then stays there; what can be judged is its
growth.""",
    fix="Use `rate` or `increase` with a window.",
    example="""detectors:
  errors:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: write_errors_total}}   # <--
    fire: {above: 100, for: 5m}
    clear: {below: 50, for: 5m}
""",
    better="""detectors:
  errors:
    failure_mode: ingestion_stopped
    signal: {increase: {of: write_errors_total, window: 1m}}
    fire: {above: 100, for: 5m}
    clear: {below: 50, for: 5m}
""",
    find=_counter,
)
