"""The programs of a story's pipeline: what each counts in a second, what its health says, and what admin calls change.

They hold state only. Faults are fields that a story sets; what mends a fault is what the runbooks say mends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PROVIDERS = ("navixy", "teltonika", "oem-a")
TIERS = ("hot", "warm", "cold")
ENDPOINTS = {"live": 0.5, "history": 2.0}
FIELDS = ("speed", "fuel", "odometer", "ignition")
REQUESTS = 2.0
"""Fetches a second of each consumer."""

Count = tuple[str, float, dict[str, str]]
"""(metric, growth, labels)."""


class Refused(Exception):
    """An admin call that asks for what is already so: answered with 409."""


@dataclass
class Consumer:
    """One provider and the consumer that fetches from it. `primary`, `secondary`: ok | no-answer."""

    provider: str
    rate: float = 30.0
    primary: str = "ok"
    secondary: str = "ok"
    limited: bool = False
    """The provider allows a quarter of the calls that are made."""
    token_expired: bool = False
    errors: float = 0.0
    """Share of fetches that fail with 5xx, whatever is done."""
    suspended: frozenset[str] = frozenset()
    quiet: bool = False
    """Nothing comes though every fetch is answered."""
    endpoint: str = "primary"
    breaker: str = "closed"
    factor: float = 1.0
    hung: bool = False
    impostor: bool = False
    """Runs, so the manager says, and serves nothing."""
    configured: bool = True
    """Has read a configuration that it could use."""
    requests: float = REQUESTS

    @property
    def serving(self) -> bool:
        return not self.hung and not self.impostor

    def failing(self) -> tuple[str, float]:
        """(reason, share of failed fetches) as the provider stands now."""
        here = self.primary if self.endpoint == "primary" else self.secondary
        if here == "no-answer":
            return "timeout", 1.0
        if self.token_expired:
            return "auth", 1.0
        if self.limited and self.factor > 0.25:
            return "rate_limited", 0.75
        return ("server_error", self.errors) if self.errors else ("none", 0.0)

    def settle(self) -> None:
        """A half-open breaker lets a probe through, and closes or opens by its answer."""
        if self.breaker == "half_open":
            self.breaker = "open" if self.failing()[1] >= 1.0 else "closed"

    def flow(self, seconds: float) -> tuple[float, list[Count]]:
        """Packets that arrived, and what was counted."""
        self.settle()
        reason, share = self.failing()
        idle = self.breaker == "open" or not self.configured
        calls = 0.0 if idle else self.requests * self.factor * seconds
        packets = 0.0 if idle or self.quiet else self.rate * (1 - share) * seconds
        mine = {"provider": self.provider}
        counts: list[Count] = [
            ("telemetry_ingestion_provider_requests_total", calls, mine),
            ("telemetry_ingestion_packets_failed_total", 0.0, mine | {"customer": "acme"}),
        ]
        failed = {"reason": "timeout" if reason == "none" else reason}
        counts.append(("telemetry_ingestion_provider_errors_total", calls * share, mine | failed))
        for customer in ("acme", "globex"):
            part = 0.0 if customer in self.suspended else packets / 2
            counts += [
                (f"telemetry_ingestion_packets_{what}_total", part, mine | {"customer": customer})
                for what in ("received", "parsed")
            ]
        return packets, counts

    def order(self, path: str, body: Mapping[str, Any]) -> None:
        if path == "/admin/breaker":
            if self.breaker == body["state"]:
                raise Refused(f"the breaker is already {self.breaker}")
            self.breaker = str(body["state"])
        elif path == "/admin/endpoint":
            if self.endpoint == body["use"]:
                raise Refused(f"{self.endpoint} is already in use")
            self.endpoint = str(body["use"])
        elif path == "/admin/rate":
            self.factor = float(body["factor"])
        elif path == "/admin/credentials/rotate":
            self.token_expired = False
        if path != "/admin/breaker" and self.breaker == "open":
            self.breaker = "half_open"
        self.settle()

    def health(self) -> dict[str, Any]:
        reason, share = self.failing()
        dominant = reason if share > 0.5 else "none"
        return {
            "status": "ok" if dominant == "none" else "failing",
            "provider": self.provider,
            "breaker": self.breaker,
            "endpoint": self.endpoint,
            "has_secondary": True,
            "credentials": "expired" if self.token_expired else "valid",
            "dominant_error": dominant,
            "rate_factor": self.factor,
        }


@dataclass
class Transformer:
    """Maps packets to records. `payload`: provider -> changed-types | fuel-renamed | speed-out-of-range.

    `mapping`, `rules`: what the version in use does wrong for Navixy, if anything.
    """

    payload: dict[str, str] = field(default_factory=dict)
    mapping: str = ""
    rules: str = ""
    stuck: bool = False
    stalled: bool = False
    isolated: set[str] = field(default_factory=set)
    letters: int = 0
    mapping_failures: dict[str, float] = field(default_factory=dict)
    missing: dict[tuple[str, str], float] = field(default_factory=dict)

    def unmapped(self, provider: str, name: str) -> float:
        """Share of a field's mappings that fail."""
        wrong = provider == "navixy" and name in {"speed", "fuel"} and self.mapping == "wrong-source"
        stuck = provider == "navixy" and name == "speed" and self.stuck
        changed = self.payload.get(provider) == "changed-types" and name in {"speed", "fuel"}
        return 1.0 if wrong or stuck or changed else self.mapping_failures.get(provider, 0.0)

    def invalid(self, provider: str, name: str) -> float:
        wrong = provider == "navixy" and (self.mapping == "wrong-scale" or self.rules == "too-strict")
        return float(name == "speed" and (wrong or self.payload.get(provider) == "speed-out-of-range"))

    def absent(self, provider: str, name: str) -> float:
        renamed = self.payload.get(provider) == "fuel-renamed" and name == "fuel"
        return 1.0 if renamed else self.missing.get((provider, name), 0.0)

    def flow(self, packets: Mapping[str, float]) -> tuple[float, list[Count]]:
        """Records for storage, and what was counted."""
        records, counts = 0.0, []
        for provider in PROVIDERS:
            arrived = 0.0 if provider in self.isolated or self.stalled else packets.get(provider, 0.0)
            done = arrived * (1 - max(self.unmapped(provider, name) for name in FIELDS))
            records += done
            counts += self._of_provider(provider, arrived, done)
        return records, counts

    def _of_provider(self, provider: str, arrived: float, done: float) -> Iterator[Count]:
        mine = {"provider": provider}
        for name in FIELDS:
            here = mine | {"field": name}
            there = 0.0 if f"{provider}/{name}" in self.isolated else 1.0
            bad = self.unmapped(provider, name)
            yield "telemetry_transformation_mappings_applied_total", arrived * there * (1 - bad), here
            yield "telemetry_transformation_mappings_failed_total", arrived * there * bad, here
            checked = done * there
            yield "telemetry_quality_values_checked_total", checked, here
            yield "telemetry_quality_fields_missing_total", checked * self.absent(provider, name), here
            yield "telemetry_quality_values_invalid_total", checked * self.invalid(provider, name), here
        yield "telemetry_transformation_status_computed_total", done, mine
        yield "telemetry_transformation_status_errors_total", 0.0, mine
        yield "telemetry_quality_schema_violations_total", 0.0, mine

    def order(self, path: str, body: Mapping[str, Any]) -> None:
        if path == "/admin/quarantine":
            names = {f"{body['provider']}/{name}" for name in body.get("fields") or []} or {body["provider"]}
            self.isolated = self.isolated | names if body["on"] else self.isolated - names
        elif path == "/admin/reprocess":
            self.letters = 0

    def health(self, mapping: str, rules: str) -> dict[str, Any]:
        return {
            "status": "stuck" if self.stuck else "ok",
            "mapping_version": mapping,
            "rules_version": rules,
            "stuck": self.stuck,
            "dlq_depth": self.letters,
            "quarantined": sorted(self.isolated),
        }


@dataclass
class Tier:
    """One storage tier and its writer. `reason`: ok | writer_hung | pool_exhausted | disk_full | primary_refuses."""

    name: str = "hot"
    reason: str = "ok"
    error_share: float = 0.0
    stalled: bool = False
    slow_reads: float = 0.0
    active: str = "primary"
    primary: str = "healthy"
    replica: str = "healthy"
    lag: float = 1.0
    pool: int = 10
    read_only: bool = False
    spooling: bool = False

    def flow(self, records: float, seconds: float) -> Iterator[Count | tuple[str, float, float, float]]:
        mine = {"tier": self.name}
        writes = 0.0 if self.stalled else records
        yield "telemetry_storage_writes_total", writes, mine
        yield "telemetry_storage_write_errors_total", writes * self.error_share, mine
        yield from histogram(
            "telemetry_storage_read_duration_seconds", 20 * seconds, self.slow_reads, _BOUND[self.name], mine
        )

    def order(self, verb: str, body: Mapping[str, Any]) -> None:
        if verb == "failover":
            self.active = "replica"
            if self.primary != "healthy" and self.replica == "healthy":
                self.error_share, self.stalled = 0.0, False
        elif verb == "failback":
            self.active = "primary"
            self.error_share = 0.0 if self.primary == "healthy" else 1.0
        elif verb == "pool":
            self.pool = int(body["size"])
            if self.reason == "pool_exhausted" and self.pool > 10:
                self.reason, self.error_share = "ok", 0.0
        elif verb == "archive" and self.reason == "disk_full":
            self.reason, self.error_share = "ok", 0.0
        elif verb == "read-only":
            self.read_only = self.spooling = bool(body["on"])
        elif verb == "spool":
            self.spooling = bool(body["on"])
        elif verb == "drain":
            self.spooling = False

    def started(self) -> None:
        """A fresh process has none of the faults that lived in its memory."""
        if self.reason == "writer_hung":
            self.reason, self.stalled, self.error_share, self.slow_reads = "ok", False, 0.0, 0.0

    def health(self) -> dict[str, Any]:
        return {
            "status": "ok" if self.reason == "ok" else "failing",
            "tier": self.name,
            "reason": self.reason,
            "primary": self.primary,
            "active": self.active,
            "replica_lag_s": self.lag,
            "pool": {"size": self.pool, "used": self.pool},
            "disk": {"free_share": 0.0 if self.reason == "disk_full" else 0.5},
            "read_only": self.read_only,
            "spooling": self.spooling,
            "spooled": 0,
        }


@dataclass
class Api:
    """`fault`: "" | overload | slow-code. A cache that is off is slow. `slow`: endpoint -> share slower than its SLA.

    Faults show at `live`; the bound of `history` is wide enough for them.
    """

    fault: str = ""
    cache: str = "on"
    limited: dict[str, int] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    errors: float = 0.0

    def slowness(self, endpoint: str, workers: int, hot: Tier) -> float:
        overloaded = self.fault == "overload" and workers < 4 and not self.limited
        held_up = self.fault == "slow-code" or self.cache == "off" or hot.slow_reads > 0
        late = overloaded or held_up
        return 0.6 if late and endpoint == "live" else self.slow.get(endpoint, 0.0)

    def flow(self, seconds: float, workers: int, hot: Tier) -> Iterator[Count]:
        for endpoint, sla in ENDPOINTS.items():
            requests = 40 * seconds
            here = {"endpoint": endpoint}
            yield "telemetry_api_requests_total", requests, here | {"code": "200"}
            yield "telemetry_api_errors_total", requests * self.errors, here | {"code": "500"}
            slow = self.slowness(endpoint, workers, hot)
            yield from histogram("telemetry_api_request_duration_seconds", requests, slow, sla, here)

    def order(self, path: str, body: Mapping[str, Any]) -> None:
        if path == "/admin/cache":
            self.cache = "on" if body["on"] else "off"
        elif path == "/admin/rate-limit":
            self.limited = {body["client"]: body["per_s"]} if body["per_s"] else {}

    def health(self, workers: int, hot: Tier) -> dict[str, Any]:
        backend = "storage" if hot.slow_reads > 0 else "code" if self.fault == "slow-code" else "none"
        return {
            "status": "ok" if workers else "no_workers",
            "workers": workers,
            "cache": self.cache,
            "slow_backend": backend,
            "rate_limits": dict(self.limited),
        }


_BOUND = {"hot": 0.1, "warm": 0.5, "cold": 2.0}


def histogram(name: str, events: float, slow: float, edge: float, labels: dict[str, str]) -> Iterator[Count]:
    """Buckets in which the share `slow` lies above `edge`."""
    for bound in (0.1, 0.5, 2.0):
        share = 1.0 if bound > edge else (1 - slow) * (1.0 if bound == edge else 0.5)
        yield f"{name}_bucket", events * share, labels | {"le": f"{bound:g}"}
    yield f"{name}_bucket", events, labels | {"le": "+Inf"}
    yield f"{name}_count", events, labels
