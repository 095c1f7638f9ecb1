"""The effect log: what really happened to a process, one JSON object a line, on disk before the answer goes out."""

import json
import os
import threading
from pathlib import Path
from typing import Any

from demo import clock

KINDS = ("admin", "start", "stop", "switch", "link")
LISTENER, BREAKER = "listener", "breaker"
"""Who writes beside the programs: the independent observer, and the hand that breaks and heals."""


class EffectLog:
    """Append-only; every line is fsynced."""

    def __init__(self, folder: Path, program: str) -> None:
        self.program = program
        self._lock = threading.Lock()
        self._file = os.open(folder / f"{program}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def write(
        self, kind: str, what: str, key: str | None = None, args: Any = None, result: Any = None
    ) -> None:
        """`kind` is one of KINDS; `key` the Idempotency-Key of an admin call."""
        self.append({"kind": kind, "what": what, "key": key, "args": args, "result": result})

    def switched(self, link: str, old: str, new: str) -> None:
        """A `current` link was pointed to another version."""
        self.write("link", link, args={"from": old, "to": new})

    def append(self, fields: dict[str, Any]) -> None:
        line = json.dumps({"at": round(clock.now(), 6), "program": self.program, **fields}) + "\n"
        with self._lock:
            os.write(self._file, line.encode())
            os.fsync(self._file)


def merged(folder: Path) -> list[dict[str, Any]]:
    """All effect logs of a stack in time order; a line that a kill cut short is left out."""
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return sorted(rows, key=lambda row: row["at"])
