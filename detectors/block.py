"""What the state machine looks at: a block of ticks, as measured and as observed, cut by rows and by columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.observe import BREACH, OK, UNKNOWN, Observations
from detectors.rule import Rule
from detectors.samples import Floats
from detectors.state import Phase, State
from detectors.values import Bools, Codes, Quality, Values, slim, wide

_UNBORN, _IDLE = np.int8(Quality.UNBORN), np.int8(Phase.IDLE)
_CUT = ("fire", "clear", "dark", "excused", "anchor", "value", "observed_at", "quality", "born")


@dataclass(frozen=True, slots=True)
class Block:
    """`ticks[T]` and what was seen at each, `[T, S]`, but `interval[T]`; see `Observations` and `Values`. `born`: there,
    or expected.
    """

    interval: Floats
    ticks: Floats
    fire: Codes
    clear: Codes
    dark: Bools
    excused: Bools
    anchor: Floats
    value: Floats
    observed_at: Floats
    quality: Codes
    born: Bools

    @classmethod
    def of(cls, seen: Observations, values: Values, ticks: Floats, scopes: tuple[Scope, ...]) -> Block:
        """For `scopes`, the observed ones first; those that left have no telemetry."""
        more = len(scopes) - len(seen.scopes)

        def padded(array: NDArray[Any], fill: float) -> NDArray[Any]:
            if not more:
                return array
            return np.hstack([array, np.full((len(ticks), more), fill, dtype=array.dtype)])

        return cls(
            np.broadcast_to(values.interval, len(ticks)),
            ticks,
            padded(seen.fire, UNKNOWN),
            padded(seen.clear, UNKNOWN),
            padded(seen.dark, True),
            padded(seen.excused, False),
            padded(seen.anchor, np.nan),
            padded(values.value, np.nan),
            padded(values.observed_at, np.nan),
            padded(values.quality, Quality.ABSENT),
            padded(wide(slim(values.quality) != _UNBORN, values.quality.shape), True),
        )

    def row(self, index: int) -> Block:
        """A single tick, its arrays `[S]`, its instant and interval plain numbers."""
        cut = (getattr(self, name)[index] for name in _CUT)
        return Block(self.interval[index], self.ticks[index], *cut)

    def rows(self, first: int, last: int) -> Block:
        """Ticks `first` up to, not including, `last`."""
        cut = (getattr(self, name)[first:last] for name in _CUT)
        return Block(self.interval[first:last], self.ticks[first:last], *cut)

    def columns(self, which: NDArray[np.intp]) -> Block:
        """Some of the scopes."""
        return Block(self.interval, self.ticks, *(getattr(self, name)[:, which] for name in _CUT))

    def smooth(self, rule: Rule, state: State) -> Bools:
        """`[T, S]`: known, and never fit to fire and to clear at once: such stretches are worked out without steps.

        Slots (M of N) are, as long as nothing fires.
        """
        smooth: Bools = (self.fire != UNKNOWN) & (self.clear != UNKNOWN)
        if rule.fire.of_last is None and rule.clear.of_last is None:
            smooth &= (self.fire != BREACH) | (self.clear != OK)
        else:
            smooth &= self.fire == OK
        born = slim(self.born)
        if not born.all():
            smooth = np.where(born, smooth, np.isnan(state.joined))
        return smooth


def settled(rule: Rule, state: State) -> Bools:
    """`[S]`: nothing is missing, nothing missing is being waited for, and nothing flaps."""
    calm: Bools = (
        np.isnan(state.dark_since) & np.isnan(state.blind_from) & np.isnan(state.clear_from) & ~state.no_data
    )
    calm &= ~state.flapping
    calm &= (state.phase != _IDLE) | (state.blind == 0)
    if rule.fire.of_last is not None or rule.clear.of_last is not None:
        # What nobody saw counts against the slot it fell into, until that ends.
        calm &= (state.phase == _IDLE) & (state.fire_part == 0) & (state.clear_part == 0)
    return calm
