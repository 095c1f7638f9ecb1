"""A gauge whose lowest series is hidden by the others."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        default = not view.written(one.in_signal("agg"))
        low = one.rule.fire.op == "below" and one.rule.baseline is None
        if one.rule.signal.kind == "gauge" and low and default:
            text = "below asks the highest series of a scope: agg is max where it is left out, and a low one hides"
            yield Found(
                (*one.path, "fire", "below"), text, "say which: agg: min for any, agg: max for all of them"
            )


CHECK = Check(
    code="agg-hides-low",
    title="`below` on a gauge without `agg`",
    gravity=Gravity.WARNING,
    why="""Several series of one scope are combined by `agg`, and `max` is the default: right for "too much", where the
worst series is the highest. For "too little" the worst is the lowest, and with `max` one full disk among ten empty ones
goes unseen.""",
    fix="Write `agg: min` (or `max`, `sum`, `avg`, where that is meant).",
    example="""detectors:
  disk-full:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: disk_free_ratio}}
    fire: {below: 10%, for: 5m}   # <--
    clear: {above: 20%, for: 5m}
""",
    better="""detectors:
  disk-full:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: disk_free_ratio, agg: min}}
    fire: {below: 10%, for: 5m}
    clear: {above: 20%, for: 5m}
""",
    find=_find,
)
