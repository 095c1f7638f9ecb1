"""How many series detectors read, beside what is allowed."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight

_SHARE = 0.2


def _detector(sight: Sight) -> Iterator[Found]:
    limit = sight.settings.limits.series
    for source, rule in sight.watched:
        count = len(source.selected(rule.signal, (*rule.signal.of, *rule.signal.to)))
        if count > _SHARE * limit:
            text = f"reads {count} series, more than a fifth of limits.series ({limit})"
            hint = "narrow it with where, let the source compute it (pushdown: true), or raise limits.series"
            yield Found(("detectors", rule.name, "signal"), text, hint)


def _source(sight: Sight) -> Iterator[Found]:
    limit = sight.settings.limits.series
    for source in sight.answering:
        count = sum(1 for _ in source.series)
        if count > limit:
            text = f"detectors want {count} series of it, and limits.series is {limit}: the rest is not read"
            yield Found(
                source.path, text, "raise limits.series, or let the source compute some (pushdown: true)"
            )


DETECTOR = LiveCheck(
    code="many-series",
    title="One detector reads a large share of all series",
    gravity=Gravity.WARNING,
    why="""Raw samples of every selected series are fetched and kept: 16 bytes a sample, a few hundred samples each. A
detector that takes more than a fifth of `limits.series` grows with the fleet into the bound, and beyond it series are
left out (and said to be).""",
    fix="Select fewer by `where`; for a sum over very many series let the source compute it: `pushdown: true`.",
    sees="2 500 series of `queue_depth`",
    example="""limits: {series: 10000}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}   # <--
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""limits: {series: 200000}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_detector,
)

SOURCE = LiveCheck(
    code="series-over-limit",
    title="A source has more series than `limits.series`",
    gravity=Gravity.ERROR,
    why="""The daemon bounds its memory: series beyond `limits.series` are not taken in, which is counted and said, but
nobody watches them.""",
    fix="Raise `limits.series` (about 20 kB of memory a series at default windows), or select fewer.",
    sees="2 500 series of `queue_depth`",
    example="""limits: {series: 1000}
telemetry:
  main: {scrape_interval: 15s, delay: 15s}   # <--
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    better="""limits: {series: 200000}
telemetry:
  main: {scrape_interval: 15s, delay: 15s}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_source,
)
