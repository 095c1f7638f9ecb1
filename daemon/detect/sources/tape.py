"""A large recorded exposition, read fast: a whole run at once where one series goes on, else line by line.

In OpenMetrics the samples of a series stand one after the other. The text before the values of such a run is decoded
once and taken out; what remains, `VALUE TIME` line by line, is checked to have that shape throughout and read as one
list of numbers. Every line that looks otherwise goes through the decoder of live scrapes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
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
class Tape:
    """What a file says of the wanted names. `piece`: bytes read at once.

    `milliseconds`: times are those of the text format, not the seconds of OpenMetrics.
    """

    wanted: frozenset[str]
    piece: int = 8_000_000
    ended: bool = False
    """Whether `# EOF` came last."""
    milliseconds: bool = False
    _found: dict[Series, array[float]] = field(default_factory=dict)
    """value, time, value, time, … of each series, in the file's order."""
    _heads: dict[bytes, array[float] | None] = field(default_factory=dict)
    """A line up to its value -> where its samples go; None when they are not wanted."""
    _decoder: Decoder = field(init=False)

    def __post_init__(self) -> None:
        self._decoder = Decoder(self.wanted)

    def read(self, path: Path) -> None:
        """Take the whole file in. Raises `OSError`, and `Malformed` with the line's number."""
        lines = 0
        for piece in _pieces(path, self.piece):
            place = 0
            while place < len(piece):
                end = piece.index(b"\n", place)
                try:
                    head = self._line(piece[place:end])
                except (Malformed, UnicodeDecodeError) as error:
                    number = lines + piece.count(b"\n", 0, place) + 1
                    raise Malformed(f"{path}:{number}: {error}") from None
                place = end + 1
                if head and piece.startswith(head, place):
                    place = self._run(piece, place, head)
            lines += piece.count(b"\n")

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

    def _line(self, line: bytes) -> bytes:
        """Take a line in; that which the next line begins with if it belongs to the same series, else nothing."""
        if not line or line.startswith(b"#"):
            self.ended = line.startswith(b"# EOF") or (self.ended and not line)
            return b""
        self.ended = False
        cut = line.rfind(b"}") + 1 or line.find(b" ")
        head = line[: cut + 1]
        if head in self._heads:
            numbers = self._heads[head]
            if numbers is None or _added(line[cut + 1 :].split(), numbers):
                return head
        return head if self._slow(line, head) else b""

    def _slow(self, line: bytes, head: bytes) -> bool:
        """Decode the line as a scrape's; whether `head` is what makes out its series. Raises `Malformed`."""
        numbers = None
        for sample in self._decoder.read(line.decode(), Tally()):
            if sample.at is None or not math.isfinite(sample.at):
                raise Malformed(f"a sample of {sample.series.name} has no timestamp")
            numbers = self._found.setdefault(sample.series, array("d"))
            numbers.extend((sample.value, sample.at))
        if not head.endswith(b" ") or b"#" in line:
            return False
        if len(self._heads) >= MAX_REMEMBERED:
            self._heads.clear()
        self._heads[head] = numbers
        return True

    def _run(self, piece: bytes, place: int, head: bytes) -> int:
        """Take in lines that begin with `head`, many at once; the place of the first line that is left."""
        numbers = self._heads[head]
        glue = b"\n" + head
        size = _FIRST
        while size >= _LEAST:
            end = piece.rfind(b"\n", place, place + size) + 1
            text = piece[place - 1 : end]
            lines = text.count(b"\n") - 1
            if lines < 1 or text.count(glue) != lines:
                size //= 4
            elif numbers is None or _run_added(text.replace(glue, b"\n"), lines, numbers):
                place = end
                size = min(size * 4, _MOST)
            else:
                break
        return place


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
    """The file in parts that end with a line; a last line that is cut off is one too."""
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
    if rest:
        yield rest + b"\n"
