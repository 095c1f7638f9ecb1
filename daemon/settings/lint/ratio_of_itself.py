"""A ratio that is always one."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal = one.rule.signal.measured
        if signal.kind in {"ratio", "burn_rate"} and set(signal.to) <= set(signal.of):
            text = "the ratio is never below 1: of holds everything that to holds"
            yield Found(one.in_signal("of"), text, "name the failures in of, and all attempts in to")


CHECK = Check(
    code="ratio-of-itself",
    title="A ratio of attempts over attempts",
    gravity=Gravity.ERROR,
    why="""`of` counts failures, `to` attempts. Where every metric of `to` stands in `of` as well, the ratio is 1 or
more at any time: the detector always fires, or never. It cannot work, so the configuration is refused.""",
    fix="Name the failures in `of`, and attempts (failures included) in `to`.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: writes_total, to: writes_total, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50}
""",
    find=_find,
)
