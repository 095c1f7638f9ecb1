"""The sections that the fleet pack fills."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from config.escalation import DigestSpec, HeadsUpSpec, PerSeverity, Policy
from config.people import Channels, PersonSpec, Teams
from config.probes import ProbeSpec
from config.schedules import ScheduleSpec
from config.section import Section
from detectors.spec import Detectors
from remediations.spec import Playbook
from remediations.spec_managers import ManagerSpec


class Sections(Section):
    """The sections the pack fills, with their own specs; the rest of the root is anything."""

    model_config = ConfigDict(extra="allow")

    detectors: Detectors = Field(default_factory=dict)
    probes: dict[str, ProbeSpec] = Field(default_factory=dict)
    managers: dict[str, ManagerSpec] = Field(default_factory=dict)
    playbooks: dict[str, Playbook] = Field(default_factory=dict)
    vars: dict[str, Any] = Field(default_factory=dict)
    people: dict[str, PersonSpec] = Field(default_factory=dict)
    teams: Teams = Field(default_factory=dict)
    channels: Channels = Field(default_factory=dict)
    schedules: dict[str, ScheduleSpec] = Field(default_factory=dict)
    escalation: dict[str, Policy] = Field(default_factory=dict)
    remind: PerSeverity = Field(default_factory=dict)
    heads_up: HeadsUpSpec | None = None
    digest: DigestSpec | None = None
