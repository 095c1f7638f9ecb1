"""A hold too short for the data: under two scrapes, or under one evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View


def _scrapes(view: View) -> Iterator[Found]:
    for one in view.detectors:
        hold = one.rule.fire.hold
        if hold < 2 * one.interval and not one.rule.signal.burns:
            text = (
                f"for {format_duration(hold)} is shorter than two scrapes of {format_duration(one.interval)}"
            )
            hint = f"one bad sample decides: hold it for at least {format_duration(2 * one.interval)}"
            yield Found((*one.path, "fire", "for"), text, hint)


def _evaluation(view: View) -> Iterator[Found]:
    for one in view.detectors:
        hold = one.rule.fire.hold
        if 2 * one.interval <= hold < one.step:
            text = f"for {format_duration(hold)} is shorter than one evaluation, every {format_duration(one.step)}"
            yield Found(
                (*one.path, "fire", "for"), text, "shorten poll_interval, or hold it for two evaluations"
            )


SCRAPES = Check(
    code="hold-under-scrapes",
    title="`for` is shorter than two scrapes",
    gravity=Gravity.WARNING,
    why="""A hold proves that a fault lasts. With `for` < 2 x scrape interval it rests on one sample, so a single odd
scrape starts an action. The scrape interval is `scrape_interval` (or `every`) of the source; where that is left out,
`poll_interval`. `for: 0s` loads and means: the first sample in breach fires. A burn rate needs none: its long windows are
its hold.""",
    fix="Hold for at least two scrapes; five minutes is usual for what a machine may restart.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 20s}   # <--
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_scrapes,
)

EVALUATION = Check(
    code="hold-under-evaluation",
    title="`for` is shorter than one evaluation",
    gravity=Gravity.WARNING,
    why="""Detectors look every `poll_interval` (a scrape source: every `every`). A hold shorter than that has the
same effect as none where polls are far apart: what was true at one look is not known to have lasted.""",
    fix="Poll more often, or hold for at least two evaluations.",
    example="""poll_interval: 1m
telemetry: {main: {scrape_interval: 10s}}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 30s}   # <--
    clear: {below: 500, for: 1m}
""",
    better="""poll_interval: 10s
telemetry: {main: {scrape_interval: 10s}}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 30s}
    clear: {below: 500, for: 1m}
""",
    find=_evaluation,
)
