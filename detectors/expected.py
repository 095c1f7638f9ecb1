"""Who should be there, and how much traffic is usual."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from config.scope import Scope, scope_of
from detectors.rule import Signal
from detectors.spec import SeenWithin

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
