"""Packets set aside: one file a provider for what could not be mapped or is quarantined, on disk at once."""

import json
import threading
from pathlib import Path
from typing import Any


class DeadLetters:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.counts = {path.stem: len(path.read_bytes().splitlines()) for path in folder.glob("*.jsonl")}

    def add(self, provider: str, packets: list[dict[str, Any]], why: str) -> None:
        if not packets:
            return
        lines = "".join(json.dumps({"why": why, "packet": packet}) + "\n" for packet in packets)
        with self.lock:
            with (self.folder / f"{provider}.jsonl").open("a", encoding="utf-8") as file:
                file.write(lines)
            self.counts[provider] = self.counts.get(provider, 0) + len(packets)

    def take(self, provider: str) -> list[dict[str, Any]]:
        """All packets of a provider; what fails again is added again by the caller."""
        path = self.folder / f"{provider}.jsonl"
        with self.lock:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            path.unlink(missing_ok=True)
            self.counts.pop(provider, None)
        return [json.loads(line)["packet"] for line in lines]

    @property
    def depth(self) -> int:
        return sum(self.counts.values())
