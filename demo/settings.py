"""Every figure of the pipeline, read from pipeline.yaml; and the stack: one running pipeline with its folder and ports."""

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from itertools import cycle
from pathlib import Path
from typing import Any

PROVIDERS = ("navixy", "teltonika", "oem-a")
NEWCOMER = "newcomer"
TIERS = ("hot", "warm", "cold")
PORT_RANGE = (
    20000,
    32000,
)  # below the range the kernel gives to outgoing connections, which could take a dead process's port
APART = 64
"""Ports from one owner's first to the next one's: more than a stack has."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    packets_per_s: float
    assets: int
    buffer: int
    replay: int
    hold_s: float
    rate_limit_per_s: float
    night_packets_per_s: float
    newcomer_packets_per_s: float
    burst_s: float


@dataclass(frozen=True, slots=True)
class IngestionSettings:
    poll_s: float
    timeout_s: float
    batch: int
    send_s: float
    queue: int
    half_open_s: float
    look_s: float
    connected_for_s: float


@dataclass(frozen=True, slots=True)
class TransformationSettings:
    queue: int
    send_s: float
    send_batch: int
    retry_batch: int
    send_timeout_s: float
    converter_timeout_s: float
    converter_timeout_stuck_s: float
    look_s: float


@dataclass(frozen=True, slots=True)
class StorageSettings:
    pool_size: int
    pool_wait_s: float
    busy_s: float
    write_wait_s: float
    hung_after_s: float
    reason_for_s: float
    maintenance_hold_s: float
    maintenance_gap_s: float
    warm_fs_mb: int
    warm_segment_kb: int
    warm_segments: int
    warm_history: int
    disk_full_share: float
    archive_keep_mb: int
    cold_segment_mb: int
    cold_keep_mb: int


@dataclass(frozen=True, slots=True)
class ApiSettings:
    workers: int
    max_workers: int
    wait_live_s: float
    wait_history_s: float
    worker_timeout_s: float
    retry_worker_s: float
    geocode_s: float
    stale_s: float
    slow_backend_s: float
    client_window_s: float
    save_s: float


@dataclass(frozen=True, slots=True)
class TrafficSettings:
    live_per_s: float
    live_threads: int
    history_per_s: float
    history_threads: int
    bulk_per_s: float
    bulk_threads: int
    timeout_s: float
    assets: int


@dataclass(frozen=True, slots=True)
class ManageSettings:
    serve_within_s: float
    settle_s: float
    stop_wait_s: int
    start_s: int
    rolling_pause_s: float
    self_heals_after_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class Settings:
    provider: ProviderSettings
    ingestion: IngestionSettings
    transformation: TransformationSettings
    storage: StorageSettings
    api: ApiSettings
    traffic: TrafficSettings
    manage: ManageSettings


SECTIONS: dict[str, type] = {
    "provider": ProviderSettings,
    "ingestion": IngestionSettings,
    "transformation": TransformationSettings,
    "storage": StorageSettings,
    "api": ApiSettings,
    "traffic": TrafficSettings,
    "manage": ManageSettings,
}


def settings_from(content: dict[str, Any]) -> Settings:
    """Raises ValueError with every missing and unknown key."""
    problems: list[str] = []
    for name, section in SECTIONS.items():
        wanted, given = {entry.name for entry in fields(section)}, set(content.get(name, {}))
        problems += [f"{name}.{key} is missing" for key in sorted(wanted - given)]
        problems += [f"{name}.{key} is unknown" for key in sorted(given - wanted)]
    problems += [f"{name} is unknown" for name in sorted(set(content) - set(SECTIONS))]
    if problems:
        raise ValueError("; ".join(problems))
    return Settings(**{name: section(**content[name]) for name, section in SECTIONS.items()})


def load_settings(path: Path) -> Settings:
    from ruamel.yaml import YAML  # four megabytes that only the commands pay

    return settings_from(YAML(typ="safe").load(path.read_text(encoding="utf-8")))


def port_names(max_workers: int) -> list[str]:
    names = [f"{provider}-primary" for provider in (*PROVIDERS, NEWCOMER)] + ["navixy-secondary"]
    names += [
        f"{kind}-{provider}" for provider in (*PROVIDERS, NEWCOMER) for kind in ("provider", "ingestion")
    ]
    names += ["transformation", *(f"storage-writer-{tier}" for tier in TIERS), "api", "traffic"]
    return names + [f"api-worker-{number}" for number in range(max_workers)]


def free_ports(names: list[str], owner: int | None = None) -> dict[str, int]:
    """A free loopback port for each name; all are held until all are found.

    Until its programs have bound them somebody else may take them: so each owner (left out: this process) looks from a
    place of its own on, and stacks that start at the same moment do not meet.
    """
    low, high = PORT_RANGE
    places = (high - low) // APART
    begin = ((os.getpid() if owner is None else owner) % places) * APART
    candidates = cycle((*range(low + begin, high), *range(low, low + begin)))
    held: list[socket.socket] = []
    ports: dict[str, int] = {}
    try:
        for name in names:
            while name not in ports:
                candidate = socket.socket()
                held.append(candidate)
                port = next(candidates)
                try:
                    candidate.bind(("127.0.0.1", port))
                except OSError:
                    continue
                ports[name] = port
    finally:
        for one in held:
            one.close()
    return ports


@dataclass(frozen=True, slots=True)
class Stack:
    """One pipeline: its folder, its figures, its ports, and what it was refused at its start."""

    state: Path
    settings: Settings
    ports: dict[str, int]
    prefix: tuple[str, ...] = ()
    warm_left_out: str = ""
    chmod_left_out: str = ""

    @property
    def effects(self) -> Path:
        return self.state / "effects"

    @property
    def faults(self) -> Path:
        return self.state / "faults"

    @property
    def mapping(self) -> Path:
        return self.state / "mapping"

    @property
    def rules(self) -> Path:
        return self.state / "rules"

    @property
    def ingestion_config(self) -> Path:
        return self.state / "ingestion"

    @property
    def versioned(self) -> list[Path]:
        """The folders of everything that has versions and a `current` link."""
        return [self.mapping, self.rules, self.ingestion_config]

    @property
    def socket(self) -> Path:
        return self.state / "supervisor.sock"

    def port(self, name: str) -> int:
        return self.ports[name]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def save(self) -> None:
        content = asdict(self) | {"state": str(self.state), "prefix": list(self.prefix)}
        (self.state / "stack.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, state: Path) -> "Stack":
        """Raises FileNotFoundError where no stack was brought up."""
        content = json.loads((state / "stack.json").read_text(encoding="utf-8"))
        return cls(
            state=Path(content["state"]),
            settings=settings_from(content["settings"]),
            ports=content["ports"],
            prefix=tuple(content["prefix"]),
            warm_left_out=content["warm_left_out"],
            chmod_left_out=content["chmod_left_out"],
        )
