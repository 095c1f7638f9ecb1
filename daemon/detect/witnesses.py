"""Independent witnesses: whether a finding may lead to action, by probes, other detectors and process managers.

A probe that is refused, or a manager that says "not running", is enough; one that merely does not answer has to do so
three times in a row while another probe answers (else it may be our own network). Either counts only while the next
stage of the pipeline is observed to take in nothing: missing telemetry alone proves no outage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from config.scope import Scope, covers
from config.section import FailureMode
from daemon.detect.fetching import refused, unanswered
from detectors.board import Finding, FindingState
from detectors.corroborate import Witnesses, corroborated
from detectors.rings import Rings
from detectors.rule import Rule, Signal
from detectors.signals import measure
from detectors.spec import Evidence as Piece
from detectors.values import Quality
from remediations.actions.action import ActionError
from remediations.actions.rendering import Renderer
from remediations.run import Evidence

SILENCES = 3
"""Unanswered tries in a row that count as failing."""
_KEPT = 8
_TICKS_VALID = 4.0
"""Polls after which an answer says nothing any more."""
_LONGEST_STILL = 60.0

NEXT_STAGE: Mapping[FailureMode, tuple[str, ...]] = {
    FailureMode.PROVIDER_OUTAGE: (
        "telemetry_transformation_mappings_applied_total",
        "telemetry_transformation_mappings_failed_total",
    ),
    FailureMode.INGESTION_STOPPED: (
        "telemetry_transformation_mappings_applied_total",
        "telemetry_transformation_mappings_failed_total",
    ),
    FailureMode.TRANSFORMATION_FAILURE: ("telemetry_storage_writes_total",),
}
"""What the stage after a failing one counts of its input; behind storage stands no other."""


@dataclass(slots=True)
class Testimony:
    """The last answers of every probe by scope, and of every unit by manager."""

    every: float
    probes: dict[tuple[str, Scope], deque[Evidence]] = field(default_factory=dict)
    units: dict[tuple[str, str], Evidence] = field(default_factory=dict)

    def heard(self, probe: str, scope: Scope, evidence: Evidence) -> None:
        self.probes.setdefault((probe, scope), deque(maxlen=_KEPT)).append(evidence)

    def heard_unit(self, manager: str, unit: str, evidence: Evidence) -> None:
        self.units[manager, unit] = evidence

    def failing(self, probe: str, scope: Scope, now: float) -> bool | None:
        """Whether a probe testifies to a failure; None while it has not, or not clearly, spoken."""
        answers = self._recent(probe, scope, now)
        if not answers:
            return None
        last = answers[-1]
        if last.ok:
            return False
        if refused(last):
            return True
        silences = 0
        for answer in reversed(answers):
            if not unanswered(answer):
                break
            silences += 1
        return True if silences >= SILENCES and self._control(probe, scope, now) else None

    def silent(self, now: float) -> Iterator[tuple[str, Scope]]:
        """Probes whose last answer was none: they need a control."""
        for probe, scope in self.probes:
            answers = self._recent(probe, scope, now)
            if answers and unanswered(answers[-1]):
                yield probe, scope

    def down(self, manager: str, unit: str, now: float) -> bool | None:
        """Whether the manager says that the unit does not run; None when it could not be asked."""
        said = self.units.get((manager, unit))
        if said is None or now - said.at > self._valid or (not said.ok and said.body is None):
            return None
        return not said.ok

    def forget(self, now: float) -> None:
        """Drop what is too old to say anything."""
        old = [key for key, answers in self.probes.items() if now - answers[-1].at > 10 * self._valid]
        for key in old:
            del self.probes[key]
        gone = [unit for unit, said in self.units.items() if now - said.at > 10 * self._valid]
        for unit in gone:
            del self.units[unit]

    @property
    def _valid(self) -> float:
        return _TICKS_VALID * max(self.every, 5.0)

    def _recent(self, probe: str, scope: Scope, now: float) -> list[Evidence]:
        return [said for said in self.probes.get((probe, scope), ()) if now - said.at <= self._valid]

    def _control(self, probe: str, scope: Scope, now: float) -> bool:
        """Another probe, or the same one elsewhere, was answered lately, whatever it said."""
        return any(
            not unanswered(answers[-1]) and (answers[-1].ok or not answers[-1].error)
            for other, elsewhere in self.probes
            if (other, elsewhere) != (probe, scope) and (answers := self._recent(other, elsewhere, now))
        )


@dataclass(frozen=True, slots=True)
class Court:
    """What is needed to judge a finding. `part`: the scope a probe is asked about, None when it cannot be."""

    testimony: Testimony
    firing: Mapping[str, frozenset[Scope]]
    parts: Mapping[str, frozenset[str]]
    variables: Mapping[str, object]

    def judge(self, rule: Rule, finding: Finding, rings: Rings, tick: float, now: float) -> bool | None:
        """Whether the finding is corroborated; None while the witnesses have not spoken."""
        if rule.corroborate is None:
            return None
        failing: dict[str, bool | None] = {}
        down: dict[tuple[str, str], bool | None] = {}
        firing: dict[str, bool | None] = {}
        for piece in rule.corroborate.witnesses:
            if piece.probe is not None:
                failing[piece.probe] = self._failing(piece.probe, finding.scope, now)
            elif piece.detector is not None:
                fires = self.firing.get(piece.detector, frozenset())
                firing[piece.detector] = any(covers(other, finding.scope) for other in fires)
            else:
                unit = rendered_unit(piece, finding.scope, self.variables)
                said = None if unit is None else self.testimony.down(piece.manager or "", unit, now)
                down[piece.manager or "", piece.unit or ""] = said
        if any(failing.values()) or any(down.values()):
            still = takes_in_nothing(rule, finding.scope, rings, tick)
            failing = {name: said and still for name, said in failing.items()}
            down = {name: said and still for name, said in down.items()}
        return corroborated(rule.corroborate, Witnesses(failing, firing, down))

    def _failing(self, probe: str, scope: Scope, now: float) -> bool | None:
        labels = self.parts.get(probe)
        asked = None if labels is None else reduced(scope, labels)
        return None if asked is None else self.testimony.failing(probe, asked, now)


def takes_in_nothing(rule: Rule, scope: Scope, rings: Rings, tick: float) -> bool | None:
    """Whether the next stage is observed to take in nothing at this scope; None when that cannot be seen.

    True where no stage follows. Its counters must have stood still for as long as the detector's own hold, at most
    a minute.
    """
    names = NEXT_STAGE.get(rule.mode)
    if names is None:
        return True
    by = tuple(label for label, _ in scope)
    signal = Signal("increase", names, by=by, window=max(rings_interval(rings) * 2, 1.0))
    values = measure(signal, rings, np.array([tick]), expected=(scope,))
    column = values.scopes.index(scope)
    known = values.quality[0, column] in {Quality.OK, Quality.WARMING}
    last = float(values.last_change[0, column])
    if not known or np.isnan(last):
        return None
    stood_still = float(values.observed_at[0, column]) - last
    return stood_still >= max(min(rule.fire.hold, _LONGEST_STILL), float(np.max(values.interval))) - 1e-6


def rings_interval(rings: Rings) -> float:
    """The slowest target's scrape interval."""
    return max((rings.interval_of(ring) for ring in rings), default=15.0)


def reduced(scope: Scope, labels: frozenset[str]) -> Scope | None:
    """The scope reduced to these labels; None when it lacks one."""
    own = dict(scope)
    return Scope(tuple((label, own[label]) for label in sorted(labels))) if labels <= own.keys() else None


def rendered_unit(piece: Piece, scope: Scope, variables: Mapping[str, object]) -> str | None:
    """The unit's name for a scope; None when it cannot be told, or a label would not stay in its place."""
    try:
        return Renderer({"scope": dict(scope), "vars": variables}).place(piece.unit or "")
    except ActionError:
        return None


def firing_scopes(findings: Iterable[Finding]) -> dict[str, frozenset[Scope]]:
    """Where each detector fires."""
    found: dict[str, set[Scope]] = {}
    for finding in findings:
        if finding.state in {FindingState.FIRING, FindingState.CLEARING}:
            found.setdefault(finding.detector, set()).add(finding.scope)
    return {detector: frozenset(scopes) for detector, scopes in found.items()}
