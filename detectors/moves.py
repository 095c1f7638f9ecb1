"""Changes of state, by columns: a replay makes millions of them, and a Python object each would cost more than finding them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.scope import Scope
from detectors.samples import Floats
from detectors.state import Transition, TransitionState
from detectors.values import Bools, Codes

STATES = (
    TransitionState.NO_DATA,
    TransitionState.DATA_BACK,
    TransitionState.PENDING,
    TransitionState.WITHDRAWN,
    TransitionState.FIRED,
    TransitionState.CLEARED,
)
"""As a tick's rules follow each other. A code in `Moves.state` is a place in here."""
CODE = {state: np.int8(code) for code, state in enumerate(STATES)}
_NO_PLACE, _NO_CODE, _NO_NUMBER = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int8), np.empty(0)


@dataclass(frozen=True, slots=True)
class Moves:
    """Changes of one detector in order of time. Arrays are `[N]`: `scope` a place in `scopes`, `state` one in `STATES`,
    `at` unix seconds, `value` as observed there, NaN when unknown.
    """

    detector: str
    scopes: tuple[Scope, ...]
    scope: NDArray[np.intp]
    state: Codes
    at: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.at)

    def __iter__(self) -> Iterator[Transition]:
        columns = (self.scope.tolist(), self.state.tolist(), self.at.tolist(), self.value.tolist())
        for scope, state, at, value in zip(*columns, strict=True):
            yield Transition(
                self.detector, self.scopes[scope], STATES[state], at, None if math.isnan(value) else value
            )

    def where(self, which: Bools) -> Moves:
        """Those that are marked in `which[N]`."""
        return Moves(
            self.detector,
            self.scopes,
            self.scope[which],
            self.state[which],
            self.at[which],
            self.value[which],
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Changes of some columns of a block, in no order. `row[N]` of the block, `column[N]` of the state."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    state: Codes

    @classmethod
    def of(cls, rows: NDArray[np.intp] | int, columns: NDArray[np.intp], state: TransitionState) -> Found:
        """The same change at each of these places."""
        row = np.full(len(columns), rows, dtype=np.intp) if isinstance(rows, int) else rows
        return cls(row, columns, np.full(len(columns), CODE[state]))

    def moved(self, rows: int, columns: NDArray[np.intp]) -> Found:
        """As of a larger block, in which these rows begin at `rows` and these columns are `columns`."""
        return Found(self.row + rows, columns[self.column], self.state)


def gathered(
    detector: str, scopes: tuple[Scope, ...], found: Sequence[Found], ticks: Floats, values: Floats
) -> Moves:
    """In order: by tick, then as a tick's rules follow each other, then by scope.

    `values[T, S]`; scopes beyond S left, and are owed an end.
    """
    if not found:
        return Moves(detector, scopes, _NO_PLACE, _NO_CODE, _NO_NUMBER, _NO_NUMBER)
    row = np.concatenate([one.row for one in found])
    column = np.concatenate([one.column for one in found])
    state = np.concatenate([one.state for one in found])
    order = np.argsort((row * len(STATES) + state) * len(scopes) + column)
    row, column, state = row[order], column[order], state[order]
    value = np.full(len(row), np.nan)
    here = column < values.shape[1]
    value[here] = values[row[here], column[here]]
    return Moves(detector, scopes, column, state, ticks[row], value)
