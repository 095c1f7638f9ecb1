"""Evidence that can never be fresh enough to act on."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        fresh, need = one.spec.fresh_within, one.interval + one.delay
        if fresh is not None and fresh < need:
            text = f"fresh_within {format_duration(fresh)} is shorter than scrape interval and delay together"
            hint = f"evidence is up to {format_duration(need)} old when it is best: nothing would be done"
            yield Found((*one.path, "fresh_within"), text, hint)


CHECK = Check(
    code="fresh-under-scrape",
    title="`fresh_within` is shorter than a scrape and the source's delay",
    gravity=Gravity.WARNING,
    why="""Before every disruptive step the fault is looked at again, and evidence older than `fresh_within` does not
count. The newest sample is between `delay` and `delay` + one scrape interval old, so with less than that the re-check
waits, and the ladder gives up with a page.""",
    fix="Leave it out (three scrapes and the delay), or give it at least two scrapes more than `delay`.",
    example="""telemetry: {main: {delay: 15s}}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    fresh_within: 20s   # <--
""",
    better="""telemetry: {main: {delay: 15s}}
detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    fresh_within: 45s
""",
    find=_find,
)
