"""Silence that is reported before it can be told from one lost scrape."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        wait = one.rule.no_data_for
        if wait < 2 * one.interval:
            text = f"no_data.for {format_duration(wait)} is shorter than two scrapes of {format_duration(one.interval)}"
            hint = (
                f"one lost scrape is reported as silence: wait at least {format_duration(2 * one.interval)}"
            )
            yield Found((*one.path, "no_data", "for"), text, hint)


CHECK = Check(
    code="no-data-under-scrapes",
    title="`no_data.for` is shorter than two scrapes",
    gravity=Gravity.WARNING,
    why="""A sample counts as stale after two scrape intervals. Less patience than that turns every lost scrape into a
finding of its own, and people learn to ignore the one that says that a detector is blind.""",
    fix="Wait at least two scrapes; five minutes is the default.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    no_data: {for: 20s}   # <--
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    no_data: {for: 5m}
""",
    find=_find,
)
