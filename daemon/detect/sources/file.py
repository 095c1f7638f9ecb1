"""A recorded OpenMetrics file with timestamps: for backtests and for tests."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from daemon.detect.sources.base import Source, Wanted, collector_paused
from daemon.detect.sources.blocks import Track, blocks_of
from daemon.detect.sources.exposition import Decoder, Malformed, Tally
from detectors.samples import UP, Batch, Failed, Series
from detectors.spec import FileSource

MAX_FILE = 2_000_000_000


class Recording:
    """Fits `Source`. The file is read again only when its time or size changed."""

    def __init__(self, name: str, spec: FileSource) -> None:
        self.name = name
        self._path = Path(spec.path)
        self._kept: tuple[tuple[int, int], frozenset[str], list[Track], tuple[str, ...]] | None = None

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        """Samples after `since` (None: from the file's beginning) up to `now`."""
        del deadline
        try:
            tracks, warnings = self._read(wanted.names | {UP})
        except (OSError, UnicodeDecodeError, Malformed) as error:
            return Failed(self.name, now, f"{self._path}: {error}")
        begin = -math.inf if since is None else since
        cut = [piece for track in tracks if (piece := _between(track, begin, now)) is not None]
        return Batch(self.name, now, blocks_of(cut), warnings=warnings)

    def close(self) -> None:
        """Nothing is held."""

    def _read(self, wanted: frozenset[str]) -> tuple[list[Track], tuple[str, ...]]:
        state = self._path.stat()
        if state.st_size > MAX_FILE:
            raise Malformed(f"larger than {MAX_FILE} bytes")
        version = (state.st_mtime_ns, state.st_size)
        if self._kept is None or self._kept[:2] != (version, wanted):
            with collector_paused():
                tracks, tally = _tracks(self._path.read_text(encoding="utf-8"), wanted)
            warnings = () if tally.ended else ("the file does not end with # EOF",)
            self._kept = (version, wanted, tracks, warnings)
        return self._kept[2], self._kept[3]


def _tracks(text: str, wanted: frozenset[str]) -> tuple[list[Track], Tally]:
    """Samples without a timestamp have no place in time and are refused. Raises `Malformed`."""
    tally = Tally()
    found: dict[Series, tuple[list[float], list[float]]] = {}
    for sample in Decoder(wanted).read(text, tally):
        if sample.at is None:
            raise Malformed(f"a sample of {sample.series.name} has no timestamp")
        times, values = found.setdefault(sample.series, ([], []))
        times.append(sample.at)
        values.append(sample.value)
    return [_sorted(series, *pair) for series, pair in found.items()], tally


def _sorted(series: Series, times: list[float], values: list[float]) -> Track:
    unique, first = np.unique(np.array(times), return_index=True)
    return Track(series, unique, np.array(values)[first])


def _between(track: Track, begin: float, end: float) -> Track | None:
    first, last = np.searchsorted(track.times, [begin, end], side="right")
    return Track(track.series, track.times[first:last], track.values[first:last]) if last > first else None


def _fits(source: Recording) -> Source:
    """The type checker proves here that this is a source."""
    return source
