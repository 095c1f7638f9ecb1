"""A detector as a Prometheus alert that means the same on clean data: `for`, two thresholds, gates and widening windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from config.units import format_duration
from detectors.promql import promql, pushdown
from detectors.rule import Matcher, Rule, Signal, Test
from detectors.samples import Series
from tests.fakes.promtool import Alert

_HOLDS = {"above": ">", "below": "<", "equals": "=="}
_FAILS = {"above": "<=", "below": ">=", "equals": "!="}


_VALUE = "value_of_the_signal"
"""Recorded first: both conditions look at it."""


def alert_of(name: str, rule: Rule, series: Mapping[Series, Sequence[float]], step: float) -> Alert:
    """The rule as an alert over these samples. `step`: seconds between scrapes, and between evaluations.

    Fires by the fire condition; once it does, it ends by the clear condition alone.
    """
    signal = rule.signal
    fire = f"({_one_clock(signal, step) if rule.zero_test else _VALUE}) {_compared(rule.fire)}"
    if signal.kind in {"ratio", "share_over"}:
        # What only a wide window still shows is over.
        fire = _where(fire, signal, f"{_failures(signal)} > 0")
    if rule.gate is not None:
        fire = _where(fire, rule.gate.signal, f"({promql(rule.gate.signal)}) > {rule.gate.above!r}")
    if rule.expected is not None:
        per, before = format_duration(rule.expected.per), format_duration(rule.fire.hold)
        usual = promql(replace(signal, window=rule.expected.per))
        usual = usual.replace(f"[{per}]", f"[{per}] offset {before}")
        fire = _where(fire, signal, f"({usual}) >= {rule.expected.at_least!r}")
    firing = f'ALERTS{{alertname="{name}",alertstate="firing"}}'
    expr = f"({fire}) or ({_where(f'{_VALUE} {_not(rule.clear)}', signal, firing)})"
    records = {_VALUE: pushdown(signal)}
    return Alert(name, expr, rule.fire.hold, rule.clear.hold, _written(series), step, records)


def plain_alert(name: str, rule: Rule, series: Mapping[Series, Sequence[float]], step: float) -> Alert:
    """The rule as one writes it at first: signal, comparison, `for`."""
    expr = f"({promql(rule.signal)}) {_compared(rule.fire)}"
    return Alert(name, expr, rule.fire.hold, rule.clear.hold, _written(series), step)


def _one_clock(signal: Signal, step: float) -> str:
    """A window that holds two samples: `for` is the only clock."""
    return promql(replace(signal, window=1.5 * step))


def _events(signal: Signal) -> str:
    return promql(_grown(signal, signal.to) if signal.to else _grown(signal, signal.of, "+Inf"))


def _failures(signal: Signal) -> str:
    if signal.to:
        return f"({promql(_grown(signal, signal.of))})"
    return f"({_events(signal)} - {promql(_grown(signal, signal.of, f'{signal.bound:g}'))})"


def _grown(signal: Signal, of: tuple[str, ...], le: str = "") -> Signal:
    where = (*signal.where, Matcher("le", (le,))) if le else signal.where
    return replace(signal, kind="increase", of=of, to=(), where=where)


def _where(query: str, by: Signal, condition: str) -> str:
    return f"{query} and on ({', '.join(by.by)}) ({condition})"


def _compared(test: Test) -> str:
    return f"{(_FAILS if test.negated else _HOLDS)[test.op]} {test.threshold!r}"


def _not(test: Test) -> str:
    return f"{(_HOLDS if test.negated else _FAILS)[test.op]} {test.threshold!r}"


def _written(series: Mapping[Series, Sequence[float]]) -> dict[str, Sequence[float]]:
    return {_name(one): values for one, values in series.items()}


def _name(series: Series) -> str:
    labels = ",".join(f'{label}="{value}"' for label, value in series.labels)
    return f"{series.name}{{{labels}}}"
