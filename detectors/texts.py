"""Conditions as a person reads them."""

from __future__ import annotations

from config.units import format_duration, format_share
from detectors.rule import Rule, Signal, Test

_OPS = {"above": ">", "below": "<", "equals": "="}
_NEGATED = {"above": "≤", "below": "≥", "equals": "≠"}
_SHARES = frozenset({"ratio", "share_over"})
_UNITS = {
    "rate": "/s",
    "quantile": " s",
    "age": " s",
    "growth": "/s",
    "burn_rate": "x",
    "peers": " deviations",
}


def threshold_text(rule: Rule) -> str:
    """The fire condition: `> 1% of storage_writes for 5m`, `= 0 for 10m`, `> 5% over 500ms in 8 of 10 slots of 30s`,
    `> 1x the burn that an objective of 99.9% allows`, `> 5 deviations below its peers`, `> 2/s growth in 10m`.
    """
    if rule.baseline is None:
        return condition_text(rule.signal, rule.fire)
    text = f"{_OPS[rule.fire.op]} {rule.fire.threshold:.4g} deviations {rule.baseline.direction} the usual"
    return _lasting(text, rule.fire)


def flapping_text(rule: Rule) -> str:
    """`fired 4 times within 42m; it ends after 42m of health`."""
    flap = rule.flap
    within, calm = format_duration(flap.within), format_duration(max(flap.calm, rule.clear.hold))
    return f"fired {flap.firings} times within {within}; it ends after {calm} of health"


def condition_text(signal: Signal, test: Test) -> str:
    """A condition on a signal."""
    op = (_NEGATED if test.negated else _OPS)[test.op]
    text = f"{op} {value_text(signal, test.threshold)}"
    if signal.kind == "ratio":
        text += f" of {' + '.join(_short(name) for name in signal.to)}"
    if signal.kind == "share_over":
        text += f" over {format_duration(signal.bound)}"
    if signal.kind == "burn_rate":
        text += f" the burn that an objective of {format_share(1 - signal.budget)} allows"
    if signal.peering is not None:
        text += f" {signal.peering.direction} its peers"
    if signal.kind == "growth":
        text += f" growth in {format_duration(signal.window)}"
    return _lasting(text, test)


def _lasting(text: str, test: Test) -> str:
    if test.of_last is not None:
        slot = format_duration(test.hold / test.of_last.slots)
        return f"{text} in {test.of_last} slots of {slot}"
    return f"{text} for {format_duration(test.hold)}" if test.hold > 0 else text


def value_text(signal: Signal, value: float) -> str:
    """A value in the signal's unit, in three digits: `3.1%`, `0`, `12.5/s`."""
    if signal.kind in _SHARES:
        return format_share(float(f"{value:.3g}"))
    return f"{value:.4g}{_UNITS.get(signal.kind, '')}" if value else "0"


def _short(name: str) -> str:
    """A metric's name without what every one of ours begins and every counter ends with."""
    return name.removeprefix("telemetry_").removesuffix("_total")
