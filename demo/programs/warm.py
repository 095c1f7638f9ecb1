"""The warm tier: complete records in segments on a small filesystem of its own, which can be full."""

import errno
import hashlib
import json
import os
import shutil
from collections import deque
from pathlib import Path
from typing import Any

from demo.programs.tier import Record, StoreError


class WarmStore:
    """One open segment; closed ones above a number go to the archive: copied, verified, then freed."""

    def __init__(
        self, folder: Path, archive: Path, segment_bytes: int, keep: int, history: int, archive_keep: int
    ) -> None:
        self.folder, self.archive_folder = folder, archive
        self.segment_bytes, self.keep, self.history, self.archive_keep = (
            segment_bytes,
            keep,
            history,
            archive_keep,
        )
        self.recent: dict[str, deque[Record]] = {}
        names = self._segments()
        for path in names[-keep:]:
            self._index(path)
        self.number = int(names[-1].stem.partition("-")[2]) if names else 1

    @property
    def segment(self) -> Path:
        return self.folder / f"segment-{self.number:06d}.jsonl"

    def write(self, records: list[Record]) -> None:
        """All records or none: what a full disk cut short is taken back."""
        text = "".join(json.dumps(record) + "\n" for record in records).encode()
        path = self.segment
        before = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab", buffering=0) as file:
                written = file.write(text)
                os.fsync(file.fileno())
        except OSError as error:
            if path.exists():
                os.truncate(path, before)
            raise StoreError("disk_full" if error.errno == errno.ENOSPC else "down", str(error)) from error
        if written != len(text):
            os.truncate(path, before)
            raise StoreError("disk_full", "the segment was cut short")
        for record in records:
            self._remember(record)
        if before + len(text) > self.segment_bytes:
            self.number += 1
            self._rotate()

    def read(self, asset: str) -> list[Record]:
        return list(self.recent.get(asset, ()))

    def facts(self) -> dict[str, Any]:
        usage = os.statvfs(self.folder)
        return {"disk": {"free_share": round(usage.f_bavail / max(1, usage.f_blocks), 4)}}

    def archive(self) -> tuple[int, int]:
        """Everything but the open segment leaves the tier: (files, bytes) that were copied, verified and freed."""
        return self._move([path for path in self.folder.iterdir() if path.is_file() and path != self.segment])

    def _rotate(self) -> None:
        closed = [path for path in self._segments() if path != self.segment]
        if len(closed) > self.keep:
            self._move(closed[: len(closed) - self.keep])

    def _move(self, paths: list[Path]) -> tuple[int, int]:
        files = size = 0
        for path in paths:
            target = self.archive_folder / path.name
            shutil.copyfile(path, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
            if _digest(path) != _digest(target):
                target.unlink()
                raise StoreError("down", f"{path.name}: the copy differs; nothing was freed")
            size += target.stat().st_size
            files += 1
            path.unlink()
        self._bound_archive()
        return files, size

    def _bound_archive(self) -> None:
        kept = 0
        for path in sorted(self.archive_folder.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True):
            kept += path.stat().st_size
            if kept > self.archive_keep:
                path.unlink()

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("segment-*.jsonl"))

    def _index(self, path: Path) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            self._remember(json.loads(line))

    def _remember(self, record: Record) -> None:
        self.recent.setdefault(record["asset"], deque(maxlen=self.history)).append(record)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
