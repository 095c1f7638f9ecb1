"""What a poll costs, beside the time and the bytes there are for it."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight

_SHARE = 0.5


def _slow(sight: Sight) -> Iterator[Found]:
    for source in sight.answering:
        cost, every = source.again_cost, source.plan.every
        if cost is not None and cost.seconds > _SHARE * every:
            took = format_duration(cost.seconds)
            text = f"one poll took {took}, more than half of the {format_duration(every)} between polls"
            yield Found(source.path, text, "poll less often, narrow the detectors' where, or use pushdown")


def _large(sight: Sight) -> Iterator[Found]:
    limit = sight.settings.limits.response
    for source in sight.answering:
        if source.first_cost.size > _SHARE * limit:
            text = f"its first answer has {source.first_cost.size / 1e6:.1f} MB, more than half of limits.response"
            yield Found(source.path, text, "raise limits.response, narrow where, or shorten widen_to and for")


SLOW = LiveCheck(
    code="fetch-slow",
    title="A poll takes more than half of the poll interval",
    gravity=Gravity.WARNING,
    why="""A poll that is not done when the next is due is not queued but skipped, so detection is late by a whole
interval, at the very time when the source is under load. `check --live` asks once for everything, then once for the new
tail, as every poll does, and takes the time of the second.""",
    fix="Poll less often, narrow `where`, let the source compute (`pushdown: true`), or give the source more power.",
    sees="an answer that takes 9 s",
    example="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}   # <--
poll_interval: 15s
""",
    better="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}
poll_interval: 30s
""",
    find=_slow,
)

LARGE = LiveCheck(
    code="fetch-large",
    title="An answer is larger than half of `limits.response`",
    gravity=Gravity.WARNING,
    why="""An answer over `limits.response` is refused as a whole, and every detector of the source is blind. The first
one after a start is the largest: it goes back as far as the widest window and the longest hold reach.""",
    fix="Raise `limits.response`, select fewer series, or look back less far.",
    sees="an answer of 40 MB",
    example="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}   # <--
limits: {response: 64MB}
""",
    better="""telemetry:
  main: {type: prometheus, url: "http://prometheus:9090"}
limits: {response: 200MB}
""",
    find=_large,
)
