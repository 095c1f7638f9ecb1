"""What became of an order that a command gave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taken:
    """`order`: its number, None when it was carried out without the inbox. `answer`: the loop's, once it gave one."""

    order: int | None
    answer: str | None
    refused: bool = False
