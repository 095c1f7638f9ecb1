"""The root of the configuration. A stage is handed its own section only; nobody but `app` sees the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.addresses import HostPort, StoreAddress, WebAddress
from config.drills import DrillsSpec
from config.escalation import (
    DEFAULT_REMIND,
    DigestSpec,
    HeadsUpSpec,
    Intervals,
    PageTestSpec,
    PagingSpec,
    Policy,
    WorkingHours,
)
from config.people import Channels, PersonSpec, Teams
from config.probes import ProbeSpec
from config.problems import Wrong
from config.schedules import ScheduleSpec
from config.secrets import Secret
from config.section import Autonomy, Section
from config.units import Duration
from daemon.assess.topology import Topology
from daemon.desk.tokens import TokenSpec
from daemon.detect.inbox import InboxSpec
from detectors.spec import Detectors, Inventory, Telemetry
from remediations.counterfactual import Counterfactual
from remediations.earned import EarnedAutonomy
from remediations.spec import Limits, Playbook, Storm
from remediations.spec_managers import ManagerSpec

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


def _version(value: object) -> object:
    # Python takes true for 1.
    if isinstance(value, bool):
        raise Wrong(f"expected 1, got {str(value).lower()}", "write version: 1")
    return value


def _of_a_file(path: Path) -> Path:
    if path.name in {"", ".."} or "\0" in str(path):
        raise Wrong("expected the path of a file", "write one such as /run/fleetmend/pause")
    return path


class Heartbeat(Section):
    """An outside dead-man's switch, fetched every so often while the daemon's own audit passes.

    `kind`: a `healthchecks` switch is also told of the start, and which check of the audit fails; a `plain` one hears
    nothing then.
    """

    url: Secret
    kind: Literal["plain", "healthchecks"] = "plain"
    every: Annotated[Duration, Field(ge=5)] = 60.0


class Retention(Section):
    """How long ended incidents and timelines are kept; what is still owed or open is kept regardless."""

    timeline: Annotated[Duration, Field(gt=0)] = 400 * 86400.0
    closed_incidents: Annotated[Duration, Field(gt=0)] = 400 * 86400.0


class Settings(Section):
    """Everything a daemon is told. `autonomy` is the ceiling for every rung.

    `local_operator`: a browser on this machine may order in the console without a token; only on loopback.
    """

    version: Annotated[Literal[1], BeforeValidator(_version)]
    environment: Annotated[str, Field(max_length=100)] = "production"
    autonomy: Autonomy = Autonomy.OBSERVE
    state: StoreAddress = "sqlite:////var/lib/fleetmend/state.db"
    listen: HostPort = "127.0.0.1:9876"
    public_url: WebAddress | None = None
    local_operator: bool = False
    signing_keys: Annotated[tuple[Secret, ...], Field(max_length=2)] = ()
    poll_interval: Annotated[Duration, Field(ge=0.1, le=3600)] = 15.0
    pack: Literal["fleet", "none"] = "fleet"
    kill_switch: Annotated[Path, AfterValidator(_of_a_file)] | None = None

    telemetry: Telemetry = Field(default_factory=dict)
    inbox: InboxSpec = InboxSpec()
    inventory: Inventory = Inventory()
    topology: Topology = Topology()
    detectors: Detectors = Field(default_factory=dict)
    probes: dict[Name, ProbeSpec] = Field(default_factory=dict)
    managers: dict[Name, ManagerSpec] = Field(default_factory=dict)
    playbooks: dict[Name, Playbook] = Field(default_factory=dict)

    people: dict[Name, PersonSpec] = Field(default_factory=dict)
    teams: Teams = Field(default_factory=dict)
    channels: Channels = Field(default_factory=dict)
    schedules: dict[Name, ScheduleSpec] = Field(default_factory=dict)
    escalation: dict[Name, Policy] = Field(default_factory=dict)
    remind: Intervals = Field(default_factory=lambda: dict(DEFAULT_REMIND))
    heads_up: HeadsUpSpec | None = None
    digest: DigestSpec | None = None
    page_test: PageTestSpec | None = None
    paging: PagingSpec = PagingSpec()
    working_hours: WorkingHours = WorkingHours()

    earned_autonomy: EarnedAutonomy | None = None
    counterfactual: Counterfactual | None = None
    """Whether reports hold each rung against the same fault left alone. Left out: they do not."""
    storm: Storm = Storm()
    drills: DrillsSpec = DrillsSpec()
    limits: Limits = Limits()
    heartbeat: Heartbeat | None = None
    retention: Retention = Retention()
    tokens: tuple[TokenSpec, ...] = ()
    vars: dict[str, Any] = Field(default_factory=dict)
    """The operator's own values for templates: addresses, paths, names."""
