"""A pipeline for the virtual driver: counters that flow with the story's clock, and admin calls that change the flow.

Everything the daemon sees goes through the same doors as in production: `/metrics` as text, health as JSON, the
process manager as XML-RPC, version links as links. What really happened to the pipeline is kept in `effects`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from daemon.replay.virtual import Time
from remediations.ports import Ambiguous, Ports, Request, Response, Unreachable
from tests.fakes.ports import FakeDatabases, FakeFiles, FakeHttp, FakeProcesses, answer
from tests.fakes.supervisor import FakeSupervisor, Program

PROVIDERS = ("navixy", "teltonika", "oem-a")
TIERS = ("hot", "warm", "cold")
ENDPOINTS = {"live": 0.5, "history": 2.0}
SUPERVISOR = "unix:///run/supervisor.sock"
EDGE = "http://edge:9100/metrics"

Key = tuple[str, tuple[tuple[str, str], ...]]


def series(name: str, **labels: str) -> Key:
    return name, tuple(sorted(labels.items()))


@dataclass(frozen=True)
class Effect:
    """One thing that really happened to the pipeline."""

    at: float
    what: str
    key: str


@dataclass
class Tier:
    reason: str = "ok"
    error_share: float = 0.0
    stalled: bool = False
    slow_reads: float = 0.0
    active: str = "primary"
    primary: str = "healthy"
    lag: float = 1.0
    pool: int = 10
    read_only: bool = False
    spooling: bool = False
    up: bool = True


@dataclass
class World:
    """`liar`: admin calls answer 200 and nothing happens. `silent`: `/metrics` cannot be reached."""

    time: Time
    rates: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PROVIDERS, 30.0))
    tiers: dict[str, Tier] = field(default_factory=lambda: {tier: Tier() for tier in TIERS})
    slow: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ENDPOINTS, 0.0))
    mapping_failures: dict[str, float] = field(default_factory=dict)
    missing_values: dict[str, float] = field(default_factory=dict)
    provider_errors: dict[str, float] = field(default_factory=dict)
    provider_state: dict[str, str] = field(default_factory=dict)
    liar: bool = False
    silent: bool = False
    ambiguous: bool = False
    effects: list[Effect] = field(default_factory=list)
    counters: dict[Key, float] = field(default_factory=dict)
    on_admin: Callable[[str, Mapping[str, Any]], None] | None = None
    mended_after: Callable[[], None] | None = None
    _at: float = math.nan

    def __post_init__(self) -> None:
        self.http = FakeHttp(self.time)  # type: ignore[arg-type]  # a story's clock has both readings
        self.files = FakeFiles()
        self.supervisor = FakeSupervisor()
        for unit in (
            *(f"ingestion-{p}" for p in PROVIDERS),
            "transformation",
            *(f"storage-writer-{t}" for t in TIERS),
            "api",
        ):
            self.supervisor.add(unit)
        for index in range(4):
            state = "RUNNING" if index < 2 else "STOPPED"
            self.supervisor.add("api-worker", f"api-worker-{index}", state=state)
        self.supervisor.serve(self.http, SUPERVISOR)
        self.http.on("POST", SUPERVISOR, self._supervise)
        self.http.on("GET", EDGE, self._metrics)
        for method in ("GET", "POST"):
            for host in ("storage-admin", "transformation", "api", *(f"ingestion-{p}" for p in PROVIDERS)):
                self.http.on(method, f"http://{host}:8080", self._admin)
        self.http.on("GET", "https://status.example.org", self._status)
        for what in ("mapping", "rules", "ingestion"):
            folder = Path(f"/srv/pipeline/{what}")
            self.files.add_version(folder, "v001", self.time.now() - 86_400)
            self.files.add_version(folder, "v002", self.time.now() - 600)
            self.files.links[folder / "current"] = Path("v002")

    @property
    def ports(self) -> Ports:
        return Ports(self.http, FakeProcesses(), self.files, FakeDatabases(), self.time)

    def did(self, what: str) -> list[Effect]:
        """Effects whose name begins so."""
        return [effect for effect in self.effects if effect.what.startswith(what)]

    # ------------------------------------------------------------------ what flows

    def flow(self) -> None:
        """Let the counters run up to now under the present state; call it before changing that state."""
        now = self.time.now()
        elapsed = 0.0 if math.isnan(self._at) else now - self._at
        self._at = now
        for provider in PROVIDERS:
            self._flow_provider(provider, elapsed)
        for tier, state in self.tiers.items():
            self._flow_tier(tier, state, elapsed)
        for endpoint, sla in ENDPOINTS.items():
            self._flow_endpoint(endpoint, sla, elapsed)

    def _add(self, amount: float, name: str, **labels: str) -> None:
        key = series(name, **labels)
        self.counters[key] = self.counters.get(key, 0.0) + amount

    def _flow_provider(self, provider: str, elapsed: float) -> None:
        errors = self.provider_errors.get(provider, 0.0)
        alive = self._running(f"ingestion-{provider}")
        packets = self.rates[provider] * elapsed * (1 - errors) * alive
        self._add(packets, "telemetry_ingestion_packets_received_total", provider=provider, customer="all")
        self._add(packets, "telemetry_ingestion_packets_parsed_total", provider=provider, customer="all")
        self._add(2 * elapsed * alive, "telemetry_ingestion_provider_requests_total", provider=provider)
        self._add(
            2 * elapsed * errors * alive,
            "telemetry_ingestion_provider_errors_total",
            provider=provider,
            reason="timeout",
        )
        failed = self.mapping_failures.get(provider, 0.0)
        name = "telemetry_transformation_mappings"
        self._add(packets * (1 - failed), f"{name}_applied_total", provider=provider, field="speed")
        self._add(packets * failed, f"{name}_failed_total", provider=provider, field="speed")
        self._add(packets, "telemetry_transformation_status_computed_total", provider=provider)
        self._add(0.0, "telemetry_transformation_status_errors_total", provider=provider)
        missing = self.missing_values.get(provider, 0.0)
        self._add(packets, "telemetry_quality_values_checked_total", provider=provider, field="speed")
        self._add(
            packets * missing, "telemetry_quality_fields_missing_total", provider=provider, field="speed"
        )
        self._add(0.0, "telemetry_quality_values_invalid_total", provider=provider, field="speed")
        self._add(0.0, "telemetry_quality_schema_violations_total", provider=provider)

    def _flow_tier(self, tier: str, state: Tier, elapsed: float) -> None:
        writes = 0.0 if state.stalled else 50 * elapsed
        self._add(writes, "telemetry_storage_writes_total", tier=tier)
        self._add(writes * state.error_share, "telemetry_storage_write_errors_total", tier=tier)
        self._histogram(
            "telemetry_storage_read_duration_seconds", 20 * elapsed, state.slow_reads, 0.1, tier=tier
        )

    def _flow_endpoint(self, endpoint: str, sla: float, elapsed: float) -> None:
        requests = 40 * elapsed
        self._add(requests, "telemetry_api_requests_total", endpoint=endpoint, code="200")
        self._add(0.0, "telemetry_api_errors_total", endpoint=endpoint, code="500")
        self._histogram(
            "telemetry_api_request_duration_seconds", requests, self.slow[endpoint], sla, endpoint=endpoint
        )

    def _histogram(self, name: str, events: float, slow: float, edge: float, **labels: str) -> None:
        for bound in (0.1, 0.5, 2.0):
            share = 1.0 if bound > edge else 1 - slow
            share = share if bound >= edge else 0.5 * (1 - slow)
            self._add(events * share, f"{name}_bucket", le=f"{bound:g}", **labels)
        self._add(events, f"{name}_bucket", le="+Inf", **labels)
        self._add(events, f"{name}_count", **labels)

    def _running(self, unit: str) -> float:
        program = next(p for p in self.supervisor.programs if p.full_name == unit)
        return 1.0 if program.state == "RUNNING" else 0.0

    # ------------------------------------------------------------------ doors

    def _metrics(self, _: Request) -> Response:
        if self.silent:
            raise Unreachable("connection refused")
        self.flow()
        lines = [f"{_line(key)} {value!r}" for key, value in self.counters.items()]
        return answer(200, "\n".join(lines) + "\n")

    def _status(self, request: Request) -> Response:
        provider = request.url.rsplit("/", 1)[1]
        return answer(200, orjson.dumps({"state": self.provider_state.get(provider, "up")}))

    def _supervise(self, request: Request) -> Response:
        before = len(self.supervisor.orders)
        self.flow()
        states = {p.full_name: p.state for p in self.supervisor.programs}
        response = self.supervisor.respond(request)
        for name, unit in self.supervisor.orders[before:]:
            self.effects.append(Effect(self.time.now(), f"{name} {unit}", ""))
            if name == "startProcess" and not self.liar:
                self._started(unit)
        del states
        return response

    def _started(self, unit: str) -> None:
        """A fresh process has none of the faults that lived in its memory."""
        tier = self.tiers.get(unit.removeprefix("storage-writer-"))
        if tier is not None and tier.reason == "writer_hung":
            tier.reason, tier.stalled, tier.error_share, tier.up = "ok", False, 0.0, True
        if self.mended_after is not None:
            self.mended_after()

    def _admin(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        if request.method == "GET":
            return answer(200, orjson.dumps(self._health(request.url, path)))
        self.flow()
        body = orjson.loads(request.body or b"{}")
        key = {name.lower(): value for name, value in request.headers.items()}.get("idempotency-key", "")
        self.effects.append(Effect(self.time.now(), f"{path} {_shown(body)}", key))
        if not self.liar:
            self._change(path, body)
            if self.on_admin is not None:
                self.on_admin(path, body)
        if self.ambiguous:
            raise Ambiguous("no answer")
        return answer(200, b'{"ok": true}')

    def _health(self, url: str, path: str) -> Mapping[str, Any]:
        if path.startswith("/tiers/"):
            name = path.split("/")[2]
            tier = self.tiers[name]
            if not tier.up:
                raise Unreachable("Connection refused")
            return {
                "status": "ok" if tier.reason == "ok" else "failing",
                "tier": name,
                "reason": tier.reason,
                "primary": tier.primary,
                "active": tier.active,
                "replica_lag_s": tier.lag,
                "pool": {"size": tier.pool, "used": tier.pool},
                "disk": {"free_share": 0.5},
                "read_only": tier.read_only,
                "spooling": tier.spooling,
                "spooled": 0,
            }
        if "ingestion-" in url:
            provider = url.split("ingestion-")[1].split(":")[0]
            if not self._running(f"ingestion-{provider}"):
                raise Unreachable("Connection refused")
            return {
                "status": "ok",
                "provider": provider,
                "breaker": "closed",
                "endpoint": "primary",
                "has_secondary": True,
                "credentials": "valid",
                "dominant_error": "none",
                "config_version": "v002",
                "rate_factor": 1.0,
            }
        return {
            "status": "ok",
            "workers": 2,
            "cache": "off",
            "slow_backend": "none",
            "mapping_version": "v002",
            "rules_version": "v002",
            "stuck": False,
            "quarantined": [],
        }

    def _change(self, path: str, body: Mapping[str, Any]) -> None:
        if not path.startswith("/tiers/"):
            return
        _, _, name, verb = path.split("/")
        tier = self.tiers[name]
        if verb == "failover":
            tier.active, tier.error_share, tier.stalled = "replica", 0.0, False
        elif verb == "failback":
            tier.active = "primary"
            tier.error_share = 1.0 if tier.primary == "refusing" else 0.0
        elif verb == "pool":
            tier.pool = int(body["size"])
            if tier.reason == "pool_exhausted" and tier.pool > 10:
                tier.reason, tier.error_share = "ok", 0.0
        elif verb == "read-only":
            tier.read_only = tier.spooling = bool(body["on"])

    def break_tier(self, name: str, reason: str, *, errors: float = 1.0, primary: str = "healthy") -> None:
        """A tier fails from now on."""
        self.flow()
        tier = self.tiers[name]
        tier.reason, tier.error_share, tier.primary = reason, errors, primary

    def heal_tier(self, name: str) -> None:
        self.flow()
        self.tiers[name] = Tier()

    def kill(self, unit: str) -> Program:
        self.flow()
        program = next(p for p in self.supervisor.programs if p.full_name == unit)
        program.state, program.pid = "EXITED", 0
        return program

    def counts(self) -> Counter[str]:
        return Counter(effect.what for effect in self.effects)


def _line(key: Key) -> str:
    name, labels = key
    inner = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inner}}}"


def _shown(body: Any) -> str:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode() if body else ""
