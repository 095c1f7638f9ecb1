"""One cycle over ten thousand series besides I/O: samples into rings, measure, observe, advance, board."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from benchmarks.figure import Figure, ms
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.samples import UP, Batch, Block, Floats, Series
from detectors.spec import DetectorSpec, ScrapeSource

SERIES = 10_000
STEP = 15.0
WARM = 45
MEASURED = 40
AIM = 0.020
PEER_NONE = "a Prometheus rule over as many: 32 to 43 ms"
PEER_ALL = "a Prometheus rule over as many: 122 to 125 ms"
WRITES, ERRORS = "bench_writes_total", "bench_errors_total"
RULE: dict[str, Any] = {
    "failure_mode": "storage_failure",
    "signal": {"ratio": {"of": ERRORS, "to": WRITES, "by": ["customer"], "window": "1m"}},
    "fire": {"above": "1%", "for": "5m"},
    "clear": {"below": "0.5%", "for": "5m"},
}


def figures() -> list[Figure]:
    """All scopes well; one in a hundred firing; and, for what it costs, all of them."""
    aim = f"<= {ms(AIM)}"
    usual = [("all well", 0.0, PEER_NONE), ("one scope in a hundred firing", 0.01, "")]
    found = []
    for what, share, beside in usual:
        took = _seconds(share)
        found.append(Figure(f"cycle, {SERIES} series, {what}", ms(took), aim, took <= AIM, beside))
    return [*found, Figure(f"cycle, {SERIES} series, all scopes firing", ms(_seconds(1.0)), beside=PEER_ALL)]


def _seconds(firing: float) -> float:
    """Median of one tick. `firing`: the share of scopes of whose writes one in twenty fails."""
    source = ScrapeSource.model_validate(
        {"type": "scrape", "targets": ["http://a:1/metrics"], "every": "15s"}
    )
    rules = {"bench": DetectorSpec.model_validate(RULE)}
    detection = Detection(Sections({"main": source}, rules, poll_interval=STEP), 0.0)
    series = _series()
    took = []
    for tick in range(WARM + MEASURED):
        now = 1_000_000 + tick * STEP
        detection.due(now)
        batch = Batch("main", now, (Block((), np.array([now]), series, _values(tick, firing)),))
        began = time.perf_counter()
        detection.take(batch, now)
        board = detection.evaluate(now)
        took.append(time.perf_counter() - began)
    assert board is not None
    if len(board.findings) != round(firing * SERIES / 2):
        raise RuntimeError(f"{len(board.findings)} findings: something else was measured")
    return statistics.median(took[WARM:])


def _series() -> tuple[Series, ...]:
    names = [(name, (("customer", f"c{n}"),)) for name in (WRITES, ERRORS) for n in range(SERIES // 2)]
    return (Series(UP, ()), *(Series(*one) for one in names))


def _values(tick: int, firing: float) -> Floats:
    half = SERIES // 2
    writes = np.full(half, 1000.0 * tick)
    failed = np.where(np.arange(half) < round(firing * half), writes * 0.05, 0.0)
    return np.concatenate(([1.0], writes, failed))[np.newaxis, :]
