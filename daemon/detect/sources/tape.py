"""A large recorded exposition, read fast: a whole run at once where one series goes on.

In OpenMetrics the samples of a series stand one after the other. The text before the values of such a run is decoded
once and taken out; what remains, `VALUE TIME` line by line, is checked to have that shape throughout and read as one
list of numbers. Where series alternate, the ends of their lines are gathered for the same. Every line that looks
otherwise goes through the decoder of live scrapes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import SEEK_END
from pathlib import Path

import numpy as np
import orjson

from daemon.detect.sources.blocks import Track
from daemon.detect.sources.exposition import MAX_REMEMBERED, MILLISECONDS_FROM, Decoder, Malformed, Tally
from detectors.samples import Floats, Series

_LONGEST_LINE = 1_000_000
_LEAST, _FIRST, _MOST = 256, 4096, 1 << 20
"""Bytes of a run that are looked at together: more as long as it goes on."""
_NUMBERS = b"0123456789.+-eENaInf"
_TO_LIST = bytes.maketrans(b" \n", b",,")


@dataclass(slots=True)
class _Row:
    """Where samples of a series go: `numbers` are value, time, value, time, …; `tails` the ends of lines not yet read."""

    numbers: array[float]
    tails: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Tape:
    """What a file says of the wanted names. `piece`: bytes read at once.

    `milliseconds`: times are those of the text format, not the seconds of OpenMetrics.
    """

    wanted: frozenset[str]
    piece: int = 8_000_000
    ended: bool = False
    """Whether `# EOF` came last."""
    milliseconds: bool = False
    cut: bool = False
    """The last line has no line feed: what it says may be half a number, so it is left out."""
    _found: dict[Series, array[float]] = field(default_factory=dict)
    _heads: dict[bytes, _Row | None] = field(default_factory=dict)
    """A line up to its value -> its series; None when it is not wanted."""
    _decoder: Decoder = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = Decoder(self.wanted)

    def read(self, path: Path) -> None:
        """Take the whole file in. Raises `OSError`, and `Malformed` with the line's number."""
        lines = 0
        for piece in _pieces(path, self.piece):
            self.ended = self.ended and not piece.strip(b"\n")
            try:
                self._piece(piece)
            except _Refused as refused:
                number = lines + piece.count(b"\n", 0, refused.place) + 1
                raise Malformed(f"{path}:{number}: {refused.why}") from None
            lines += piece.count(b"\n")
        self.cut = not self.ended and _breaks_off(path)

    def tracks(self) -> list[Track]:
        """Every series in order of time; of two samples at the same time the first counts. Forgets what was read."""
        tracks = []
        last: Floats = np.empty(0)
        while self._found:
            series = next(iter(self._found))
            pairs = np.frombuffer(self._found.pop(series)).reshape(-1, 2)
            times, values = np.ascontiguousarray(pairs[:, 1]), np.ascontiguousarray(pairs[:, 0])
            large = np.abs(times) >= MILLISECONDS_FROM
            if large.any():
                self.milliseconds = True
                times[large] /= 1000
            if (times[1:] <= times[:-1]).any():
                times, first = np.unique(times, return_index=True)
                values = values[first]
            last = last if np.array_equal(last, times) else times
            tracks.append(Track(series, last, values))
        self._heads.clear()
        return tracks

    def _piece(self, piece: bytes) -> None:
        heads = self._heads
        place = 0
        while place < len(piece):
            end = piece.index(b"\n", place)
            line = piece[place:end]
            cut = line.rfind(b"}") + 1 or line.find(b" ")
            head = line[: cut + 1]
            if head not in heads:
                head = self._new(piece, place, end, head)
            elif (row := heads[head]) is not None:
                row.tails.append(line[cut + 1 :])
            place = end + 1
            if head and piece.startswith(head, place):
                place = self._run(piece, place, head)
        self._settle_all(piece)

    def _new(self, piece: bytes, place: int, end: int, head: bytes) -> bytes:
        """Take a line in whose beginning is not known; that beginning, if from now on it stands for its series."""
        line = piece[place:end]
        if not line or line.startswith(b"#"):
            self.ended = self.ended or (line.startswith(b"# EOF") and not piece[end:].strip(b"\n"))
            return b""
        try:
            numbers = self._decoded(line)
        except (Malformed, UnicodeDecodeError) as error:
            raise _Refused(place, error) from None
        if not head.endswith(b" ") or b"#" in line:
            return b""
        if len(self._heads) >= MAX_REMEMBERED:
            self._settle_all(piece)
            self._heads.clear()
        self._heads[head] = None if numbers is None else _Row(numbers)
        return head

    def _decoded(self, line: bytes) -> array[float] | None:
        """Decode a line as a scrape's; where its sample went. Raises `Malformed`, `UnicodeDecodeError`."""
        numbers = None
        for sample in self._decoder.read(line.decode(), Tally()):
            if sample.at is None or not math.isfinite(sample.at):
                raise Malformed(f"a sample of {sample.series.name} has no timestamp")
            numbers = self._found.setdefault(sample.series, array("d"))
            numbers.extend((sample.value, sample.at))
        return numbers

    def _run(self, piece: bytes, place: int, head: bytes) -> int:
        """Take in lines that begin with `head`, many at once; the place of the first line that is left."""
        row = self._heads[head]
        if row is not None:
            self._settle(piece, head, row)
        glue = b"\n" + head
        size = _FIRST
        while size >= _LEAST:
            end = piece.rfind(b"\n", place, place + size) + 1
            text = piece[place - 1 : end]
            lines = text.count(b"\n") - 1
            if lines < 1 or text.count(glue) != lines:
                size //= 4
            elif row is None or _run_added(text.replace(glue, b"\n"), lines, row.numbers):
                place = end
                size = min(size * 4, _MOST)
            else:
                break
        return place

    def _settle_all(self, piece: bytes) -> None:
        for head, row in self._heads.items():
            if row is not None and row.tails:
                self._settle(piece, head, row)

    def _settle(self, piece: bytes, head: bytes, row: _Row) -> None:
        """Read the ends of lines that were put by."""
        tails, row.tails = row.tails, []
        if not tails or _run_added(b"\n%b\n" % b"\n".join(tails), len(tails), row.numbers):
            return
        for tail in tails:
            if not _added(tail.split(), row.numbers):
                try:
                    self._decoded(head + tail)
                except (Malformed, UnicodeDecodeError) as error:
                    raise _Refused(piece.find(head + tail + b"\n"), error) from None


class _Refused(Exception):
    """The line that begins at `place` of a piece cannot be read."""

    def __init__(self, place: int, why: Exception) -> None:
        super().__init__(str(why))
        self.place = place
        self.why = why


def _added(words: list[bytes], numbers: array[float]) -> bool:
    """Take in `VALUE TIME`; False when it is something else."""
    if len(words) != 2:
        return False
    try:
        pair = (float(words[0]), float(words[1]))
    except ValueError:
        return False
    if not math.isfinite(pair[1]):
        return False
    numbers.extend(pair)
    return True


def _run_added(text: bytes, lines: int, numbers: array[float]) -> bool:
    """Take in so many lines of `VALUE TIME`, between line feeds; False when there is anything else among them."""
    if text.translate(None, _NUMBERS) != b"\n" + b" \n" * lines:
        return False
    try:
        found = array("d", orjson.loads(b"[%b]" % text[1:-1].translate(_TO_LIST)))
    except (orjson.JSONDecodeError, TypeError):  # NaN, infinities and `1.` are no JSON
        try:
            found = array("d", map(float, text.split()))
        except ValueError:
            return False
    if len(found) != 2 * lines or not np.isfinite(np.frombuffer(found)[1::2]).all():
        return False
    numbers.extend(found)
    return True


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """The file in parts that end with a line. A last line that is cut off is left out, unless it says that it is the last."""
    rest = b""
    with path.open("rb") as file:
        while read := file.read(size):
            end = read.rfind(b"\n") + 1
            if not end and len(rest) + len(read) > _LONGEST_LINE:
                raise Malformed(f"{path}: a line longer than {_LONGEST_LINE} bytes")
            if end:
                yield rest + read[:end]
                rest = read[end:]
            else:
                rest += read
    if rest.strip() == b"# EOF":
        yield rest + b"\n"


def _breaks_off(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) not in {b"", b"\n"}
