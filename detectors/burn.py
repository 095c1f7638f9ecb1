"""The burn rate of an error budget: several pairs of windows, of which the worst counts.

A pair burns when both of its windows do. The long one says that it matters, the short one that it still goes on, so
an alert ends soon after the failures do (Google's SRE workbook, "Alerting on SLOs", has the method and its figures).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from detectors.rule import Burn, Signal
from detectors.samples import Floats
from detectors.values import Codes, Quality, Values

_OK, _WARMING = np.int8(Quality.OK), np.int8(Quality.WARMING)


def burn_rate(signal: Signal, measure: Callable[[Signal], Values], *, fresh_only: bool) -> Values:
    """How fast the budget burns as a share of what the pairs of windows let it, `[T, S]`; above 1 is too fast.

    `measure`: asked for failures per attempt over one window. Where the history is too short for a pair that may burn, the
    others still give a value, which the whole is at least; its quality is then WARMING. A pair with too few attempts in
    its short window is left out while another one tells. Events are the attempts in the shortest window.

    `fresh_only`: only samples since some instant count, and no long window has any worth of them; so the shortest window
    is held to the slowest pace there is.
    """
    measure = cache(measure)
    shortest = measure(_over(signal, signal.window, signal.events))
    if fresh_only:
        slowest = min(burn.pace for burn in signal.burns)
        return replace(shortest, value=shortest.value / signal.budget / slowest)
    pairs = [_pair(signal, burn, measure) for burn in signal.burns]
    known = np.array([np.where(quality == _OK, value, -np.inf) for value, quality in pairs])
    best: Floats = known.max(axis=0)
    qualities = np.array([quality for _, quality in pairs])
    worst: Codes = qualities.max(axis=0)
    told = (qualities == _OK).any(axis=0) & (worst <= _WARMING)
    quality = np.where(told & (worst < _WARMING), _OK, worst)
    return replace(shortest, value=np.where(told, best, np.nan), quality=quality)


def _pair(signal: Signal, burn: Burn, measure: Callable[[Signal], Values]) -> tuple[Floats, Codes]:
    """(value, quality) of one pair: the slower of its two burns, the worse of their qualities.

    Before the long window is covered the short one alone may say that the pair does not burn: the pair's value is at most
    that.
    """
    short = measure(_over(signal, burn.short, signal.events))
    long = measure(_over(signal, burn.long, 0.0))
    most = short.value / signal.budget / burn.pace
    value = np.minimum(most, long.value / signal.budget / burn.pace)
    with np.errstate(invalid="ignore"):
        idle = (short.quality == _OK) & (long.quality == _WARMING) & (most <= 1)
    quality = np.where(idle, _OK, np.maximum(short.quality, long.quality))
    return np.where(idle, most, value), quality


def _over(signal: Signal, window: float, events: float) -> Signal:
    """Failures per attempt over a window. `events`: attempts needed to judge, 0 for any."""
    return replace(signal, kind="ratio", window=window, widen_to=window, events=events, burns=(), budget=0.0)
