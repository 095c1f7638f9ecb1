"""A share of too few events."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View

SHARES = frozenset({"ratio", "share_over", "quantile", "burn_rate"})


def _missing(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal = one.rule.signal.measured
        if signal.kind in SHARES and one.spec.minimum is None:
            text = f"a {signal.kind} without minimum: one event decides where there is one"
            wider = "" if signal.burns else ", widen_to: 30m"
            yield Found((*one.path, "signal"), text, f"add minimum: {{events: 50{wider}}}")


def _one_enough(view: View) -> Iterator[Found]:
    for one in view.detectors:
        signal, fire = one.rule.signal, one.rule.fire
        if one.rule.baseline is not None:
            continue
        if signal.kind not in {"ratio", "share_over", "burn_rate"} or fire.op != "above" or not signal.events:
            continue
        paces = [burn.pace for burn in signal.burns]
        threshold = fire.threshold * min(paces) * signal.budget if paces else fire.threshold
        if 0 < threshold < 1 and signal.events * threshold < 1 - 1e-9:
            share = 100 / signal.events
            text = f"one failure among {signal.events:g} events is {share:.3g}%, over the threshold of {threshold:.3%}"
            hint = f"ask for at least {2 / threshold:.0f} events: two failures"
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
of 200 events is two failures; 1 % of 50 is half of one. The threshold of a burn rate is its smallest burn times the
budget: 6 x 0.1 % for an objective of 99.9 %; a quiet service has no more events in its long windows than in the short one,
so there too one failure is enough (pyrra#1925).""",
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
