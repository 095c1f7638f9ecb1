"""The cold tier: an append-only archive of everything, in compressed segments once they are closed."""

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

from demo.programs.tier import Record, StoreError


class ColdStore:
    """Appends only. The demo keeps a bounded archive: above `keep` bytes the oldest segment goes."""

    def __init__(self, folder: Path, segment_bytes: int, keep: int) -> None:
        self.folder, self.segment_bytes, self.keep = folder, segment_bytes, keep
        closed = sorted(folder.glob("archive-*.jsonl.gz"))
        self.number = int(closed[-1].name[8:14]) + 1 if closed else 1

    @property
    def segment(self) -> Path:
        return self.folder / f"archive-{self.number:06d}.jsonl"

    def write(self, records: list[Record]) -> None:
        try:
            with self.segment.open("ab", buffering=0) as file:
                file.write("".join(json.dumps(record) + "\n" for record in records).encode())
                os.fsync(file.fileno())
                size = file.tell()
            if size > self.segment_bytes:
                self._close()
        except OSError as error:
            raise StoreError("down", str(error)) from error

    def read(self, asset: str) -> list[Record]:
        raise StoreError("down", f"{asset}: the archive is not read through the pipeline")

    def facts(self) -> dict[str, Any]:
        usage = os.statvfs(self.folder)
        return {"disk": {"free_share": round(usage.f_bavail / max(1, usage.f_blocks), 4)}}

    def _close(self) -> None:
        path = self.segment
        with path.open("rb") as source, gzip.open(path.with_suffix(".jsonl.gz"), "wb") as target:
            shutil.copyfileobj(source, target)
        self.number += 1
        path.unlink()
        kept = 0
        for old in sorted(self.folder.glob("archive-*.jsonl.gz"), reverse=True):
            kept += old.stat().st_size
            if kept > self.keep:
                old.unlink()
