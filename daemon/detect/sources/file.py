"""A recorded file with timestamps: for backtests and for tests.

OpenMetrics (seconds, as `promtool tsdb dump-openmetrics` writes it), or the Prometheus text format, whose timestamps
are told by their size: milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from daemon.detect.sources.base import Source, Wanted, collector_paused
from daemon.detect.sources.blocks import Track, blocks_of
from daemon.detect.sources.exposition import Malformed
from daemon.detect.sources.pieces import between
from daemon.detect.sources.tape import Tape
from detectors.samples import UP, Batch, Block, Failed, Floats
from detectors.spec import FileSource

MAX_FILE = 4_000_000_000
_DAY = 86_400.0


class Recording:
    """Fits `Source`. The file is read again only when its time or size changed."""

    def __init__(self, name: str, spec: FileSource, *, beside: Recording | None = None) -> None:
        """`beside`: a recording of the same file, which is then read once for both."""
        self.name = name
        self.kept: Kept = beside.kept if beside is not None else Kept(Path(spec.path))

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` (None: from the file's beginning) up to `now`."""
        del deadline
        try:
            days = self.kept.days(wanted.names | {UP})
        except (OSError, Malformed) as error:
            return Failed(self.name, now, str(error))
        begin = -math.inf if since is None else since
        blocks = [block for day in _touched(days, begin, now) for block in between(days[day], begin, now)]
        return Batch(self.name, now, tuple(blocks), warnings=self.kept.warnings)

    def span(self, names: frozenset[str]) -> tuple[float, float] | None:
        """Unix seconds of the first and the last sample of these metrics; None when there is none.

        Raises `OSError`, and `Malformed` with file and line.
        """
        self.kept.days(names | {UP})
        tracks = [track for track in self.kept.tracks if track.series.name in names]
        if not tracks:
            return None
        return min(float(t.times[0]) for t in tracks), max(float(t.times[-1]) for t in tracks)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about the file when it was last read."""
        return self.kept.warnings

    def close(self) -> None:
        """Nothing is held."""


def _touched(days: dict[int, tuple[Block, ...]], begin: float, end: float) -> Iterator[int]:
    return (day for day in days if begin < (day + 1) * _DAY and day * _DAY <= end)


@dataclass(slots=True)
class Kept:
    """What was read of a file, laid out day by day: whatever is asked for in one go or bit by bit looks the same."""

    path: Path
    names: frozenset[str] = frozenset()
    version: tuple[int, int] | None = None
    tracks: list[Track] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    _days: dict[frozenset[str], dict[int, tuple[Block, ...]]] = field(default_factory=dict)

    def days(self, names: frozenset[str]) -> dict[int, tuple[Block, ...]]:
        """Blocks of these metrics by day since 1970. Raises `OSError`, `Malformed`."""
        state = self.path.stat()
        if state.st_size > MAX_FILE:
            raise Malformed(f"{self.path}: larger than {MAX_FILE} bytes")
        version = (state.st_mtime_ns, state.st_size)
        if version != self.version or not names <= self.names:
            self._read(names | self.names)
            self.version = version
        if names not in self._days:
            self._days[names] = _by_day([track for track in self.tracks if track.series.name in names])
        return self._days[names]

    def _read(self, names: frozenset[str]) -> None:
        self._days.clear()
        tape = Tape(names)
        with collector_paused():
            tape.read(self.path)
            self.tracks = tape.tracks()
        self.names = names
        odd = [] if tape.ended or tape.milliseconds else ["does not end with # EOF"]
        odd += ["breaks off within its last line, which is left out"] if tape.cut else []
        self.warnings = (f"{self.path} {' and '.join(odd)}",) if odd else ()


def _by_day(tracks: Sequence[Track]) -> dict[int, tuple[Block, ...]]:
    parts: dict[int, list[Track]] = {}
    last: tuple[Floats, list[tuple[int, slice, Floats]]] | None = None
    for track in tracks:
        if last is None or last[0] is not track.times:
            last = (track.times, _days_of(track.times))
        for day, rows, times in last[1]:
            parts.setdefault(day, []).append(Track(track.series, times, track.values[rows]))
    return {day: blocks_of(parts[day]) for day in sorted(parts)}


def _days_of(times: Floats) -> list[tuple[int, slice, Floats]]:
    """Which rows lie in which day."""
    number = np.floor(times / _DAY)
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(times)]
    rows = [slice(first, last) for first, last in pairwise(edges)]
    return [(int(number[part.start]), part, times[part]) for part in rows]


def _fits(source: Recording) -> Source:
    """The type checker proves here that this is a source."""
    return source
