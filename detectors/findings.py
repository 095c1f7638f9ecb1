"""From the state of every rule to the board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from config.scope import Scope
from detectors.board import Board, Finding, FindingState
from detectors.rule import Rule
from detectors.state import Phase, State
from detectors.texts import flapping_text, threshold_text
from detectors.values import REASONS, Quality

_IDLE = np.int8(Phase.IDLE)

Corroborated = Mapping[tuple[str, Scope], bool | None]


def findings_of(
    rule: Rule, state: State, *, corroborated: Corroborated | None = None, source_reason: str = ""
) -> list[Finding]:
    """The findings of one rule: every scope that is pending, firing, clearing or without data.

    `corroborated`: by (detector, scope), for rules that ask for it. `source_reason`: why the source is down, if so.
    """
    index = np.flatnonzero((state.phase != _IDLE) | state.no_data)
    if not len(index):
        return []
    text = threshold_text(rule)
    columns = (getattr(state, name)[index].tolist() for name in _Row._fields)
    seen = ((state.scopes[place], _Row(*row)) for place, *row in zip(index.tolist(), *columns, strict=True))
    return [
        _finding(rule, state.last_tick, scope, row, text, corroborated or {}, source_reason)
        for scope, row in seen
    ]


def _finding(
    rule: Rule, now: float, scope: Scope, row: _Row, text: str, corroborated: Corroborated, source_reason: str
) -> Finding:
    blind_since = _number(row.blind_from)
    where, since = row.stands()
    reason = source_reason or REASONS[Quality(row.quality)]
    return Finding(
        detector=rule.name,
        failure_mode=rule.mode.value,
        scope=scope,
        state=where,
        since=since,
        value=_number(row.value),
        threshold=text,
        severity=rule.severity.value,
        observed_at=_number(row.observed_at),
        blind_since=blind_since,
        blind=row.no_data or now - row.blind_from >= rule.no_data_for,
        back_since=_number(row.back_since),
        corroborated=corroborated.get((rule.name, scope)) if rule.corroborate else None,
        source=rule.source,
        reason="" if blind_since is None else f"source {rule.source}: {reason}",
        flapping=flapping_text(rule) if row.flapping else "",
        advises=not rule.acts,
    )


class _Row(NamedTuple):
    """One scope of a state, as plain numbers."""

    phase: int
    no_data: bool
    flapping: bool
    quality: int
    since: float
    dark_since: float
    back_since: float
    clear_since: float
    blind_from: float
    value: float
    observed_at: float

    def stands(self) -> tuple[FindingState, float]:
        """(state, since)."""
        if self.phase == Phase.FIRING:
            clearing = not math.isnan(self.clear_since)
            return (FindingState.CLEARING if clearing else FindingState.FIRING), self.since
        if self.no_data:
            return FindingState.NO_DATA, self.dark_since
        return FindingState.PENDING, self.since


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


@dataclass(slots=True)
class SourceWatch:
    """Since when a source gives nothing; it counts as down once that lasted for `hold` seconds."""

    hold: float
    since: float | None = None
    reason: str = ""

    def failed(self, at: float, reason: str) -> None:
        if self.since is None:
            self.since = at
        self.reason = reason

    def answered(self) -> None:
        self.since, self.reason = None, ""

    def down(self, now: float) -> tuple[float, str] | None:
        """(since, reason) when it is down."""
        if self.since is None or now - self.since < self.hold:
            return None
        return self.since, self.reason


def board_of(
    at: float,
    states: Iterable[tuple[Rule, State]],
    *,
    all_rounds_done: bool,
    sources_down: Mapping[str, tuple[float, str]],
    corroborated: Corroborated | None = None,
) -> Board:
    """All findings at `at`. A source that is down is said once, not once per scope that it leaves without data."""
    findings: dict[tuple[str, Scope], Finding] = {}
    populations: dict[str, frozenset[Scope]] = {}
    for rule, state in states:
        others = populations.get(rule.mode.value)
        populations[rule.mode.value] = state.population if others is None else _both(others, state.population)
        down = sources_down.get(rule.source)
        for found in findings_of(
            rule, state, corroborated=corroborated, source_reason=down[1] if down else ""
        ):
            if down is None or found.state != FindingState.NO_DATA:
                findings[rule.name, found.scope] = found
    return Board(
        at=at,
        all_rounds_done=all_rounds_done,
        findings=findings,
        populations=populations,
        sources_down=dict(sources_down),
    )


@lru_cache(maxsize=64)
def _both(one: frozenset[Scope], other: frozenset[Scope]) -> frozenset[Scope]:
    """Kept: populations seldom change, and there may be thousands in each."""
    return one | other
