"""What waits for a storage tier: a queue in memory, and a file for what is above its bound. Nothing is dropped."""

import json
import threading
from collections import deque
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Outbox:
    """In order: the memory first, then the file. `peek` and `done` are used by one sender."""

    def __init__(self, path: Path, bound: int) -> None:
        self.path, self.bound = path, bound
        self.lock = threading.Lock()
        self.memory: deque[Record] = deque()
        self.on_disk = len(path.read_bytes().splitlines()) if path.exists() else 0

    def __len__(self) -> int:
        return len(self.memory) + self.on_disk

    def add(self, records: list[Record]) -> None:
        with self.lock:
            if self.on_disk or len(self.memory) + len(records) > self.bound:
                self._spill(records)
            else:
                self.memory.extend(records)

    def peek(self, most: int) -> list[Record]:
        with self.lock:
            if not self.memory and self.on_disk:
                self.memory.extend(
                    json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()
                )
                self.path.unlink()
                self.on_disk = 0
            return [self.memory[number] for number in range(min(most, len(self.memory)))]

    def done(self, count: int) -> None:
        with self.lock:
            for _ in range(count):
                self.memory.popleft()

    def save(self) -> None:
        """At a stop: everything to the file, the oldest first."""
        with self.lock:
            later = self.path.read_text(encoding="utf-8") if self.on_disk else ""
            first = "".join(json.dumps(record) + "\n" for record in self.memory)
            if first or later:
                self.path.write_text(first + later, encoding="utf-8")

    def _spill(self, records: list[Record]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))
        self.on_disk += len(records)
