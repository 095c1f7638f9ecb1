"""Who should be there, and how much traffic is usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from config.scope import Scope, scope_of
from detectors.rings import Rings
from detectors.rule import Rule, Signal
from detectors.samples import Floats
from detectors.signals import measure
from detectors.spec import SeenWithin
from detectors.values import Quality

_MAX_LISTED = 10_000


def listed_scopes(signal: Signal, labels: Mapping[str, tuple[str, ...] | SeenWithin]) -> tuple[Scope, ...]:
    """Scopes that the inventory lists by name for a signal: all of its labels are lists, as far as `where` lets them.

    A signal over the whole pipeline is expected always. Labels that are `seen_within` list nobody by themselves.
    """
    if signal.kind in {"probe", "promql"}:
        return ()
    columns: list[list[str]] = []
    for label in signal.by:
        members = labels.get(label)
        conditions = [matcher for matcher in signal.where if matcher.label == label]
        if members is None or isinstance(members, SeenWithin):
            return ()
        columns.append([value for value in members if all(one.accepts(value) for one in conditions)])
    scopes = (scope_of(zip(signal.by, values, strict=True)) for values in product(*columns))
    return tuple(scope for scope, _ in zip(scopes, range(_MAX_LISTED), strict=False))


def usual_events(
    rule: Rule,
    rings: Rings,
    ticks: Floats,
    scopes: Sequence[Scope],
    history: Mapping[Scope, float] | None = None,
) -> Floats:
    """Events that are usual per `rule.expected.per` at each tick, `[T, S]`, for `observe`.

    `history`: per scope, from the same hour of earlier weeks. Where it is missing, the median of what the fleet's
    scopes deliver now counts; NaN where nobody is seen either, or there is no fleet: one scope cannot be its own
    measure.
    """
    if rule.expected is None:
        return np.full((len(ticks), len(scopes)), np.nan)
    known = np.array([(history or {}).get(scope, np.nan) for scope in scopes])
    usual = np.broadcast_to(known, (len(ticks), len(scopes))).copy()
    if not np.isnan(usual).any():
        return usual
    signal = replace(rule.signal, window=rule.expected.per, widen_to=rule.expected.per, events=0.0)
    now = measure(signal, rings, ticks)
    fleet = np.where(now.quality == Quality.OK, now.events, np.nan)
    median = np.full(len(ticks), np.nan)
    some = (~np.isnan(fleet)).sum(axis=1) > 1
    median[some] = np.nanmedian(fleet[some], axis=1)
    return np.where(np.isnan(usual), median[:, None], usual)
