"""A window with too few samples in it."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        if not one.window or one.rule.zero_test or one.window >= 4 * one.interval:
            continue
        text = f"window {format_duration(one.window)} is shorter than four scrapes of {format_duration(one.interval)}"
        hint = f"one lost scrape leaves too little to count: use at least {format_duration(4 * one.interval)}"
        yield Found(one.at_window, text, hint)


CHECK = Check(
    code="window-under-scrapes",
    title="`window` is shorter than four scrapes",
    gravity=Gravity.WARNING,
    why="""Growth is the difference of two samples. With window < 4 x scrape interval one late or lost scrape halves
what is counted, or makes the value UNKNOWN; in PromQL `rate` needs two samples inside the window and gives nothing
with fewer. Four scrapes survive a lost one and a late one, which is the rule of thumb among users of Prometheus. Tests
for zero are exempt: they count from the last growth.""",
    fix="Use a window of at least four scrapes, or scrape more often.",
    example="""telemetry: {main: {scrape_interval: 30s}}
poll_interval: 30s
detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""telemetry: {main: {scrape_interval: 15s}}
detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_find,
)
