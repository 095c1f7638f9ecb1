"""A detector that may fire only while its own signal says the opposite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from config.problems import Gravity
from daemon.settings.lint.check import Check, Found, View
from detectors.rule import Signal, Test


def _find(view: View) -> Iterator[Found]:
    for one in view.detectors:
        gate, fire = one.rule.gate, one.rule.fire
        if gate is None or one.rule.baseline is not None or _bare(gate.signal) != _bare(one.rule.signal):
            continue
        if _never_above(fire, gate.above):
            text = f"it may fire only while the same signal is above {gate.above:g}, where {fire.op} {fire.threshold:g} is false"
            yield Found(
                (*one.path, "while"), text, "gate by the stage before, or by the whole: leave by out of while"
            )


def _bare(signal: Signal) -> Signal:
    return replace(signal, events=0.0, widen_to=0.0)


def _never_above(fire: Test, bound: float) -> bool:
    return fire.op != "above" and fire.threshold <= bound


CHECK = Check(
    code="while-contradicts",
    title="`while` asks for the opposite of `fire`",
    gravity=Gravity.ERROR,
    why="""`while` lets a finding through only as long as another signal is above a bound: something comes in, nothing
goes out. Where that other signal is the same one at the same scopes, both conditions never hold together, and the
detector never fires. It cannot work, so the configuration is refused.""",
    fix="Gate by what comes in before the stage, or by the same metric without `by` (the others deliver).",
    example="""detectors:
  silent:
    failure_mode: provider_outage
    signal: {increase: {of: packets_total, by: [provider], window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
    while: {signal: {increase: {of: packets_total, by: [provider], window: 1m}}, above: 0}   # <--
""",
    better="""detectors:
  silent:
    failure_mode: provider_outage
    signal: {increase: {of: packets_total, by: [provider], window: 1m}}
    fire: {equals: 0, for: 5m}
    clear: {above: 0, for: 2m}
    while: {signal: {increase: {of: packets_total, window: 1m}}, above: 0}
""",
    find=_find,
)
