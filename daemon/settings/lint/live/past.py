"""What the thresholds would have meant in the history that the source has."""

from __future__ import annotations

import math
from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Past, Sight
from detectors.rule import Rule

_NEAR = 0.2
_DAY = 86_400.0
_TELLING = 0.99 * _DAY
"""A shorter history says nothing about what never happens."""


def _never(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        past = source.past.get(rule.name)
        if past is not None and past.length >= _TELLING and _far(rule, past):
            most, word = (past.highest, "highest") if rule.fire.op == "above" else (past.lowest, "lowest")
            text = (
                f"never came near {rule.fire.op} {rule.fire.threshold:g} in {format_duration(round(past.length))}: "
                f"{word} was {most:.3g}"
            )
            yield Found(
                ("detectors", rule.name, "fire", rule.fire.op),
                text,
                "is the signal alive, and the unit right?",
            )


def _far(rule: Rule, past: Past) -> bool:
    if rule.fire.threshold <= 0 or rule.baseline is not None:
        return False
    if rule.fire.op == "above":
        return past.highest < _NEAR * rule.fire.threshold
    return (
        rule.fire.op == "below" and past.lowest > rule.fire.threshold / _NEAR and math.isfinite(past.lowest)
    )


def _often(sight: Sight) -> Iterator[Found]:
    for source, rule in sight.watched:
        past = source.past.get(rule.name)
        if past is None or past.length < _TELLING:
            continue
        if past.fired > past.length / _DAY:
            text = f"would have fired {past.fired} times in {format_duration(round(past.length))}"
            hint = "replay it (fleetmend backtest), and lengthen for or move the threshold"
            yield Found(("detectors", rule.name, "fire"), text, hint)


NEVER = LiveCheck(
    code="threshold-never-near",
    title="The signal never came near its threshold",
    gravity=Gravity.WARNING,
    why="""Where the highest value of a week is below 20 % of the threshold (for `below`: the lowest above five times
it), the detector was never tried. It may be a quiet week; it may as well be a wrong unit (milliseconds beside seconds), a
threshold by guess, or a metric that nobody increments. Nothing is said with less than a day of history.""",
    fix="Replay a known incident (`fleetmend backtest`), and set the threshold by what it looked like.",
    sees="a week in which `queue_depth` stayed below 40",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}   # <--
    clear: {below: 500, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 100, for: 5m}
    clear: {below: 50, for: 1m}
""",
    find=_never,
)

OFTEN = LiveCheck(
    code="fires-often",
    title="The detector would have fired more than once a day",
    gravity=Gravity.WARNING,
    why="""The same code that detects live is run over the history of the source. What fires every day is not an outage
but a property of the system, and an action every day treats nothing.""",
    fix="Replay it (`fleetmend backtest`), lengthen `for`, move the threshold, or add `minimum`.",
    sees="a week in which `queue_depth` passed 100 for ten minutes every other hour",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 100, for: 5m}   # <--
    clear: {below: 50, for: 1m}
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 100, for: 30m}
    clear: {below: 50, for: 1m}
""",
    find=_often,
)
