"""From the state of every rule to the board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from config.scope import Scope
from detectors.board import Board, Finding, FindingState
from detectors.rule import Rule
from detectors.state import Phase, State
from detectors.texts import threshold_text
from detectors.values import REASONS, Quality

Corroborated = Mapping[tuple[str, Scope], bool | None]


def findings_of(
    rule: Rule, state: State, *, corroborated: Corroborated | None = None, source_reason: str = ""
) -> list[Finding]:
    """The findings of one rule: every scope that is pending, firing, clearing or without data.

    `corroborated`: by (detector, scope), for rules that ask for it. `source_reason`: why the source is down, if so.
    """
    busy = (state.phase != Phase.IDLE) | state.no_data
    if not busy.any():
        return []
    text = threshold_text(rule)
    return [
        _finding(rule, state, int(index), text, corroborated or {}, source_reason)
        for index in np.flatnonzero(busy)
    ]


def _finding(
    rule: Rule, state: State, index: int, threshold: str, corroborated: Corroborated, source_reason: str
) -> Finding:
    scope = state.scopes[index]
    phase = Phase(int(state.phase[index]))
    where = FindingState.PENDING
    since = float(state.since[index])
    if phase == Phase.FIRING:
        where = FindingState.FIRING if np.isnan(state.clear_since[index]) else FindingState.CLEARING
    elif state.no_data[index]:
        where, since = FindingState.NO_DATA, float(state.dark_since[index])
    unseen = _number(state.blind_from[index])
    lasted = unseen is not None and state.last_tick - unseen >= rule.no_data_for
    quality = Quality(int(state.quality[index]))
    reason = ""
    if unseen is not None:
        reason = f"source {rule.source}: {source_reason or REASONS[quality]}"
    return Finding(
        detector=rule.name,
        failure_mode=rule.mode.value,
        scope=scope,
        state=where,
        since=since,
        value=_number(state.value[index]),
        threshold=threshold,
        severity=rule.severity.value,
        observed_at=_number(state.observed_at[index]),
        blind_since=unseen,
        blind=bool(state.no_data[index]) or lasted,
        corroborated=corroborated.get((rule.name, scope)) if rule.corroborate else None,
        reason=reason,
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


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
        populations[rule.mode.value] = state.population if others is None else others | state.population
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
