"""Answers of a telemetry source kept in a folder: one columnar file per span, written whole or not at all.

A file is a `.npz` of three arrays (all times one after the other, all values, a JSON header that says how they are cut
into blocks), read without pickle. Its name is a hash of what was asked; neither name nor content holds a secret. What
cannot be read back, for whatever reason, counts as not there.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from detectors.samples import Block, Floats, Series

FORMAT = 1
MOST_BYTES = 8_000_000_000
"""Kept in all; beyond it the oldest files go."""
Asked = Mapping[str, Any]
"""What was asked, as JSON can say it; the same question has the same keys and values."""
Layout = tuple[Block, ...]


class Shelf:
    """`most_bytes`: kept in all. A folder that cannot be written is no failure: `trouble` says what it was."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self.trouble = ""
        self._folder = folder
        self._most = most_bytes
        self._series: tuple[bytes, list[tuple[Any, tuple[Series, ...]]]] = (b"", [])

    def load(self, asked: Asked) -> tuple[Block, ...] | None:
        """What was kept; None when nothing usable was."""
        try:
            with self._path(asked).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                header = orjson.loads(kept["header"].tobytes())
                if header["asked"] != orjson.loads(_canonical(asked)):
                    return None
                described = self._described(kept["series"].tobytes())
                return tuple(_blocks(described, header["rows"], kept["times"], kept["values"]))
        except Exception:  # noqa: BLE001 - a damaged file breaks its readers in any way; it is fetched anew
            return None

    def save(self, asked: Asked, blocks: Sequence[Block]) -> None:
        """Keep an answer; a process that dies while it writes leaves nothing that could be taken for one."""
        header = orjson.dumps(
            {"asked": orjson.loads(_canonical(asked)), "rows": [len(b.times) for b in blocks]}
        )
        series = orjson.dumps([(block.target, [tuple(one) for one in block.series]) for block in blocks])
        empty = [np.empty(0)]
        arrays = {
            "times": np.concatenate([block.times for block in blocks] or empty),
            "values": np.concatenate([block.values.ravel() for block in blocks] or empty),
            "header": np.frombuffer(header, dtype=np.uint8),
            "series": np.frombuffer(series, dtype=np.uint8),
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
                try:
                    np.savez(file, allow_pickle=False, **arrays)
                    file.close()
                    Path(file.name).replace(self._path(asked))
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            self.trouble = str(error)

    def trim(self) -> None:
        """Let the oldest files go until the rest is within the bound; what was never finished counts too."""
        try:
            files = sorted(
                (
                    (path.stat(), path)
                    for path in self._folder.iterdir()
                    if path.suffix == ".npz" or path.name.startswith(".new-")
                ),
                key=lambda one: one[0].st_mtime,
            )
            over = sum(state.st_size for state, _ in files) - self._most
            for state, path in files:
                if over > 0:
                    path.unlink(missing_ok=True)
                    over -= state.st_size
        except OSError as error:
            self.trouble = self.trouble or str(error)

    def _path(self, asked: Asked) -> Path:
        return self._folder / f"{hashlib.sha256(_canonical(asked)).hexdigest()}.npz"

    def _described(self, text: bytes) -> list[tuple[Any, tuple[Series, ...]]]:
        """Targets and series; mostly those of the file read before."""
        if text != self._series[0]:
            self._series = (
                text,
                [
                    (_labels(target), tuple(Series(str(name), _labels(labels)) for name, labels in series))
                    for target, series in orjson.loads(text)
                ],
            )
        return self._series[1]


def _canonical(asked: Asked) -> bytes:
    return orjson.dumps({"format": FORMAT, **asked}, option=orjson.OPT_SORT_KEYS)


def _labels(pairs: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in pairs)


def _blocks(
    described: Sequence[tuple[Any, tuple[Series, ...]]], rows: Sequence[int], times: Floats, values: Floats
) -> Iterator[Block]:
    if times.dtype != np.float64 or values.dtype != np.float64:
        raise ValueError("not the arrays of a block")
    row = cell = 0
    for (target, series), count in zip(described, rows, strict=True):
        cells = count * len(series)
        yield Block(
            target, times[row : row + count], series, values[cell : cell + cells].reshape(count, len(series))
        )
        row, cell = row + count, cell + cells
    if (row, cell) != (len(times), len(values)):
        raise ValueError("the file says more than its header")


def default_folder(environment: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/fleetmend`, or `~/.cache/fleetmend`."""
    base = Path(environment.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "fleetmend"
