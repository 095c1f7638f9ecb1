"""Rules over samples by hand: the arithmetic alone, without the rings, members and lessons that `daemon.detect` adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from config.scope import Scope
from detectors.machine import advance
from detectors.observe import Observations, observe, switched_off
from detectors.rings import Rings
from detectors.rule import Rule
from detectors.samples import Floats
from detectors.signals import measure
from detectors.state import State, Transition, fresh_state
from detectors.values import Values

_CELLS = 4_000_000
"""Ticks times series measured at once: bounds memory at about 100 MB."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule has to know beside its samples. `listed`: scopes of the inventory, by rule name; `usual`: events
    per `expected.per`, by rule name and scope; `suspended`: scopes switched off on purpose.
    """

    listed: Mapping[str, tuple[Scope, ...]]
    usual: Mapping[str, Mapping[Scope, float]]
    suspended: frozenset[Scope] = frozenset()


NOTHING_KNOWN = Surroundings({}, {})


def evaluate(
    rule: Rule, rings: Mapping[str, Rings], ticks: Floats, around: Surroundings = NOTHING_KNOWN
) -> tuple[Values, Observations]:
    """Measure and observe one rule at `ticks[T]`; live calls it with one tick."""
    source = rings[rule.source]
    values = measure(rule.signal, source, ticks, expected=around.listed.get(rule.name, ()))
    usual = None
    if rule.expected is not None:
        learnt = around.usual.get(rule.name, {})
        usual = np.tile([learnt.get(scope, np.nan) for scope in values.scopes], (len(ticks), 1))
    gate = measure(rule.gate.signal, source, ticks) if rule.gate else None
    off = switched_off(values.scopes, around.suspended)
    return values, observe(rule, values, expected=usual, gate=gate, off=off)


def cycle(
    rule: Rule, state: State, rings: Mapping[str, Rings], ticks: Floats, around: Surroundings = NOTHING_KNOWN
) -> tuple[State, tuple[Transition, ...]]:
    """One rule, from samples to transitions."""
    values, observations = evaluate(rule, rings, ticks, around)
    state, moves = advance(rule, state, observations, values, ticks)
    return state, tuple(moves)


def replay(
    rules: Sequence[Rule],
    rings: Mapping[str, Rings],
    ticks: Floats,
    around: Surroundings = NOTHING_KNOWN,
    *,
    block: int | None = None,
) -> list[Transition]:
    """All transitions of `rules` at `ticks[T]`, in order of time, then of rules. `block`: ticks at once."""
    step = float(np.median(np.diff(ticks))) if len(ticks) > 1 else 0.0
    found: list[tuple[float, int, int, Transition]] = []
    for order, rule in enumerate(rules):
        paced = replace(rule, step=max(rule.step, step))
        state = fresh_state(paced)
        size = block or max(1, _CELLS // max(rings[rule.source].series_count, 1))
        for start in range(0, len(ticks), size):
            state, transitions = cycle(paced, state, rings, ticks[start : start + size], around)
            found += [(one.at, order, len(found) + place, one) for place, one in enumerate(transitions)]
    return [transition for *_, transition in sorted(found, key=lambda entry: entry[:3])]
