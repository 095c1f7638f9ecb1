"""Which columns of which ring make up which scope of a signal: worked out once, kept until the series change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope, scope_of
from detectors.ring import Ring
from detectors.rings import Rings
from detectors.rule import Signal
from detectors.samples import Floats

_MAX_PLANS = 1024


Places = NDArray[np.intp] | slice
"""Where in an array; a slice where they follow on one another, which is much faster for the few of most signals."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a ring ordered by slot; `starts` are where each of the `slots` begins, as `reduceat` wants it.

    `count`: how many columns; `single`: each slot has just one.
    """

    index: Places
    starts: NDArray[np.intp]
    slots: Places
    count: int
    single: bool

    def __bool__(self) -> bool:
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Part:
    """What one ring contributes: `of` (numerator, or the only role) and `to` (denominator). Slots of `to` are scopes."""

    ring: Ring
    of: Columns
    to: Columns


@dataclass(frozen=True, slots=True)
class Plan:
    """`edges[S, E]`: bucket edges per scope for `quantile`, ascending, padded with inf; its `of` slots are `s * E + e`.

    `wanted[S]`: scopes that are expected whether seen or not.
    """

    scopes: tuple[Scope, ...]
    parts: tuple[Part, ...]
    edges: Floats
    wanted: NDArray[np.bool_]


def plan_of(signal: Signal, rings: Rings, expected: Sequence[Scope]) -> Plan:
    """The plan for the series the rings hold now; `expected` scopes are in it even without series."""
    key = (signal.kind, signal.of, signal.to, signal.by, signal.where, signal.bound, tuple(expected))
    fingerprint = rings.fingerprint
    kept = rings.plans.get(key)
    if kept is not None and kept[0] == fingerprint and isinstance(kept[1], Plan):
        return kept[1]
    plan = _planned(signal, rings, expected)
    if len(rings.plans) >= _MAX_PLANS:
        rings.plans.clear()
    rings.plans[key] = (fingerprint, plan)
    return plan


def _planned(signal: Signal, rings: Rings, expected: Sequence[Scope]) -> Plan:
    members = [(ring, *_members(signal, ring)) for ring in rings]
    of = [(scope, edge) for _, found, _ in members for _, scope, edge in found]
    to = [scope for _, _, found in members for _, scope, _ in found]
    scopes = tuple(sorted({*expected, *to, *(scope for scope, _ in of)}))
    place = {scope: index for index, scope in enumerate(scopes)}
    edges = _edges(signal, scopes, of)
    width = edges.shape[1]
    parts = []
    for ring, found, totals in members:
        if signal.kind == "quantile":
            slots = [
                (column, place[scope] * width + int(np.searchsorted(edges[place[scope]], edge)))
                for column, scope, edge in found
            ]
        else:
            slots = [(column, place[scope]) for column, scope, _ in found]
        part = Part(ring, _columns(slots), _columns([(column, place[scope]) for column, scope, _ in totals]))
        if part.of or part.to:
            parts.append(part)
    listed = set(expected)
    wanted = np.array([scope in listed for scope in scopes], dtype=bool)
    return Plan(scopes, tuple(parts), edges, wanted)


Found = list[tuple[int, Scope, float]]


def _members(signal: Signal, ring: Ring) -> tuple[Found, Found]:
    """(column, scope, bucket edge or 0) of the signal's `of` and `to` roles."""
    of: Found = []
    to: Found = []
    for name, column in _named(signal, ring):
        pairs = ring.series[column].labels
        is_of, is_to = name in signal.of, name in signal.to
        labels = dict(pairs)
        scope = _scope(signal, labels)
        if scope is None or not all(
            matcher.accepts(labels.get(matcher.label, "")) for matcher in signal.where
        ):
            continue
        edge = 0.0
        if signal.kind in {"share_over", "quantile"}:
            edge = _edge(labels.get("le", ""))
            is_to = math.isinf(edge)
            is_of = (
                math.isclose(edge, signal.bound, rel_tol=1e-9)
                if signal.kind == "share_over"
                else not math.isnan(edge)
            )
        if is_of:
            of.append((column, scope, edge))
        if is_to:
            to.append((column, scope, edge))
    return of, to


def _named(signal: Signal, ring: Ring) -> Iterator[tuple[str, int]]:
    for name in dict.fromkeys((*signal.of, *signal.to)):
        for column in ring.named.get(name, ()):
            yield name, column


def _scope(signal: Signal, labels: dict[str, str]) -> Scope | None:
    """None when the series lacks a label of `by`: it speaks of no scope of this signal."""
    if signal.kind in {"probe", "promql"}:
        return scope_of(labels)
    if not labels.keys() >= set(signal.by):
        return None
    return scope_of((label, labels[label]) for label in signal.by)


def _edge(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _edges(signal: Signal, scopes: tuple[Scope, ...], of: list[tuple[Scope, float]]) -> Floats:
    if signal.kind != "quantile":
        return np.empty((len(scopes), 0))
    own: dict[Scope, set[float]] = {}
    for scope, edge in of:
        own.setdefault(scope, set()).add(edge)
    width = max((len(edges) for edges in own.values()), default=0)
    edges = np.full((len(scopes), width), math.inf)
    for index, scope in enumerate(scopes):
        sorted_edges = sorted(own.get(scope, ()))
        edges[index, : len(sorted_edges)] = sorted_edges
    return edges


def _columns(slots: list[tuple[int, int]]) -> Columns:
    ordered = sorted(slots, key=lambda pair: (pair[1], pair[0]))
    index = np.array([column for column, _ in ordered], dtype=np.intp)
    unique, starts = np.unique(np.array([slot for _, slot in ordered], dtype=np.intp), return_index=True)
    return Columns(
        index=_places(index),
        starts=starts.astype(np.intp),
        slots=_places(unique),
        count=len(index),
        single=len(index) == len(unique),
    )


def _places(index: NDArray[np.intp]) -> Places:
    if len(index) and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index
