"""Series in short: promtool's notation for values, a leading `+` for counters, and words for what was not scraped.

    3  3x4      a value; that value and 4 more of it
    0+10x4      0 10 20 30 40      (`-`: falling)
    +5x4        4 samples, each 5 above the last known one: 0 +5x4 +0x6 is a counter that grows and then stands still
    _  _x3      no sample: the series is missing from scrapes that worked (NaN is the same)
    stale x N   the scrape of the whole target failed: its `up` is 0  (written stalex3)
    away  x N   nobody scraped the target: there is no row at all     (written awayx3)

Only the leading `+` means something else than to promtool, where it is a mere sign.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from config.problems import Wrong
from config.units import shown
from daemon.detect.sources.exposition import Decoder, Malformed, Tally
from detectors.samples import UP, Floats, Series

MOST_TEXT = 100_000
"""Characters of one series."""
MOST_SAMPLES = 2_000_000
"""Of one series; a file has a bound of its own."""

_NUMBER = r"(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?"
_VALUE = re.compile(
    rf"(?P<first>-?{_NUMBER})(?:(?P<step>[+-]{_NUMBER})(?=x))?(?:x(?P<times>\d{{1,7}}))?", re.ASCII
)
_GROWTH = re.compile(rf"\+(?P<step>{_NUMBER})(?:x(?P<times>\d{{1,7}}))?", re.ASCII)
_WORD = re.compile(r"(?P<word>_|NaN|stale|away)(?:x(?P<times>\d{1,7}))?", re.ASCII)
_HINT = "write values as 5, 5x3, 0+10x20; growth as +5x20; else _x3, stalex3 or awayx3"


class Kind(StrEnum):
    """What a piece of a series is."""

    VALUE = "value"
    GROWTH = "growth"
    ABSENT = "absent"
    STALE = "stale"
    AWAY = "away"


_WORDS = {"_": Kind.ABSENT, "NaN": Kind.ABSENT, "stale": Kind.STALE, "away": Kind.AWAY}


@dataclass(frozen=True, slots=True)
class Piece:
    """`count` samples: `first + k * step` for VALUE; for GROWTH `step` more each time."""

    kind: Kind
    count: int
    first: float = 0.0
    step: float = 0.0


@dataclass(frozen=True, slots=True)
class Column:
    """`values[N]`, NaN where there is no sample; `stale[N]`, `away[N]`: what the series says of its target's scrapes."""

    values: Floats
    stale: NDArray[np.bool_]
    away: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Story:
    """One series as written, not yet expanded."""

    pieces: tuple[Piece, ...]

    @property
    def length(self) -> int:
        """How many samples it has, missing ones counted."""
        return sum(piece.count for piece in self.pieces)

    def column(self) -> Column:
        """Expand it."""
        kinds = np.concatenate(
            [np.full(piece.count, list(Kind).index(piece.kind), dtype=np.int8) for piece in self.pieces]
        )
        return Column(
            np.concatenate(list(_values(self.pieces))),
            kinds == list(Kind).index(Kind.STALE),
            kinds == list(Kind).index(Kind.AWAY),
        )


def parse_story(text: object) -> Story:
    """The series that is written so. Raises `Wrong`."""
    if not isinstance(text, str):
        raise Wrong(f"expected samples in quotes, got {shown(text)}", f'{_HINT}; in quotes: "0x20"')
    if len(text) > MOST_TEXT:
        raise Wrong(f"longer than {MOST_TEXT} characters", "write repeated samples as 5x300")
    pieces = tuple(_piece(word) for word in text.split())
    story = Story(pieces)
    if not story.length:
        raise Wrong("there are no samples in it", _HINT)
    if story.length > MOST_SAMPLES:
        raise Wrong(f"{story.length} samples, more than {MOST_SAMPLES}", "make the case shorter")
    return story


def parse_series(text: str) -> Series:
    """`name{label="value"}`. Raises `Wrong`."""
    name = text.partition("{")[0].strip()
    hint = 'write packets_total{tier="hot"}, in single quotes'
    try:
        found = [] if "\n" in text else list(Decoder(frozenset({name})).read(f"{text} 0", Tally()))
    except Malformed:
        found = []
    if len(found) != 1 or found[0].at is not None:
        raise Wrong(f"not a series: {shown(text)}", hint)
    if name == UP:
        raise Wrong("`up` is not written as a series", "write stale where a scrape failed")
    return found[0].series


def _piece(word: str) -> Piece:
    if found := _WORD.fullmatch(word):
        return Piece(_WORDS[found["word"]], int(found["times"] or 1))
    if found := _GROWTH.fullmatch(word):
        return Piece(Kind.GROWTH, int(found["times"] or 1), step=_finite(found["step"], word))
    if found := _VALUE.fullmatch(word):
        first, step = _finite(found["first"], word), _finite(found["step"] or "0", word)
        return Piece(Kind.VALUE, int(found["times"] or 0) + 1, first, step)
    raise Wrong(f"not understood: {shown(word)}", _HINT)


def _finite(text: str, word: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Wrong(f"too large a number: {shown(word)}", "write a smaller one")
    return value


def _values(pieces: tuple[Piece, ...]) -> Iterator[Floats]:
    last = 0.0
    for piece in pieces:
        if piece.kind is Kind.VALUE:
            values = piece.first + piece.step * np.arange(piece.count, dtype=np.float64)
        elif piece.kind is Kind.GROWTH:
            values = last + piece.step * np.arange(1, piece.count + 1, dtype=np.float64)
        else:
            yield np.full(piece.count, np.nan)
            continue
        if piece.count:
            last = float(values[-1])
        yield values
