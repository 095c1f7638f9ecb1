"""A window so long beside its hold that a blip looks like an outage."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from config.units import format_duration
from daemon.settings.lint.check import Check, Found, View

_OTHERWISE = frozenset({"growth", "burn_rate"})
"""A burst that is over turns a fitted line back down, and a pair of burn windows is its own hold."""


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        window, hold = one.window, one.rule.fire.hold
        if one.rule.signal.kind in _OTHERWISE or one.rule.fire.op == "equals":
            continue
        if not window or not hold or window <= hold / 5:
            continue
        text = f"window {format_duration(window)} is longer than a fifth of for {format_duration(hold)}"
        hint = f"a short blip can fire it: a window of {format_duration(hold / 5)}, or a longer for"
        yield Found(one.at_window, text, hint)


CHECK = Check(
    code="window-over-hold",
    title="`window` is longer than a fifth of `for`",
    gravity=Gravity.WARNING,
    why="""After a blip heals, a windowed ratio stays above its threshold for window x (1 - threshold / failed share).
A total failure of length b therefore looks like one of b + window x (1 - 2 x threshold), and fires once that reaches
`for`. With window 5m, `for` 5m and a threshold of 5 %, an outage of 30 seconds fires, four minutes after it healed.
So window <= for / 5. Tests for zero are exempt: their `for` counts from the last growth, on one clock. So are `growth`,
whose line turns back when a burst is over, and `burn_rate`, whose short window ends what the long one began.""",
    fix="Shorten the window to a fifth of `for`; if that leaves too few events, use `minimum: {widen_to: …}`.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 5m}}   # <--
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
    minimum: {events: 50, widen_to: 15m}
""",
    find=_find,
)
