"""A real Prometheus, a real VictoriaMetrics and a direct scrape of the same exporter deliver the same samples, and the same verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from config.scope import scope_of
from daemon.clock import SystemClock
from daemon.detect.fetching import Fetcher
from daemon.detect.plan import Sections
from daemon.detect.probes import Prober
from daemon.detect.sources.base import Query, Wanted
from daemon.detect.sources.prometheus import Prometheus
from daemon.detect.sources.registry import build_sources
from daemon.detect.sources.scrape import Scrape
from daemon.detect.stage import Detection
from daemon.files import FileDoor
from daemon.http.door import HttpDoor
from detectors.board import FindingState
from detectors.samples import UP, Batch, Block, Failed, Series
from detectors.spec import DetectorSpec, PrometheusSource, ScrapeSource
from tests.fakes.servers import flushed, wait_until
from tests.integration.detect.conftest import Exporter

pytestmark = pytest.mark.live

NAMES = frozenset({"writes_total", "took_seconds_bucket", "depth", "odd"})
WANTED = Wanted(NAMES, (Query("promql:depth", "sum by (stage) (depth)"),), look_back=60, step=1)


@pytest.fixture
def door() -> Iterator[HttpDoor]:
    opened = HttpDoor(SystemClock())
    yield opened
    opened.close()


def exposition(writes: float = 5) -> str:
    registry = CollectorRegistry()
    counter = Counter("writes", "attempts", ["tier", "job"], registry=registry)
    counter.labels("hot", "own").inc(writes)
    Gauge("depth", "", ["stage"], registry=registry).labels("in").set(7)
    Gauge("odd", "", ["text"], registry=registry).labels('a"b\\c\nd}e,f="g" # h é').set(-1.5e-7)
    histogram = Histogram("took_seconds", "", ["tier"], buckets=(0.5, 2), registry=registry)
    for value in (0.1, 1, 5):
        histogram.labels("hot").observe(value)
    return generate_latest(registry).decode()


def sources(url: str, exporter: Exporter, door: HttpDoor) -> tuple[Prometheus, Scrape]:
    prometheus = Prometheus("main", PrometheusSource(type="prometheus", url=url), door)
    section = {"type": "scrape", "targets": [{"url": exporter.url, "labels": {"site": "eu"}}]}
    return prometheus, Scrape("edge", ScrapeSource.model_validate(section), door, SystemClock())


def fetch(source: Prometheus | Scrape, since: float | None = None, wanted: Wanted = WANTED) -> Batch:
    clock = SystemClock()
    got = source.fetch(wanted, since, clock.now(), clock.monotonic() + 5)
    assert isinstance(got, Batch), got
    return got


def newest(batch: Batch) -> dict[Series, float]:
    """The last row of the block that has the exporter's series."""
    block = next(block for block in batch.blocks if block.series[0].name == UP and len(block.series) > 2)
    row = block.values[-1]
    return {
        series: float(value) for series, value in zip(block.series, row, strict=True) if not np.isnan(value)
    }


def scraped(batch: Batch) -> Block | None:
    return next((block for block in batch.blocks if len(block.series) > 2), None)


def seen(url: str, holds: Callable[[], object]) -> None:
    """Wait until it is so. A VictoriaMetrics is told not to keep its newest samples to itself meanwhile."""
    wait_until(lambda: flushed(url) or holds(), 20)  # type: ignore[func-returns-value]  # first this, then that


def test_both_sources_deliver_the_same_series_and_values(
    served: str, exporter: Exporter, door: HttpDoor
) -> None:
    exporter.text = exposition()
    api, direct = sources(served, exporter, door)
    seen(served, lambda: scraped(fetch(api)) is not None)
    assert newest(fetch(api)) == newest(fetch(direct))


def test_the_tail_of_a_query_joins_what_the_first_fetch_brought(
    served: str, exporter: Exporter, door: HttpDoor
) -> None:
    exporter.text = exposition()
    api, _ = sources(served, exporter, door)
    seen(served, lambda: scraped(fetch(api)) is not None)
    first = fetch(api)
    whole, tail = scraped(first), scraped(fetch(api, since=first.at))
    assert whole is not None
    assert tail is not None
    assert set(whole.times[-1:]) <= set(tail.times), "no hole between the two"
    assert {block.target for block in first.blocks} >= {whole.target}
    assert all(dict(block.target).get("job") != "unrelated" for block in first.blocks)


def test_a_query_is_answered_beside_the_raw_samples(served: str, exporter: Exporter, door: HttpDoor) -> None:
    exporter.text = exposition()
    api, _ = sources(served, exporter, door)
    seen(served, lambda: scraped(fetch(api)) is not None)
    block = fetch(api, since=SystemClock().now()).blocks[-1]
    assert block.series[1] == Series("promql:depth", (("stage", "in"),))
    assert block.values[-1, 1] == 7
    history = fetch(api).blocks[-1]
    assert len(history.times) == 60
    assert history.values[-1, 1] == 7


def test_an_exporter_that_breaks_is_down_in_both(served: str, exporter: Exporter, door: HttpDoor) -> None:
    exporter.text = exposition()
    api, direct = sources(served, exporter, door)
    seen(served, lambda: scraped(fetch(api)) is not None)
    exporter.broken = True
    try:
        seen(served, lambda: (block := scraped(fetch(api))) is not None and block.values[-1, 0] == 0)
        (block,) = fetch(direct).blocks
        np.testing.assert_array_equal(block.values, [[0]])
    finally:
        exporter.broken = False


def test_a_query_that_makes_no_sense_is_a_failure_with_the_servers_reason(
    served: str, exporter: Exporter, door: HttpDoor
) -> None:
    api, _ = sources(served, exporter, door)
    clock = SystemClock()
    got = api.fetch(Wanted(frozenset({"a|(", "b"})), None, clock.now(), clock.monotonic() + 5)
    assert isinstance(got, Failed)
    assert got.reason.startswith(("bad_data: ", "422: "))
    assert "missing closing )" in got.reason


def test_a_fault_in_the_exporter_fires_through_either_source(
    prometheus: str, exporter: Exporter, door: HttpDoor
) -> None:
    detector: dict[str, Any] = {
        "failure_mode": "storage_failure",
        "signal": {"gauge": {"of": "depth", "by": ["stage"]}},
        "fire": {"above": 100, "for": "2s"},
    }
    telemetry: dict[str, Any] = {
        "main": PrometheusSource.model_validate({"type": "prometheus", "url": prometheus}),
        "edge": ScrapeSource.model_validate({"type": "scrape", "targets": [exporter.url]}),
    }
    specs = {name: DetectorSpec.model_validate(detector | {"source": name}) for name in telemetry}
    clock = SystemClock()
    detection = Detection(Sections(telemetry, specs, poll_interval=1), clock.now())
    fetcher = Fetcher(build_sources(telemetry, door, clock), Prober({}, door, clock, FileDoor()), {}, clock)

    def states() -> dict[str, FindingState]:
        for job in detection.due(clock.now()):
            result = fetcher.carry_out(job.args["fetch"])
            assert not isinstance(result, Failed), result
            assert isinstance(result, Batch)
            detection.take(result, clock.now())
        detection.evaluate(clock.now())
        board = detection._board
        return {} if board is None else {name: finding.state for (name, _), finding in board.findings.items()}

    exporter.text = 'depth{stage="in"} 7\n'
    seen(prometheus, lambda: states() is not None and detection._settled)
    exporter.text = 'depth{stage="in"} 700\n'
    seen(prometheus, lambda: states() == dict.fromkeys(telemetry, FindingState.FIRING))
    exporter.text = 'depth{stage="in"} 7\n'
    seen(prometheus, lambda: states() == {})
    assert detection.chart("main", scope_of({"stage": "in"}), 0, clock.now()) is not None
