"""A preallocated array that is written at its end and forgotten at its start, always readable as one slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 64


class Buffer:
    """Rows of floats, with or without columns. Amortised cost of a row is constant; memory at most doubles."""

    __slots__ = ("_data", "_end", "_fill", "_start", "_width")

    def __init__(self, width: int | None = None, fill: float = np.nan) -> None:
        self._fill = fill
        self._width = width
        self._start = self._end = 0
        shape = (_FIRST_ROWS,) if width is None else (_FIRST_ROWS, max(width, 1))
        self._data = np.full(shape, fill)

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def view(self) -> NDArray[np.float64]:
        """`[rows]` or `[rows, columns]`; valid until the next change."""
        rows = self._data[self._start : self._end]
        return rows if self._width is None else rows[:, : self._width]

    def extend(self, rows: NDArray[np.float64]) -> None:
        """Append rows of the full width."""
        self._reserve(len(rows))
        into = self._data[self._end : self._end + len(rows)]
        if self._width is None:
            into[:] = rows
        else:
            into[:, : self._width] = rows
        self._end += len(rows)

    def trim(self, count: int) -> None:
        """Forget the `count` oldest rows."""
        self._start += count

    def widen(self, width: int) -> None:
        """Add columns up to `width`; what was never written reads as the fill value."""
        room = self._data.shape[1]
        if width > room:
            grown = np.full((len(self._data), max(width, 2 * room)), self._fill)
            grown[self._start : self._end, :room] = self._data[self._start : self._end]
            self._data = grown
        self._width = width

    def keep_columns(self, columns: NDArray[np.intp]) -> None:
        """Keep only these columns, in this order."""
        kept = self.view[:, columns]
        self._width = len(columns)
        self._data = np.full((max(2 * len(kept), _FIRST_ROWS), max(len(columns), 1)), self._fill)
        self._data[: len(kept), : len(columns)] = kept
        self._start, self._end = 0, len(kept)

    def _reserve(self, count: int) -> None:
        if self._end + count <= len(self._data):
            return
        live = len(self)
        rows = len(self._data)
        if 2 * (live + count) > rows:
            rows = max(2 * rows, 2 * (live + count))
        moved = np.full((rows, *self._data.shape[1:]), self._fill) if rows != len(self._data) else self._data
        moved[:live] = self._data[self._start : self._end].copy()
        if moved is self._data:
            moved[live:] = self._fill
        self._data, self._start, self._end = moved, 0, live
