"""Clean samples made from a rule itself: its signal goes well, fails too briefly, fails, is half well, goes well again.

Scope `a` fails, scope `b` never does where the rule's conditions leave room for two. No gaps, no resets, and whole
numbers, so that whoever computes from them computes the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate

import numpy as np

from config.scope import Scope, scope_of
from detectors.promql import wanted
from detectors.rule import Rule, Signal
from detectors.samples import Floats, Series

STEADY = 1000.0
"""Events in a scrape where there is traffic enough for any minimum."""


class Level(StrEnum):
    """How the signal of the failing scope is. HALF: neither the fire nor the clear condition holds."""

    WELL = "well"
    HALF = "half"
    ILL = "ill"
    TOTAL = "total"
    """Ill, and nothing of it is well."""


Course = Sequence[Level]
Growth = Callable[[Level], float]


def course(rule: Rule, step: float, traffic: float = STEADY) -> list[Level]:
    """One level a scrape. Between its parts there is time for holds and for the window that `traffic` needs.

    It lingers between the thresholds where the rule has such a place and traffic is enough to tell such a share.
    """
    hold, clear, window = rule.fire.hold, rule.clear.hold, _window(rule.signal, step, traffic)
    per = rule.expected.per if rule.expected else 0.0
    lingers = traffic == STEADY and not rule.zero_test and rule.signal.kind != "gauge"
    parts = [
        (Level.WELL, 2 * window + per + hold),
        (Level.ILL, hold / 3),
        (Level.WELL, hold + window),
        (Level.ILL, hold + window + 8 * step),
        (Level.HALF, 2 * clear if lingers else 0.0),
        (Level.WELL, clear + window + 8 * step),
    ]
    return [level for level, length in parts for _ in range(math.ceil(length / step))]


def _window(signal: Signal, step: float, traffic: float) -> float:
    """The narrowest that holds events enough, in seconds."""
    window = signal.window
    while traffic * window / step < signal.events and window < signal.widen_to:
        window = min(2 * window, signal.widen_to)
    return window


def slow_traffic(rule: Rule, step: float) -> float:
    """Events in a scrape so that a third of the minimum comes within the window."""
    return max(1.0, math.floor(rule.signal.events * step / rule.signal.window / 3))


def episode(rule: Rule, levels: Course, traffic: float = STEADY) -> dict[Series, list[float]]:
    """Every series that the rule reads. Raises `KeyError` for a kind of signal that no samples are made for."""
    found: dict[Series, list[float]] = {}
    healthy = [Level.WELL] * len(levels)
    for index, scope in enumerate(_scopes(rule)):
        for series, growth in _KINDS[rule.signal.kind](rule, dict(scope), traffic).items():
            mine = healthy if index else levels
            found[series] = _shown(growth, mine) if rule.signal.kind == "gauge" else _counted(growth, mine)
    if rule.gate is not None:
        known = {series.name for series in found}
        for name in (one.name for one in wanted(rule.gate.signal) if one.name not in known):
            found[_series(name, _shared(rule))] = _counted(lambda _: traffic, healthy)
    return found


def _shared(rule: Rule) -> dict[str, str]:
    """Labels of the gate: who fails and who is well stand behind the same one."""
    return dict.fromkeys(rule.gate.signal.by if rule.gate else (), "a")


def _scopes(rule: Rule) -> list[Scope]:
    """One scope, or two where no condition pins every label."""
    signal = rule.signal
    pinned = _shared(rule) | {matcher.label: matcher.values[0] for matcher in signal.where}
    free = [label for label in signal.by if label not in pinned]
    names = ("a", "b") if free else ("a",)
    return [scope_of({**pinned, **dict.fromkeys(free, name)}) for name in names]


def _counted(growth: Growth, levels: Course) -> list[float]:
    """A counter from 0; the first scrape shows no growth yet."""
    return list(accumulate((growth(level) for level in levels[1:]), initial=0.0))


def _shown(value: Growth, levels: Course) -> list[float]:
    return [value(level) for level in levels]


def _gauge(rule: Rule, labels: Mapping[str, str], traffic: float) -> dict[Series, Growth]:
    """A test for nothing: ill is none."""
    del traffic
    assert rule.fire.op == "equals", f"{rule.name}: only a test for 0 has its samples made"
    return {
        _series(name, labels): lambda level: 0.0 if level in {Level.ILL, Level.TOTAL} else 1.0
        for name in rule.signal.of
    }


def _ratio(rule: Rule, labels: Mapping[str, str], traffic: float) -> dict[Series, Growth]:
    signal = rule.signal
    bad, *_ = signal.of
    good = next(name for name in signal.to if name != bad)
    among = float(bad in signal.to)
    return {
        _series(bad, labels): lambda level: _failures(rule, traffic, level),
        _series(good, labels): lambda level: traffic - among * _failures(rule, traffic, level),
    }


def _share_over(rule: Rule, labels: Mapping[str, str], traffic: float) -> dict[Series, Growth]:
    name, *_ = rule.signal.of
    return {
        _series(name, labels, le=f"{rule.signal.bound:g}"): lambda level: traffic - _failures(rule, traffic, level),
        _series(name, labels, le="+Inf"): lambda _: traffic,
    }  # fmt: skip


def _quantile(rule: Rule, labels: Mapping[str, str], traffic: float) -> dict[Series, Growth]:
    """All events lie in one bucket: one below the clear threshold, one between both thresholds, one above."""
    name, *_ = rule.signal.of
    fire, clear = rule.fire.threshold, rule.clear.threshold
    edges = {Level.WELL: clear / 4, Level.HALF: (fire + clear) / 2, Level.ILL: fire * 4}
    reached = list(edges)

    def up_to(most: Level) -> Growth:
        within = reached[: reached.index(most) + 1]
        return lambda level: traffic if (Level.ILL if level is Level.TOTAL else level) in within else 0.0

    found = {_series(name, labels, le=f"{edge:g}"): up_to(most) for most, edge in edges.items()}
    return {**found, _series(name, labels, le="+Inf"): lambda _: traffic}


def _increase(rule: Rule, labels: Mapping[str, str], traffic: float) -> dict[Series, Growth]:
    """A test for no growth: ill is none."""
    assert rule.zero_test, f"{rule.name}: only a test for no growth has its samples made"
    return {
        _series(name, labels): lambda level: 0.0 if level in {Level.ILL, Level.TOTAL} else traffic
        for name in rule.signal.of
    }


_KINDS: dict[str, Callable[[Rule, Mapping[str, str], float], dict[Series, Growth]]] = {
    "ratio": _ratio,
    "share_over": _share_over,
    "quantile": _quantile,
    "increase": _increase,
    "gauge": _gauge,
}


def _failures(rule: Rule, traffic: float, level: Level) -> float:
    """Of `traffic` events: none, a share between the thresholds, or one half-way from the threshold to all."""
    fire, clear = rule.fire.threshold, rule.clear.threshold
    shares = {Level.WELL: 0.0, Level.HALF: (fire + clear) / 2, Level.ILL: (fire + 1) / 2, Level.TOTAL: 1.0}
    share = shares[level]
    return float(math.ceil(share * traffic)) if traffic < STEADY else float(round(share * traffic))


def _series(name: str, labels: Mapping[str, str], **more: str) -> Series:
    return Series(name, tuple(sorted({**labels, **more}.items())))


def failure(rule: Rule, times: Floats, fails: float) -> dict[Series, Floats]:
    """Every series that the rule reads, at `times[T]`: well until `fails` (unix seconds), and all ill from then on.

    Counters grow evenly in between, so that the failure may begin between two scrapes. Raises `KeyError` for a kind of
    signal that no samples are made for.
    """
    begun = times - times[0]
    ill = np.maximum(times - fails, 0.0)
    step = float(times[1] - times[0])
    found: dict[Series, Floats] = {}
    for index, scope in enumerate(_scopes(rule)):
        for series, growth in _KINDS[rule.signal.kind](rule, dict(scope), STEADY).items():
            bad = 0.0 if index else ill
            if rule.signal.kind == "gauge":
                found[series] = np.where(bad > 0, growth(Level.TOTAL), growth(Level.WELL)) + np.zeros(
                    len(times)
                )
                continue
            found[series] = ((begun - bad) * growth(Level.WELL) + bad * growth(Level.TOTAL)) / step
    if rule.gate is not None:
        known = {series.name for series in found}
        for name in (one.name for one in wanted(rule.gate.signal) if one.name not in known):
            found[_series(name, _shared(rule))] = begun * STEADY / step
    return found
