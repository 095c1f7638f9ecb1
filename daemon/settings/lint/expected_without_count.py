"""`expected` where nothing is counted."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View

_COUNTING = frozenset({"rate", "increase", "ratio", "share_over", "quantile"})
_INSTEAD = {"burn_rate": "use minimum: {events: 50}", "peers": "raise min_absolute"}


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        kind = one.rule.signal.kind
        if one.spec.expected is not None and kind not in _COUNTING:
            text = f"expected on a {kind}, which counts no events: no finding would ever be let through"
            hint = _INSTEAD.get(kind, "leave it out")
            yield Found((*one.path, "expected"), text, hint)


CHECK = Check(
    code="expected-without-count",
    title="`expected` on a signal that counts nothing",
    gravity=Gravity.ERROR,
    why="""`expected: {at_least, per}` lets no finding through where fewer events than that are usual at this hour of
the week. A gauge, an age, a probe or a query counts no events, so none are ever usual and the detector never fires. Nor is
it asked of a burn rate, which has `minimum` for that, or of peers, which have `min_absolute`. It cannot work, so the
configuration is refused.""",
    fix="Leave `expected` out, or watch the growth of a counter.",
    example="""detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    expected: {at_least: 10, per: 5m}   # <--
""",
    better="""detectors:
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: packets_total, window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
    expected: {at_least: 10, per: 5m}
""",
    find=_find,
)
