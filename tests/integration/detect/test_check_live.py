"""`check --live` beside a real Prometheus and a real VictoriaMetrics: what it finds, it finds there too."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.live import check_live
from daemon.clock import SystemClock
from daemon.detect.sources.base import Wanted
from daemon.detect.sources.prometheus import Prometheus
from daemon.http.door import HttpDoor
from detectors.samples import Batch
from detectors.spec import PrometheusSource
from tests.fakes.linted import BARE, loaded
from tests.fakes.servers import flushed, wait_until
from tests.integration.detect.conftest import Exporter

pytestmark = pytest.mark.live

EXPOSED = """# TYPE lint_writes counter
lint_writes_total{tier="hot"} 5
# TYPE lint_took_seconds histogram
lint_took_seconds_bucket{tier="hot",le="0.5"} 3
lint_took_seconds_bucket{tier="hot",le="2"} 4
lint_took_seconds_bucket{tier="hot",le="+Inf"} 5
lint_took_seconds_count{tier="hot"} 5
lint_took_seconds_sum{tier="hot"} 9
"""
WATCHING = """detectors:
  slow:
    failure_mode: ingestion_stopped
    signal: {share_over: {of: lint_took_seconds, bound: 1, window: 10s}}
    fire: {above: 5%, for: 1m}
    clear: {below: 3%, for: 1m}
    minimum: {events: 50}
  silent:
    failure_mode: ingestion_stopped
    signal: {increase: {of: lint_writes_total, by: [layer], window: 10s}}
    fire: {equals: 0, for: 1m}
    clear: {above: 0, for: 1m}
  failing:
    failure_mode: ingestion_stopped
    signal: {ratio: {of: lint_errors_total, to: lint_writes_total, where: {tier: hot}, window: 10s}}
    fire: {above: 5%, for: 1m}
    clear: {below: 3%, for: 1m}
    minimum: {events: 50}
  asked:
    failure_mode: ingestion_stopped
    signal: {promql: sum(lint_writes_total)}
    fire: {above: 50, for: 1m}
    clear: {below: 20, for: 1m}
"""


def test_a_real_server_is_asked_what_the_detectors_need(
    served: str, exporter: Exporter, tmp_path: Path
) -> None:
    clock = SystemClock()
    door = HttpDoor(clock)
    try:
        exporter.text = EXPOSED
        source = Prometheus("main", PrometheusSource(type="prometheus", url=served), door)

        def scraped() -> bool:
            flushed(served)
            got = source.fetch(
                Wanted(frozenset({"lint_writes_total"}), look_back=20),
                None,
                clock.now(),
                clock.monotonic() + 5,
            )
            return isinstance(got, Batch) and any(len(b.series) > 1 and len(b.times) > 3 for b in got.blocks)

        wait_until(scraped, 20)
        bare = BARE.replace("http://prometheus:9090", served).replace("15s", "1s")
        settings = loaded(tmp_path, WATCHING, bare)
        found = check_live(settings, door, clock)
    finally:
        door.close()
    assert sorted((one.code, one.path, one.line) for one in found) == [
        ("bound-off-edge", "detectors.slow.signal.share_over.bound", 4),
        ("label-never-seen", "detectors.silent.signal.increase.by", 10),
        ("series-missing", "detectors.failing.signal", 15),
    ]
    assert "use one of 0.5, 2" in next(one.hint for one in found if one.code == "bound-off-edge")
