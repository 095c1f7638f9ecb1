"""Many tiers with one gauge each, an admin call that takes its time, and a receiver of pages: a story of sheer number.

The daemon decides by the story's clock; what is configured is the least that lets a tier fail, be mended and be told of.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.loader import Loaded
from daemon.incidents.change import Job
from daemon.incidents.model import Incident
from daemon.incidents.records import Attempt, Delivery
from daemon.replay.virtual import Time, VirtualDriver
from daemon.settings.load import load
from daemon.settings.model import Settings
from daemon.store.store import Store
from remediations.ports import Ports, Request
from tests.fakes.ports import EPOCH, FakeDatabases, FakeFiles, FakeHttp, FakeProcesses, answer

HOST = "http://plant"
SECRETS = {"HOOK": "whsec_" + "dGllcnMtdGllcnMtdGllcnMtdGllcnMtdGllcnMtdGk="}


def config(slow: int, cap: int) -> dict[str, Any]:
    """The first `slow` tiers have a rung that is storm-safe; the others' waits for the end of a storm."""
    rung = {
        "name": "mend",
        "do": {"http": {"method": "POST", "url": f"{HOST}/mend/{{{{ scope.tier }}}}", "timeout": "30s"}},
        "verify": {"within": "30s", "hold": "5s"},
        "on_interrupt": "rerun",
        "autonomy": "auto",
    }
    guardrails = {"cooldown": "0s", "budget": "1000 per 1h", "wait_up_to": "1h"}
    book: dict[str, Any] = {"failure_mode": "storage_failure", "deadline": "12h"}
    book["guardrails"] = guardrails | {"blast_radius": {"max_scopes": 1000}}
    names = [f"t{number}" for number in range(slow)]
    hook = {"url": f"{HOST}/page", "secret": {"env": "HOOK"}}
    return {
        "version": 1,
        "environment": "story",
        "autonomy": "auto",
        "pack": "none",
        "poll_interval": "5s",
        "telemetry": {"plant": {"type": "scrape", "targets": [f"{HOST}/metrics"], "every": "5s"}},
        "detectors": {
            "tier-fault": {
                "failure_mode": "storage_failure",
                "signal": {"gauge": {"of": "tier_fault", "by": ["tier"]}},
                "fire": {"above": 0.5, "for": "0s"},
                "clear": {"below": 0.5, "for": "5s"},
            }
        },
        "topology": {"shared_cause": "100%"},
        "playbooks": {
            "slow": {**book, "match": {"tier": names}, "ladder": [{**rung, "storm_safe": True}]},
            "others": {**book, "ladder": [rung]},
        },
        "people": {"ana": {"name": "Ana", "channels": [{"webhook": hook}]}},
        "escalation": {"default": [{"level": "L1", "notify": ["person:ana"]}]},
        "limits": {"in_flight": cap, "in_flight_per_target": cap},
    }


def loaded(written: dict[str, Any]) -> Loaded[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiers.yaml"
        file.write_text(json.dumps(written), encoding="utf-8")
        return load([file], environment=SECRETS)


@dataclass
class Tiers:
    """`broken`: numbers of the tiers that fail now. An action takes `slowness` seconds and mends nothing."""

    count: int
    slow: int
    cap: int
    slowness: float = 12.0
    more: dict[str, Any] = field(default_factory=dict)
    """Sections of the configuration in place of the usual ones."""
    broken: set[int] = field(default_factory=set)
    pages: list[dict[str, Any]] = field(default_factory=list)
    driver: VirtualDriver = field(init=False)
    most_in_flight: int = 0
    most_transactions: float = 0.0
    """Of one round."""
    _taken: float = 0.0

    def __post_init__(self) -> None:
        self.time = Time(EPOCH)
        http = FakeHttp(self.time)  # type: ignore[arg-type]  # it reads `monotonic` only
        http.on("GET", f"{HOST}/metrics", self._metrics)
        http.on("POST", f"{HOST}/mend", answer(200, "{}"))
        http.on("POST", f"{HOST}/page", self._page)
        ports = Ports(http, FakeProcesses(), FakeFiles(self.time), FakeDatabases(), self.time)
        self.http = http
        self.driver = VirtualDriver(
            loaded(config(self.slow, self.cap) | self.more),
            ports,
            self.time,
            self._latency,
            Store.open("sqlite://"),
        )

    def run(self, seconds: float) -> None:
        self.driver.run_for(seconds, until=self._watched)

    # ------------------------------------------------------------------ what stands in the store

    def incidents(self) -> list[Incident]:
        with self.driver.store.read() as uow:
            return list(uow.incidents.search(limit=1_000).incidents)

    def in_flight(self) -> list[Attempt]:
        with self.driver.store.read() as uow:
            return list(uow.attempts.in_flight())

    def deliveries(self, incident: Incident) -> list[Delivery]:
        with self.driver.store.read() as uow:
            return list(uow.deliveries.of(incident.id))

    # ------------------------------------------------------------------ inside

    def _metrics(self, _: Request) -> Any:
        lines = (f'tier_fault{{tier="t{n}"}} {int(n in self.broken)}\n' for n in range(self.count))
        return answer(200, "# TYPE tier_fault gauge\n" + "".join(lines))

    def _page(self, request: Request) -> Any:
        self.pages.append(json.loads(request.body or b"{}"))
        return answer(204)

    def _latency(self, job: Job) -> float:
        return self.slowness if job.kind == "action" else 0.05

    def _watched(self) -> bool:
        """Looks after every round; never stops the story."""
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight()))
        registry = self.driver.loop.metrics.registry
        taken = registry.get_sample_value("fleetmend_store_transaction_seconds_count") or 0.0
        self.most_transactions = max(self.most_transactions, taken - self._taken)
        self._taken = taken
        return False
