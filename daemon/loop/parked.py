"""Parked items: one that raises must not stop the others, nor come back in a busy loop."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 30.0
"""Seconds an item rests after its first failure; doubled each time, up to an hour."""
LONGEST = 3600.0


@dataclass(frozen=True, slots=True)
class Parked:
    """`until`: unix seconds. `failures`: in a row."""

    until: float
    failures: int
    error: str


class ParkingLot:
    """Items at rest, by name (an incident's id, a stage's name)."""

    def __init__(self) -> None:
        self._items: dict[str, Parked] = {}

    def __len__(self) -> int:
        return len(self._items)

    def rests(self, name: str, now: float) -> bool:
        parked = self._items.get(name)
        return parked is not None and now < parked.until

    def park(self, name: str, error: str, now: float) -> Parked:
        before = self._items.get(name)
        failures = 1 if before is None else before.failures + 1
        until = now + min(FIRST * 2 ** (failures - 1), LONGEST)
        parked = Parked(until, failures, error)
        self._items[name] = parked
        return parked

    def worked(self, name: str) -> None:
        self._items.pop(name, None)

    def items(self) -> dict[str, Parked]:
        return dict(self._items)
