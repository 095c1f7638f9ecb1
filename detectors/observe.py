"""From values to observations: BREACH, OK or UNKNOWN, for the fire and the clear condition, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope, scope_of
from detectors.rule import Gate, Rule, Test
from detectors.samples import Floats
from detectors.values import FIRST_DARK, Bools, Codes, Quality, Values, slim, whole, wide

AT_LEAST = frozenset({"increase", "rate", "burn_rate"})
"""Kinds whose value is the least it can be where not all is known: growth of some targets, burn of some windows."""
BREACH = 1
OK = 0
UNKNOWN = -1

_BREACH, _OK, _UNKNOWN = np.int8(BREACH), np.int8(OK), np.int8(UNKNOWN)
# An enum's members are slow to compare with arrays, their numbers are not.
_GOOD, _WARMING, _QUIET = np.int8(Quality.OK), np.int8(Quality.WARMING), np.int8(Quality.NO_TRAFFIC)


@dataclass(frozen=True, slots=True)
class Observations:
    """All arrays `[T, S]`, columns as in `scopes`.

    `fire`: BREACH where the fire condition holds. `clear`: OK where the clear condition holds, BREACH where it
    does not. `dark`: unknown because telemetry is missing, not because there is nothing to judge. `excused`: OK
    only because nothing is expected there (suspended, little traffic normal, the gate signal is low): a hold may
    not reach back across it. `anchor`: for a zero test the last growth, from which its hold counts; else NaN.
    """

    scopes: tuple[Scope, ...]
    fire: Codes
    clear: Codes
    dark: Bools
    excused: Bools
    anchor: Floats

    def rows(self, part: slice) -> Observations:
        """The same for some of the ticks."""
        return Observations(
            self.scopes,
            self.fire[part],
            self.clear[part],
            self.dark[part],
            self.excused[part],
            self.anchor[part],
        )


def observe(
    rule: Rule,
    values: Values,
    *,
    expected: Floats | None = None,
    gate: Values | None = None,
    off: Bools | None = None,
) -> Observations:
    """Observe a rule's values.

    `expected[T, S]`: events normal per `rule.expected.per`, NaN where history is too short; there the fleet's median
    at that tick counts, and without one a breach is UNKNOWN. `gate`: values of `rule.gate`; a scope takes the gate's
    value at the same scope, or at the one that covers it. `off`: `[T, S]` or `[S]`, where a scope is switched off on
    purpose (`switched_off`).
    """
    fire, clear, anchor = _compared(rule, values)
    shape = fire.shape
    dark: Bools = wide(slim(values.quality) >= FIRST_DARK, shape)
    excused: Bools = np.zeros((1, 1), dtype=bool)
    if rule.expected is not None:
        usual = _usual(expected, shape)
        fire = np.where((fire == BREACH) & np.isnan(usual), _UNKNOWN, fire)
        excused = (fire == BREACH) & (usual < rule.expected.at_least)
    if rule.gate is not None:
        fire, idle = _gated(rule.gate, fire, values, gate)
        excused = excused | idle
    if off is not None and slim(off).any():
        excused = excused | off
        clear = np.where(off, _OK, clear)
        dark = dark & ~off
    if excused.any():
        fire = np.where(excused, _OK, fire)
    return Observations(values.scopes, fire, clear, dark, wide(excused, shape), anchor)


@lru_cache(maxsize=64)
def switched_off(scopes: tuple[Scope, ...], suspended: frozenset[Scope]) -> Bools:
    """`[S]`: whether a suspended scope covers it; by label names, so that thousands of either cost little."""
    kinds = {tuple(name for name, _ in scope) for scope in suspended}
    off = []
    for scope in scopes:
        labels = dict(scope)
        of_kinds = (scope_of((name, labels[name]) for name in kind if name in labels) for kind in kinds)
        off.append(any(part in suspended for part in of_kinds))
    return np.array(off, dtype=bool)


def _compared(rule: Rule, values: Values) -> tuple[Codes, Codes, Floats]:
    known = slim(values.quality) == _GOOD
    if not whole(values.value):
        known = known & ~np.isnan(values.value)
    at_least = rule.signal.kind in AT_LEAST
    clear = _codes(rule.clear, values, known, at_least=at_least)
    clear = np.where(clear == UNKNOWN, _UNKNOWN, _BREACH - clear)
    if rule.zero_test:
        return _still(values), clear, values.last_change
    fire = _codes(rule.fire, values, known, at_least=at_least)
    fresh = slim(values.fresh)
    if not fresh.all():
        fire = np.where((fire == BREACH) & ~fresh, _OK, fire)
    return fire, clear, wide(np.full((1, 1), np.nan), fire.shape)


def _codes(test: Test, values: Values, known: Bools, *, at_least: bool) -> Codes:
    """BREACH where the test holds. Where some targets are missing, growth is known to be at least `value`, and a
    value above the threshold is enough to know.
    """
    holds: Codes = test.holds(values.value).view(np.int8)
    if known.all():
        return holds
    if at_least and test.op == "above":
        with np.errstate(invalid="ignore"):
            known = known | (values.value > test.threshold)
    return np.where(known, holds, _UNKNOWN)


def _still(values: Values) -> Codes:
    """The zero test: BREACH as soon as one sample after the last growth shows none, whatever the window."""
    quality = values.quality
    seen = ((quality == _GOOD) | (quality == _WARMING)) & ~np.isnan(values.last_change)
    after = seen & (values.observed_at > values.last_change)
    return np.where(values.moving, _OK, np.where(after, _BREACH, _UNKNOWN))


def _usual(expected: Floats | None, shape: tuple[int, ...]) -> Floats:
    if expected is None or expected.size == 0:
        return np.full(shape, np.nan)
    usual = np.broadcast_to(expected, shape)
    unknown = np.isnan(usual)
    if not unknown.any():
        return usual
    some = ~unknown.all(axis=1)
    median = np.full(shape[0], np.nan)
    median[some] = np.nanmedian(usual[some], axis=1)
    return np.where(unknown, median[:, None], usual)


def _gated(gate: Gate, fire: Codes, values: Values, gated: Values | None) -> tuple[Codes, Bools]:
    """(fire, idle): UNKNOWN where the gate's signal is, idle where it is known to be low."""
    shape = fire.shape
    level, quality = np.full(shape, np.nan), np.full(shape, np.int8(Quality.ABSENT))
    if gated is not None:
        column = _gate_of(values.scopes, gated.scopes)
        has = column >= 0
        level[:, has], quality[:, has] = gated.value[:, column[has]], gated.quality[:, column[has]]
    with np.errstate(invalid="ignore"):
        high = level > gate.above
    sure = (quality == _GOOD) & ~np.isnan(level)
    counts = gate.signal.kind in AT_LEAST
    idle = (fire == BREACH) & ~high & (sure | (quality == _QUIET))
    open_ = high & (sure | counts)
    return np.where(~open_ & ~idle & (fire == BREACH), _UNKNOWN, fire), idle


@lru_cache(maxsize=64)
def _gate_of(scopes: tuple[Scope, ...], gates: tuple[Scope, ...]) -> NDArray[np.intp]:
    """`[S]`: column of the gate at the same scope, else of the first that covers it, else -1."""
    place = {scope: index for index, scope in reversed([*enumerate(gates)])}
    kinds = {tuple(name for name, _ in scope) for scope in gates}
    columns = []
    for scope in scopes:
        labels = dict(scope)
        wider = (scope_of((name, labels[name]) for name in kind if name in labels) for kind in kinds)
        found = place.get(scope, min((place[one] for one in wider if one in place), default=-1))
        columns.append(found)
    return np.array(columns, dtype=np.intp)
