"""A quantile of so few events that it is their maximum."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal = one.rule.signal.measured
        beyond = min(signal.q, 1 - signal.q) if signal.kind == "quantile" else 1.0
        if not signal.events or signal.events * max(beyond, 0.0) >= 1 - 1e-9:
            continue
        text = (
            f"q {signal.q:g} of {signal.events:g} events is their extreme: less than one event lies beyond it"
        )
        hint = f"ask for at least {1 / beyond:.0f} events" if beyond > 0 else "choose q between 0 and 1"
        yield Found(one.in_signal("q"), text, hint)


CHECK = Check(
    code="quantile-few-events",
    title="A quantile of too few events",
    gravity=Gravity.WARNING,
    why="""The q-quantile is telling only when events lie beyond it: events x (1 - q) >= 1. The 99th percentile of 20
requests is the slowest one, and a single slow request is no degradation.""",
    fix="Raise `minimum.events` to 1 / (1 - q) or more, lower q, or use `share_over`, which is exact.",
    example="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {quantile: {of: write_duration_seconds, q: 0.99, window: 1m}}   # <--
    fire: {above: 500ms, for: 5m}
    clear: {below: 300ms, for: 5m}
    minimum: {events: 20}
""",
    better="""detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {quantile: {of: write_duration_seconds, q: 0.99, window: 1m}}
    fire: {above: 500ms, for: 5m}
    clear: {below: 300ms, for: 5m}
    minimum: {events: 200, widen_to: 15m}
""",
    find=_find,
)
