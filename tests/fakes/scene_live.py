"""What the loop says of the night in `scene`: the snapshot it published, and the values behind a chart."""

from __future__ import annotations

import math

from config.scope import Scope, scope_of
from daemon.desk.snapshot import Cell, Due, Snapshot, SourceView
from daemon.detect.trace import Chart
from tests.fakes.scene import HOT, NOW, SILENT


def wave(
    base: float, swing: float, *, rise: float = 0.0, points: int = 60, unknown: range = range(0)
) -> tuple[float, ...]:
    """A plausible signal; after two thirds it rises by `rise`; unknown where told."""
    values = []
    for index in range(points):
        risen = rise * min(1.0, max(0, index - points * 2 // 3) / 6)
        value = base + swing * math.sin(index * 1.7) * math.cos(index * 0.61) + risen
        values.append(math.nan if index in unknown else max(0.0, value))
    return tuple(values)


def _cell(detector: str, scope: Scope, state: str, value: float | None, threshold: str, line: float, spark: tuple[float, ...]) -> Cell:  # fmt: skip
    return Cell(detector, scope, state, value, threshold, line, NOW - 500, NOW - 4, spark=spark)


def snapshot(now: float = NOW) -> Snapshot:
    """What the loop says of the same night."""
    tiers = [scope_of({"tier": tier}) for tier in ("hot", "warm", "cold")]
    providers = [scope_of({"provider": name}) for name in ("navixy", "teltonika", "oem-a")]
    ends = [scope_of({"endpoint": name}) for name in ("live", "history", "assets", "stream")]
    fields = [scope_of({"provider": p, "field": f}) for p in ("navixy", "oem-a", "teltonika") for f in ("speed", "lat", "lon", "fuel", "odometer")]  # fmt: skip
    return Snapshot(
        at=now - 3,
        version="0.1.0",
        environment="production",
        autonomy="auto",
        leader="stage-1:4711",
        started_at=NOW - 7200,
        poll_interval=15.0,
        rounds_done=True,
        sources=(
            SourceView("main", "prometheus", "http://prometheus:9090", "ok", now - 17),
            SourceView("edge", "scrape", "2 targets", "down", now - 900, "connection refused"),
        ),
        detectors_total=22,
        cells={
            "provider_outage": (
                _cell("provider-errors", providers[0], "firing", 0.93, "> 50% of ingestion_provider_requests for 10m", 0.5, wave(0.04, 0.02, rise=0.88)),
                *(_cell("provider-errors", scope, "ok", 0.012, "> 50% of ingestion_provider_requests for 10m", 0.5, wave(0.02, 0.012)) for scope in providers[1:]),
                *(_cell("provider-silent", scope, "ok", 4100.0, "= 0 for 10m", 0.0, wave(4000, 300)) for scope in providers),
            ),
            "ingestion_stopped": (
                _cell("consumer-down", scope_of({}), "unknown", None, "= 0 for 5m", 0.0, wave(1, 0, unknown=range(38, 60))),
            ),
            "transformation_failure": tuple(
                _cell("mapping-failures", scope, "ok", 0.004, "> 5% of quality_values_checked for 10m", 0.05, wave(0.004, 0.003)) for scope in providers
            ),
            "storage_failure": (
                _cell("storage-writes", tiers[0], "firing", 0.214, "> 1% of storage_writes for 5m", 0.01, wave(0.001, 0.001, rise=0.2)),
                _cell("storage-writes", tiers[1], "ok", 0.0004, "> 1% of storage_writes for 5m", 0.01, wave(0.0005, 0.0004)),
                _cell("storage-writes", tiers[2], "ok", 0.0, "> 1% of storage_writes for 5m", 0.01, wave(0.0002, 0.0002)),
            ),
            "api_degradation": (
                _cell("api-latency", ends[0], "firing", 0.11, "> 5% over 500ms for 5m", 0.05, wave(0.01, 0.006, rise=0.1)),
                _cell("api-latency", ends[1], "pending", 0.061, "> 5% over 500ms for 5m", 0.05, wave(0.02, 0.008, rise=0.04)),
                _cell("api-latency", ends[2], "ok", 0.008, "> 5% over 500ms for 5m", 0.05, wave(0.01, 0.006)),
                _cell("api-latency", ends[3], "no_data", None, "> 5% over 500ms for 5m", 0.05, wave(0.01, 0.006, unknown=range(30, 60))),
            ),
            "data_quality": tuple(
                _cell("values-invalid", scope, "ok", 0.002, "> 5% of quality_values_checked for 10m", 0.05, wave(0.003, 0.002)) for scope in fields
            ),
        },
        population={"storage_failure": 3, "provider_outage": 3, "api_degradation": 4, "data_quality": 15},
        due=(
            Due(NOW + 60, "ana is reminded on the next channel", SILENT),
            Due(NOW + 180, "verification of fail-over-to-replica ends", HOT),
            Due(NOW + 660, "L2 is paged", SILENT),
        ),
        last_cycle_at=now - 3,
        last_cycle_ms=4.2,
        config_loaded_at=NOW - 7200,
    )  # fmt: skip


def chart(detector: str, scope: Scope, since: float, until: float) -> Chart | None:
    """Write errors of hot storage over the span; nothing is kept of others."""
    if detector not in {"storage-writes", "provider-errors"}:
        return None
    peak = 0.21 if detector == "storage-writes" else 0.93
    began = NOW - 510 if detector == "storage-writes" else NOW - 2150
    times = [since + 5 * step for step in range(int((until - since) // 5))]
    values: list[float | None] = []
    for at in times:
        wobble = math.sin(at / 17) * math.cos(at / 41)
        if NOW - 330 < at < NOW - 290:
            values.append(None)
        elif at < began:
            values.append(0.002 + 0.001 * wobble)
        elif at > NOW - 50 and detector == "storage-writes":
            values.append(max(0.0, 0.1 - (at - NOW + 50) * 0.002))
        else:
            values.append(max(0.0, min(1.0, peak * min(1.0, (at - began) / 60) + 0.01 * wobble)))
    fire, clear = (0.01, 0.005) if detector == "storage-writes" else (0.5, 0.2)
    return Chart(
        detector=detector,
        scope=scope,
        times=tuple(times),
        values=tuple(values),
        fire=fire,
        clear=clear,
        unknown=((NOW - 335, NOW - 290),),
        threshold="",
    )
