"""How often a source really scrapes, and how late its samples are."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight
from detectors.spec import FileSource

_OFF = 1.5
_STALE = 2


def _differs(sight: Sight) -> Iterator[Found]:
    for source in sight.answering:
        seen, assumed = source.interval, source.plan.interval or source.plan.every
        if seen is not None and not assumed / _OFF <= seen <= assumed * _OFF:
            known = "scrape_interval" if source.plan.interval else "poll_interval"
            text = f"scrapes are {format_duration(round(seen, 1))} apart, and {known} says {format_duration(assumed)}"
            hint = f"set scrape_interval: {format_duration(round(seen, 1))}, and check again: lengths are judged by it"
            yield Found(source.path, text, hint)


def _late(sight: Sight) -> Iterator[Found]:
    for source in sight.answering:
        newest, interval = source.newest, source.interval or source.plan.interval or source.plan.every
        recorded = isinstance(sight.settings.telemetry[source.plan.name], FileSource)
        if newest is None or recorded or not source.plan.has_history:
            continue
        age = source.at - newest
        if age > source.plan.delay + _STALE * interval:
            text = f"its newest sample is {format_duration(round(age))} old, and delay is {format_duration(source.plan.delay)}"
            hint = (
                f"set delay: {format_duration(round(age - interval) + 1)} or find out why samples come late"
            )
            yield Found(source.path, text, hint)


DIFFERS = LiveCheck(
    code="interval-differs",
    title="The source scrapes at another pace than configured",
    gravity=Gravity.WARNING,
    why="""Holds, windows and `no_data` are checked against the scrape interval: `scrape_interval` where it is set, else
`poll_interval` is taken for it. With the wrong one, `window-under-scrapes`, `hold-under-scrapes` and their kin judge by
the wrong measure, and staleness (two intervals) comes too early or too late.""",
    fix="Set `scrape_interval` of the source to what was seen.",
    sees="a sample a minute",
    example="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}   # <--
poll_interval: 15s
""",
    better="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090", scrape_interval: 1m, delay: 1m}
poll_interval: 1m
""",
    find=_differs,
)

LATE = LiveCheck(
    code="samples-late",
    title="Samples come later than `delay`",
    gravity=Gravity.WARNING,
    why="""A tick looks `delay` seconds back, so that what is underway has arrived. Samples later than that by two
scrapes are stale when they are looked at: the detector is blind again and again, although nothing is wrong.""",
    fix="Set `delay` to how late samples are; remote write and federation are the usual reasons.",
    sees="a newest sample that is two minutes old",
    example="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}   # <--
""",
    better="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090", delay: 2m}
""",
    find=_late,
)
