"""The board: all findings now. Level-triggered, so a crash cannot lose an edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from config.scope import Scope


class FindingState(StrEnum):
    """Where a detector stands at a scope; a scope that is OK has no finding."""

    PENDING = "pending"
    """Breach observed, its hold not over."""
    FIRING = "firing"
    CLEARING = "clearing"
    """Firing, with the clear condition observed and its hold not over."""
    NO_DATA = "no_data"
    """Nothing known for the `no_data` hold and nothing was firing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One detector at one scope.

    `since`: unix seconds of the first breach of this finding (for a zero test: of the last observed increment).
    `value`: last observed value, None when unknown. `threshold`: the text of the condition, as a person reads it.
    `observed_at`: unix seconds of the newest sample behind `value`, None when there was none.
    `blind_since`: unix seconds since when nothing is known at this scope, None while it is seen.
    `blind`: True once that lasted for the detector's `no_data` hold. `back_since`: unix seconds since when telemetry is
    there again after a time without, None while it is not, and once that lasted. `corroborated`: None when the detector asks for no corroboration.
    """

    detector: str
    failure_mode: str
    scope: Scope
    state: FindingState
    since: float
    value: float | None
    threshold: str
    severity: str
    observed_at: float | None
    blind_since: float | None = None
    blind: bool = False
    back_since: float | None = None
    corroborated: bool | None = None
    source: str = ""
    """Where its samples come from."""
    reason: str = ""
    """For NO_DATA: what is missing (`source main: connection refused`, `series absent`, …)."""
    flapping: str = ""
    """How often it fired lately, where that is so often that it counts as firing until it was well for long."""
    advises: bool = False
    """It leads to no action: people are told, and it explains nothing else."""


@dataclass(frozen=True, slots=True)
class Board:
    """Findings at `at`, by (detector, scope). `all_rounds_done` is the start-up barrier: every detector has been
    evaluated once since start. `populations`: known scopes per failure mode, for impact and shared causes.
    `sources_down`: source name -> (since, reason) for sources that gave nothing for their hold.
    """

    at: float
    all_rounds_done: bool
    findings: Mapping[tuple[str, Scope], Finding]
    populations: Mapping[str, frozenset[Scope]]
    sources_down: Mapping[str, tuple[float, str]]
