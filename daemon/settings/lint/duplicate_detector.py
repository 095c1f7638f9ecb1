"""Two detectors that say the same."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View


def _find(view: View) -> Iterator[Found]:
    first: dict[object, str] = {}
    for one in view.detectors:
        rule = one.rule
        key = (rule.mode, rule.source, rule.signal, rule.baseline, rule.fire, rule.gate)
        other = first.setdefault(key, one.name)
        if other != one.name:
            yield Found(
                one.path,
                f"fires at the same as detector {other}, for the same failure mode",
                "remove one of them",
            )


CHECK = Check(
    code="duplicate-detector",
    title="Two detectors with the same signal and condition",
    gravity=Gravity.WARNING,
    why="""They fire together, at the same scopes, and join the same incident. The second proves nothing, and whoever
changes one threshold believes that the other one is gone.""",
    fix="Remove one, or change what it looks at; to change a shipped detector, use its name.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
  queue-deeper:   # <--
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 800, for: 1m}
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
