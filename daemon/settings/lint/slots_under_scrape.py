"""M of N over slots that some scrapes never fall into."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View
from detectors.rule import Test


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        for key, test in (("fire", one.rule.fire), ("clear", one.rule.clear)):
            slot = _slot(test)
            if slot is not None and slot < one.interval and (key == "fire" or one.spec.clear is not None):
                text = f"slots of {format_duration(slot)} are shorter than a scrape of {format_duration(one.interval)}"
                hint = "some slots have no sample and never count: fewer slots, or a longer for"
                yield Found((*one.path, key, "of_last"), text, hint)


def _slot(test: Test) -> float | None:
    return test.hold / test.of_last.slots if test.of_last is not None else None


CHECK = Check(
    code="slots-under-scrape",
    title="`of_last` cuts `for` into slots shorter than a scrape",
    gravity=Gravity.WARNING,
    why="""`for: 5m, of_last: "8 of 10"` makes ten slots of 30 seconds, eight of which must be in breach. A slot
without a sample is not in breach, so with slots shorter than the scrape interval the M of N may never be reached.""",
    fix="Choose N so that `for` / N is at least one scrape interval.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m, of_last: "30 of 60"}   # <--
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m, of_last: "8 of 10"}
    clear: {below: 500, for: 1m}
""",
    find=_find,
)
