"""Snapshot: what is true in the loop's memory right now, for the faces. Immutable; published by one assignment.

Everything durable is read from the store instead. A face that has no snapshot (the daemon is dead, or this is the
command line) answers from the store alone and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.scope import Scope

HICCUP = 5.0
"""Seconds that a busy machine may cost a snapshot without anybody being alarmed; the pages' script agrees."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """`state`: ok | late | down | unknown. `newest_at`: unix seconds of its newest sample. `reason`: why it is down."""

    name: str
    kind: str
    address: str
    state: str
    newest_at: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One detector at one scope.

    `state`: ok | pending | firing | clearing | no_data | unknown. `blind`: firing, and nothing is known any more.
    `threshold`: the condition in words; `line`: its number, for a chart. `spark`: the deciding signal's last values
    at the poll's ticks, oldest first, NaN where nothing was known; at most 120.
    """

    detector: str
    scope: Scope
    state: str
    value: float | None
    threshold: str
    line: float | None
    since: float | None = None
    observed_at: float | None = None
    blind: bool = False
    spark: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """Something that will really happen at `at` (unix seconds): what, and about which incident if any."""

    at: float
    text: str
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`at`: unix seconds of publication. `cells`: failure mode -> its detectors' scopes. `population`: failure mode ->
    number of known scopes. `paused`: a sentence per reason why actions stop that stands in no row (the kill switch).
    `poll_interval`: seconds; a snapshot older than two is stale. `refused`: what was wrong with the last reload,
    empty when it was taken.
    """

    at: float
    version: str
    environment: str
    autonomy: str
    leader: str
    started_at: float
    poll_interval: float
    paused: tuple[str, ...] = ()
    rounds_done: bool = False
    sources: tuple[SourceView, ...] = ()
    detectors_total: int = 0
    cells: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    population: Mapping[str, int] = field(default_factory=dict)
    due: tuple[Due, ...] = ()
    last_cycle_at: float | None = None
    last_cycle_ms: float | None = None
    config_loaded_at: float | None = None
    refused: tuple[str, ...] = ()

    @property
    def firing(self) -> int:
        """Detectors that fire at one scope at least."""
        return len({cell.detector for cell in self._cells() if cell.state in {"firing", "clearing"}})

    @property
    def blind(self) -> int:
        """Detectors of which nothing was known, for longer than their hold, at one scope at least."""
        return len({cell.detector for cell in self._cells() if cell.blind or cell.state == "no_data"})

    def stale(self, now: float) -> bool:
        """Whether it is older than two polls, and not by a hiccup: its reader has to say so."""
        return now - self.at > max(2 * self.poll_interval, HICCUP)

    def _cells(self) -> list[Cell]:
        return [cell for cells in self.cells.values() for cell in cells]
