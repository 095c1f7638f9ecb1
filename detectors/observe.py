"""From values to observations: BREACH, OK or UNKNOWN, for the fire and the clear condition, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from config.scope import Scope, covers, scope_of
from detectors.rule import Gate, Rule, Test
from detectors.samples import Floats
from detectors.values import DARK, Bools, Codes, Quality, Values

BREACH = 1
OK = 0
UNKNOWN = -1

_DARK = np.array(sorted(DARK), dtype=np.int8)


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
    dark = np.isin(values.quality, _DARK)
    excused = np.zeros(fire.shape, dtype=bool)
    if rule.expected is not None:
        usual = _usual(expected, fire.shape)
        fire = np.where((fire == BREACH) & np.isnan(usual), np.int8(UNKNOWN), fire).astype(np.int8)
        excused |= (fire == BREACH) & (usual < rule.expected.at_least)
    if rule.gate is not None:
        fire, idle = _gated(rule.gate, fire, values, gate)
        excused |= idle
    if off is None:
        off = np.zeros(fire.shape, dtype=bool)
    excused |= off
    return Observations(
        scopes=values.scopes,
        fire=np.where(excused, np.int8(OK), fire).astype(np.int8),
        clear=np.where(off, np.int8(OK), clear).astype(np.int8),
        dark=dark & ~off,
        excused=excused,
        anchor=anchor,
    )


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
    known = values.quality == Quality.OK
    at_least = rule.signal.kind in {"increase", "rate"}
    clear = _codes(rule.clear, values, known, at_least=at_least)
    clear = np.where(clear == UNKNOWN, np.int8(UNKNOWN), 1 - clear).astype(np.int8)
    if rule.zero_test:
        return _still(values), clear, values.last_change
    fire = _codes(rule.fire, values, known, at_least=at_least)
    fire = np.where((fire == BREACH) & ~values.fresh, np.int8(OK), fire).astype(np.int8)
    return fire, clear, np.full(fire.shape, np.nan)


def _codes(test: Test, values: Values, known: Bools, *, at_least: bool) -> Codes:
    """BREACH where the test holds. Where some targets are missing, growth is known to be at least `value`, and a
    value above the threshold is enough to know.
    """
    holds = test.holds(values.value)
    codes = np.where(holds, np.int8(BREACH), np.int8(OK))
    certain = known
    if at_least and test.op == "above":
        with np.errstate(invalid="ignore"):
            certain = known | (values.value > test.threshold)
    return np.where(certain & ~np.isnan(values.value), codes, np.int8(UNKNOWN)).astype(np.int8)


def _still(values: Values) -> Codes:
    """The zero test: BREACH as soon as one sample after the last growth shows none, whatever the window."""
    seen = np.isin(values.quality, (Quality.OK, Quality.WARMING)) & ~np.isnan(values.last_change)
    after = seen & (values.observed_at > values.last_change)
    code = np.where(after & ~values.moving, np.int8(BREACH), np.int8(UNKNOWN))
    return np.where(values.moving, np.int8(OK), code).astype(np.int8)


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
        place = {scope: index for index, scope in enumerate(gated.scopes)}
        for column, scope in enumerate(values.scopes):
            found = place.get(scope)
            if found is None:
                found = next((index for other, index in place.items() if covers(other, scope)), None)
            if found is not None:
                level[:, column], quality[:, column] = gated.value[:, found], gated.quality[:, found]
    with np.errstate(invalid="ignore"):
        high = level > gate.above
    sure = (quality == Quality.OK) & ~np.isnan(level)
    counts = gate.signal.kind in {"increase", "rate"}
    idle = (fire == BREACH) & ~high & (sure | (quality == Quality.NO_TRAFFIC))
    open_ = high & (sure | counts)
    return np.where(~open_ & ~idle & (fire == BREACH), np.int8(UNKNOWN), fire).astype(np.int8), idle
