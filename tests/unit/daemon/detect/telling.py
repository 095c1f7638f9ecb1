"""A storage tier and the detection that watches it, told over virtual time."""

from __future__ import annotations

from typing import Any

from config.scope import Scope, scope_of
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.board import Board, FindingState
from detectors.samples import Series
from detectors.spec import DetectorSpec, PrometheusSource, ScrapeSource
from tests.fakes.telemetry import FakeTelemetry, Story, Value

WRITES = "telemetry_storage_writes_total"
ERRORS = "telemetry_storage_write_errors_total"
HOT = scope_of({"tier": "hot"})
PROM = PrometheusSource(type="prometheus", url="http://prom:9090", scrape_interval="15s")
SCRAPE = ScrapeSource.model_validate({"type": "scrape", "targets": ["http://a:1/metrics"]})
STORAGE: dict[str, Any] = {
    "failure_mode": "storage_failure",
    "signal": {"ratio": {"of": ERRORS, "to": WRITES, "by": ["tier"], "window": "1m"}},
    "fire": {"above": "1%", "for": "5m"},
    "clear": {"below": "0.5%", "for": "5m"},
}
SILENT: dict[str, Any] = {
    "failure_mode": "ingestion_stopped",
    "signal": {
        "increase": {"of": "telemetry_ingestion_packets_received_total", "by": ["provider"], "window": "1m"}
    },
    "fire": {"equals": 0, "for": "5m"},
    "clear": {"above": 0, "for": "2m"},
}
EXPECTED = SILENT | {"expected": {"at_least": 10, "per": "5m"}}


def sections(source: Any = PROM, **more: Any) -> Sections:
    detectors = more.pop("detectors", {"storage-writes": STORAGE})
    given: dict[str, Any] = {"telemetry": {"main": source}, **more}
    specs = {name: DetectorSpec.model_validate(spec) for name, spec in detectors.items()}
    return Sections(detectors=specs, **given)


def counter(rate: float, *changes: tuple[float, float]) -> Value:
    """A counter that grows by `rate` per second, and by another rate from each instant on."""

    def value(at: float) -> float:
        total, since, now = 0.0, 0.0, rate
        for begin, then in changes:
            if at <= begin:
                break
            total, since, now = total + now * (begin - since), begin, then
        return total + now * (at - since)

    return value


def storage(*changes: tuple[float, float], **more: Any) -> FakeTelemetry:
    """A hot tier with 10 writes a second, of which from each instant on so many fail per second."""
    labels = (("tier", "hot"),)
    return FakeTelemetry(
        {Series(WRITES, labels): counter(10), Series(ERRORS, labels): counter(0, *changes)}, **more
    )


def packets(**providers: Value) -> FakeTelemetry:
    name = "telemetry_ingestion_packets_received_total"
    return FakeTelemetry({Series(name, (("provider", who),)): value for who, value in providers.items()})


def story(telemetry: FakeTelemetry, start: float = 0.0, **more: Any) -> Story:
    return Story(Detection(sections(**more), start), {"main": telemetry})


def finding_states(board: Board | None) -> dict[tuple[str, Scope], FindingState]:
    assert board is not None
    return {key: finding.state for key, finding in board.findings.items()}


def restarted(told: Story, telemetry: FakeTelemetry, at: float, **more: Any) -> Story:
    rows = told.detection.checkpoint(at + 100) or {}
    fresh = Story(Detection(sections(**more), at), {"main": telemetry})
    fresh.detection.restore(rows)
    return fresh
