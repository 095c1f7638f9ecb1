"""Did the fix do it? A rung's recoveries beside how often and how soon the same fault healed by itself. Pure arithmetic.

The interval of the difference of two shares is the hybrid score interval: R. G. Newcombe, Interval estimation for the
difference between independent proportions, Statistics in Medicine 17, 1998, method 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Annotated

from pydantic import Field

from config.proportion import bounds
from config.section import Section
from config.units import Duration


class Counterfactual(Section):
    """How rungs are held against faults that were left alone: the same failure mode, at scopes of the same labels."""

    window: Annotated[Duration, Field(gt=0)] = 400 * 86400.0
    """How far back incidents count."""
    minimum: Annotated[int, Field(ge=1, le=100_000)] = 5
    """Attempts, and faults left alone, below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt of the rung. `after`: seconds from detection to its beginning; `took`: from there to its verdict."""

    after: float
    took: float
    recovered: bool


@dataclass(frozen=True, slots=True)
class Alone:
    """A fault for as long as nothing was done about it: `lasted` seconds from detection, and then it healed, or not yet.

    Not healed: something was begun, or somebody closed it; what it would have done from there on is not known.
    """

    lasted: float
    healed: bool


class Judgement(StrEnum):
    EFFECTIVE = "effective"
    """It mends more often than the fault heals by itself in the same time, beyond what chance explains."""
    COINCIDENT = "coincident"
    """No better than leaving it alone, as far as is known."""
    TOO_LITTLE_KNOWN = "too_little_known"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`recovered` of `tried` with the rung, `healed` of `left` without any: within `within` seconds, from `after` seconds on.

    `gain`: 95 % bounds of the difference of the two shares, None while too little is known. `alone_s`: median seconds from
    detection in which a fault healed by itself, None when none did.
    """

    judgement: Judgement
    recovered: int
    tried: int
    healed: int
    left: int
    after: float
    within: float
    gain: tuple[float, float] | None
    alone_s: float | None


def compare(trials: Sequence[Trial], alone: Iterable[Alone], minimum: int) -> Comparison:
    """Hold a rung's attempts against the faults that were left alone.

    Only those count that had lasted as long as when the rung is begun in the median, and that were watched for as long as
    its slowest recovery took: both sides have the same chance.
    """
    faults = list(alone)
    after = median(trial.after for trial in trials) if trials else 0.0
    within = max((t.took for t in trials if t.recovered), default=max((t.took for t in trials), default=0.0))
    ill = [fault for fault in faults if fault.lasted > after]
    healed = sum(fault.healed and fault.lasted <= after + within for fault in ill)
    left = healed + sum(fault.lasted > after + within for fault in ill)
    recovered = sum(trial.recovered for trial in trials)
    own = [fault.lasted for fault in faults if fault.healed]
    gain: tuple[float, float] | None = None
    judgement = Judgement.TOO_LITTLE_KNOWN
    if min(len(trials), left) >= max(minimum, 1):
        gain = difference((recovered, len(trials)), (healed, left))
        judgement = Judgement.EFFECTIVE if gain[0] > 0 else Judgement.COINCIDENT
    return Comparison(
        judgement,
        recovered,
        len(trials),
        healed,
        left,
        after,
        within,
        gain,
        median(own) if own else None,
    )


def difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float]:
    """The 95 % bounds of how much more often the one happens: each is (hits, of), `of` above 0."""
    first, second = one[0] / one[1], other[0] / other[1]
    ours, theirs = bounds(*one), bounds(*other)
    assert ours is not None
    assert theirs is not None
    gap = first - second
    low = gap - math.hypot(first - ours[0], theirs[1] - second)
    high = gap + math.hypot(ours[1] - first, second - theirs[0])
    return max(low, -1.0), min(high, 1.0)
