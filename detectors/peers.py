"""How far a scope lies from its peers, in robust standard deviations of their common median.

The scope itself is among those the median and the deviation are drawn from. One of at least three can move a median by
no more than one place, and in return all of a group are held to one and the same figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.robust import NORMAL, median
from detectors.rule import Peering
from detectors.samples import Floats
from detectors.values import Bools, Codes, Quality, Values

LEAST_TOLD = 10.0
"""Deviations that the smallest difference which counts comes to among peers that are all alike: their own deviation is
0, and a tenth of that difference stands for it, so that any such difference is far off and none is infinite.
"""
_OK, _TOO_FEW = np.int8(Quality.OK), np.int8(Quality.TOO_FEW)


def deviations(peering: Peering, values: Values) -> Values:
    """The values of a signal held against those of its peers.

    `value`: robust standard deviations beyond the median in the direction asked for, 0 where that is too little to
    count. TOO_FEW with fewer than `at_least` others whose value is known.
    """
    ok = (values.quality == _OK) & ~np.isnan(values.value)
    value, few = np.full(ok.shape, np.nan), np.zeros(ok.shape, dtype=bool)
    for group in _groups(peering, values.scopes):
        value[:, group], few[:, group] = _within(peering, values.value[:, group], ok[:, group])
    quality: Codes = np.where(ok & few, _TOO_FEW, values.quality)
    return replace(values, value=value, quality=quality)


def _groups(peering: Peering, scopes: Sequence[Scope]) -> list[NDArray[np.intp]]:
    """Columns that are peers of each other: all, or those that agree in what `across` does not name."""
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for column, scope in enumerate(scopes):
        common = tuple(pair for pair in scope if pair[0] not in peering.across) if peering.across else ()
        groups.setdefault(common, []).append(column)
    return [np.array(columns, dtype=np.intp) for columns in groups.values()]


def _within(peering: Peering, value: Floats, ok: Bools) -> tuple[Floats, Bools]:
    """(deviations, too few) of one group `[T, G]`."""
    count = ok.sum(axis=1, keepdims=True)
    known = np.where(ok, value, np.nan)
    middle = median(known.T)[:, None]
    off = known - middle
    spread = NORMAL * median(np.abs(off).T)[:, None]
    least = np.maximum(peering.min_absolute, peering.min_relative * np.abs(middle))
    beyond = off if peering.direction == "above" else -off
    told = np.where(beyond >= least, beyond / np.maximum(spread, least / LEAST_TOLD), 0.0)
    few: Bools = np.broadcast_to(count - 1 < peering.at_least, ok.shape)
    return np.where(ok & ~few, told, np.nan), few
