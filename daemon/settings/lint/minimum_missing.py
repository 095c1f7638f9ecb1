"""A share of too few events."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View

SHARES = frozenset({"ratio", "share_over", "quantile"})


def _missing(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal = one.rule.signal
        if signal.kind in SHARES and one.spec.minimum is None:
            text = f"a {signal.kind} without minimum: one event decides where there is one"
            yield Found((*one.path, "signal"), text, "add minimum: {events: 50, widen_to: 30m}")


def _one_enough(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal, fire = one.rule.signal, one.rule.fire
        if signal.kind not in {"ratio", "share_over"} or fire.op != "above" or not signal.events:
            continue
        if 0 < fire.threshold < 1 and signal.events * fire.threshold < 1 - 1e-9:
            share = 100 / signal.events
            text = f"one failure among {signal.events:g} events is {share:.3g}%, over the threshold of {fire.threshold:.3%}"
            hint = f"ask for at least {2 / fire.threshold:.0f} events: two failures"
            yield Found((*one.path, "minimum", "events"), text, hint)


MISSING = Check(
    code="minimum-missing",
    title="A ratio, share or quantile without `minimum`",
    gravity=Gravity.WARNING,
    why="""One failure of one attempt is 100 %. A quiet hour, a suspended customer or the first request after a
deployment is then an outage. A bound on confidence does not save it either: the lower end of the 95 % interval (Wilson)
of 1/1 is 0.21, still above 5 %. So: judge from `minimum.events` on, and let `widen_to` lengthen the window where there
are fewer, so that a slow total failure is still seen.""",
    fix="Add `minimum: {events: N, widen_to: T}` with N x threshold >= 2.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}   # <--
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 5%, for: 5m}
    clear: {below: 3%, for: 5m}
    minimum: {events: 50, widen_to: 15m}
""",
    find=_missing,
)

ONE_ENOUGH = Check(
    code="minimum-one-failure",
    title="One failure among the minimum is already over the threshold",
    gravity=Gravity.WARNING,
    why="""With `minimum.events` N and a threshold t, a single failure is 1/N of the events. Where N x t < 1 that is
more than the threshold, so at the least traffic that is judged one failure is enough, and the gate guards nothing. 1 %
of 200 events is two failures; 1 % of 50 is half of one.""",
    fix="Raise `minimum.events` to 2 / threshold, or raise the threshold.",
    example="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 1%, for: 5m}
    clear: {below: 0.5%, for: 5m}
    minimum: {events: 50, widen_to: 15m}   # <--
""",
    better="""detectors:
  writes:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: write_errors_total, to: writes_total, window: 1m}}
    fire: {above: 1%, for: 5m}
    clear: {below: 0.5%, for: 5m}
    minimum: {events: 200, widen_to: 30m}
""",
    find=_one_enough,
)
