"""A `minimum` that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View
from daemon.settings.lint.minimum_missing import SHARES


def _unused(view: View) -> Iterator[Found]:
    for one in view.detectors:
        kind = one.rule.signal.measured.kind
        if one.spec.minimum is not None and kind not in SHARES:
            text = f"minimum has no effect on a {kind}: it judges shares of events"
            yield Found((*one.path, "minimum"), text, "leave it out; for growth that may be low use expected")


def _narrow(view: View) -> Iterator[Found]:
    for one in view.detectors:
        minimum = one.spec.minimum
        if minimum is None or minimum.widen_to is None or one.rule.signal.measured.kind not in SHARES:
            continue
        if one.rule.signal.burns:
            continue
        if minimum.widen_to <= one.window:
            text = f"widen_to {format_duration(minimum.widen_to)} is not longer than the window, so it never widens"
            yield Found((*one.path, "minimum", "widen_to"), text, "make it several windows long")


UNUSED = Check(
    code="minimum-without-effect",
    title="`minimum` on a signal that it does not apply to",
    gravity=Gravity.WARNING,
    why="""`minimum` gates ratios, shares and quantiles by how many events they rest on. A gauge, an age or a probe
counts none, and growth (`rate`, `increase`) is itself the count. Who wrote it expects a gate that is not there.""",
    fix="Leave it out. Where little growth is normal at some hours, `expected: {at_least, per}` is the gate.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    minimum: {events: 20}   # <--
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_unused,
)

NARROW = Check(
    code="widen-under-window",
    title="`minimum.widen_to` is not longer than the window",
    gravity=Gravity.WARNING,
    why="""With too few events the window is doubled until `widen_to`. One no longer than the window itself never
widens, so at little traffic nothing is known, and a slow total failure stays unseen.""",
    fix="Make `widen_to` as long as it takes to see `events` events at the quietest hour.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50, widen_to: 30s}   # <--
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50, widen_to: 15m}
""",
    find=_narrow,
)
