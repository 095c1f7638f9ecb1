"""How a Prometheus source is read beside how it scrapes: too seldom, or too close to now."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View
from detectors.spec import PrometheusSource


def _poll(view: View) -> Iterator[Found]:
    poll = view.settings.poll_interval
    for name, source in view.settings.telemetry.items():
        interval = source.scrape_interval if isinstance(source, PrometheusSource) else None
        if interval is not None and poll > interval:
            text = f"poll_interval {format_duration(poll)} is longer than scrape_interval {format_duration(interval)}"
            hint = "samples wait to be looked at: poll as often as it scrapes"
            yield Found(("telemetry", name, "scrape_interval"), text, hint)


def _delay(view: View) -> Iterator[Found]:
    for name, source in view.settings.telemetry.items():
        interval = source.scrape_interval if isinstance(source, PrometheusSource) else None
        if isinstance(source, PrometheusSource) and interval is not None and source.delay < interval:
            text = f"delay {format_duration(source.delay)} is shorter than scrape_interval {format_duration(interval)}"
            hint = "targets are then compared at different scrapes: look back one scrape"
            key = "delay" if "delay" in source.model_fields_set else "scrape_interval"
            yield Found(("telemetry", name, key), text, hint)


POLL = Check(
    code="poll-over-scrape",
    title="`poll_interval` is longer than the scrape interval",
    gravity=Gravity.WARNING,
    why="""A hard failure is found within `for` + `delay` + 2 scrapes + 1 evaluation. Polling more seldom than the
source scrapes makes the evaluation the longest part of what can be shortened, and several samples arrive at once. No
sample is lost: each poll fetches all since the last.""",
    fix="Set `poll_interval` to the source's scrape interval.",
    example="""poll_interval: 1m
telemetry:
  main: {delay: 15s, scrape_interval: 15s}   # <--
""",
    better="""poll_interval: 15s
telemetry:
  main: {delay: 15s, scrape_interval: 15s}
""",
    find=_poll,
)

DELAY = Check(
    code="delay-under-scrape",
    title="`delay` is shorter than the scrape interval",
    gravity=Gravity.WARNING,
    why="""Targets are scraped at different moments of the interval, and what is written remotely arrives later still.
Looking at "now" compares the newest scrape of one target with the one before of another, and a sample that is a second
late looks like silence. With `delay` >= one scrape interval every target has answered for the instant looked at. It
costs that much time until detection, and no more. `query_offset` of Prometheus and `eval_delay` of vmalert are the same
thing.""",
    fix="Set `delay` to the scrape interval, or to how late samples arrive if that is longer.",
    example="""telemetry:
  main: {delay: 5s, scrape_interval: 15s}   # <--
""",
    better="""telemetry:
  main: {delay: 15s, scrape_interval: 15s}
""",
    find=_delay,
)
