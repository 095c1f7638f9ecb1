"""Known: what the faces need of the configuration, as the parts of the packages that own them.

This layer knows no root model: whoever composes the settings hands them in, and they fit by shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from config.escalation import WorkingHours
from config.people import PersonSpec
from config.schedules import ScheduleSpec
from config.section import Autonomy
from daemon.desk.views import Ladders
from detectors.spec import DetectorSpec, Source
from remediations.counterfactual import Counterfactual
from remediations.earned import EarnedAutonomy
from remediations.spec import Playbook


@dataclass(frozen=True, slots=True)
class Known:
    """`version`: of the product. `working_hours`: None where the configuration could not be read. `files`, `digest`, `data`: the loaded configuration, secrets as references only."""

    version: str
    environment: str = ""
    autonomy: Autonomy = Autonomy.OBSERVE
    earned: EarnedAutonomy | None = None
    counterfactual: Counterfactual | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)
    detectors: Mapping[str, DetectorSpec] = field(default_factory=dict)
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    people: Mapping[str, PersonSpec] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleSpec] = field(default_factory=dict)
    working_hours: WorkingHours | None = None
    files: tuple[str, ...] = ()
    digest: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ladders(self) -> Ladders:
        return {name: tuple(rung.name for rung in book.ladder) for name, book in self.playbooks.items()}


class Composed(Protocol):
    """What of the composed settings is known here."""

    @property
    def environment(self) -> str: ...
    @property
    def autonomy(self) -> Autonomy: ...
    @property
    def earned_autonomy(self) -> EarnedAutonomy | None: ...
    @property
    def counterfactual(self) -> Counterfactual | None: ...
    @property
    def telemetry(self) -> Mapping[str, Source]: ...
    @property
    def detectors(self) -> Mapping[str, DetectorSpec]: ...
    @property
    def playbooks(self) -> Mapping[str, Playbook]: ...
    @property
    def people(self) -> Mapping[str, PersonSpec]: ...
    @property
    def schedules(self) -> Mapping[str, ScheduleSpec]: ...
    @property
    def working_hours(self) -> WorkingHours: ...


class LoadedSettings(Protocol):
    """Settings and where they came from; `data` holds secrets as references only."""

    @property
    def model(self) -> Composed: ...
    @property
    def files(self) -> tuple[Path, ...]: ...
    @property
    def digest(self) -> str: ...
    @property
    def data(self) -> object: ...


def known_of(loaded: LoadedSettings, version: str) -> Known:
    """What the faces need, from the settings as loaded."""
    settings = loaded.model
    return Known(
        version=version,
        environment=settings.environment,
        autonomy=settings.autonomy,
        earned=settings.earned_autonomy,
        counterfactual=settings.counterfactual,
        sources=settings.telemetry,
        detectors=settings.detectors,
        playbooks=settings.playbooks,
        people=settings.people,
        schedules=settings.schedules,
        working_hours=settings.working_hours,
        files=tuple(str(file) for file in loaded.files),
        digest=loaded.digest,
        data=loaded.data if isinstance(loaded.data, dict) else {},
    )
