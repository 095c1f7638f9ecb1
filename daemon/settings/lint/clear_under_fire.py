"""A clear condition on the wrong side of the fire condition, or on top of it."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View
from detectors.rule import Test


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        text = _wrong(one.rule.fire, one.rule.clear) if one.spec.clear is not None else None
        if text is not None:
            hint = "put clear on the healthy side of fire, with room between them"
            yield Found((*one.path, "clear", one.rule.clear.op), text, hint)


def _wrong(fire: Test, clear: Test) -> str | None:
    if fire.op == clear.op:
        return f"clears where it fires: both ask for {fire.op}" if _overlap(fire, clear) else None
    if {fire.op, clear.op} != {"above", "below"}:
        point, other = (fire, clear) if fire.op == "equals" else (clear, fire)
        inside = (
            point.threshold > other.threshold if other.op == "above" else point.threshold < other.threshold
        )
        return "clears where it fires: what equals the one meets the other" if inside else None
    gap = fire.threshold - clear.threshold if fire.op == "above" else clear.threshold - fire.threshold
    if gap < 0:
        return "clears while it would still fire"
    return "clears at the very threshold that it fires at" if gap == 0 else None


def _overlap(fire: Test, clear: Test) -> bool:
    return fire.op != "equals" or fire.threshold == clear.threshold


CHECK = Check(
    code="clear-under-fire",
    title="`clear` is not on the healthy side of `fire`",
    gravity=Gravity.WARNING,
    why="""A finding that clears where it also fires opens and closes with every sample: incidents flap, and actions
start again and again. Where the two thresholds are the same there is no room between them, and a value that dances on
the line does the same. The pair 5 % / 3 % is such room; a test for zero has it by nature (0 / above 0).""",
    fix="`fire: {above: X}` wants `clear: {below: Y}` with Y < X; `fire: {below: X}` wants `clear: {above: Y}` with Y > X.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 1500, for: 1m}   # <--
""",
    better="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
""",
    find=_find,
)
