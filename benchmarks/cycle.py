"""One cycle besides I/O: samples into rings, measure, observe, advance, board. Beside it a Prometheus with the same rule.

Each size is measured in a process of its own, so that its memory is its own too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.figure import Figure, ms
from benchmarks.peer_rules import Peer, megabytes, prometheus
from daemon.detect.plan import Sections
from daemon.detect.stage import Detection
from detectors.samples import UP, Batch, Block, Floats, Series
from detectors.spec import DetectorSpec, ScrapeSource
from remediations.spec import Limits

STEP = 15.0
WARM, MEASURED = 45, 40
LOW, HIGH = 0.01, 0.5
AIMS = {10_000: 0.005, 100_000: 0.030, 1_000_000: 0.100}
"""Series -> seconds of a cycle at most."""
MEMORY = {100_000: 300.0}
"""Series -> resident megabytes at most."""
PEERS = {10_000: 1, 100_000: 5}
"""Series -> seconds between the evaluations of a Prometheus; it does not hold a million on a small machine."""
THRESHOLD: dict[str, Any] = {
    "failure_mode": "storage_failure",
    "signal": {"gauge": {"of": "x", "by": ["id"]}},
    "fire": {"above": 0.05},
}
RATIO: dict[str, Any] = {
    "failure_mode": "storage_failure",
    "signal": {"ratio": {"of": "errors_total", "to": "writes_total", "by": ["id"], "window": "1m"}},
    "fire": {"above": "1%", "for": "5m"},
    "clear": {"below": "0.5%", "for": "5m"},
}


def figures() -> list[Figure]:
    """The same threshold on each side, nobody and everybody over it; and a ratio of counters with a hold."""
    found = []
    for series, aim in AIMS.items():
        seconds, mb = _own(series, "threshold", 0.0)
        peer = prometheus(series, LOW, PEERS[series]) if series in PEERS else None
        most = MEMORY.get(series)
        met = seconds <= aim and (most is None or mb <= most)
        text = f"<= {ms(aim)}" + (f", {most:.0f} MB" if most else "")
        value = f"{ms(seconds)}, {mb:.0f} MB"
        found.append(Figure(f"cycle, {series} series, none over", value, text, met, _beside(peer, seconds)))
    seconds, _ = _own(10_000, "threshold", 1.0)
    peer = prometheus(10_000, HIGH, PEERS[10_000])
    found.append(Figure("cycle, 10000 series, all over", ms(seconds), beside=_beside(peer, seconds)))
    for what, share in (("all well", 0.0), ("one scope in a hundred firing", 0.01)):
        seconds, _ = _own(10_000, "ratio", share)
        aim = AIMS[10_000]
        found.append(
            Figure(f"cycle, ratio over 10000 counters, {what}", ms(seconds), f"<= {ms(aim)}", seconds <= aim)
        )
    return found


def _beside(peer: Peer | None, seconds: float) -> str:
    if peer is None:
        return ""
    ratio = peer.seconds / seconds
    return f"Prometheus {ms(peer.seconds)}, {peer.megabytes:.0f} MB; {ratio:.0f} x"


def _own(series: int, rule: str, firing: float) -> tuple[float, float]:
    """(seconds of a cycle, resident megabytes) in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cycle", str(series), rule, str(firing)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, mb = json.loads(done.stdout)
    return float(seconds), float(mb)


def measure(series: int, rule: str, firing: float) -> float:
    """Median seconds of a cycle. `firing`: the share of scopes that are over the threshold."""
    source = ScrapeSource.model_validate(
        {"type": "scrape", "targets": ["http://a:1/metrics"], "every": "15s"}
    )
    spec = DetectorSpec.model_validate(THRESHOLD if rule == "threshold" else RATIO)
    sections = Sections(
        {"main": source}, {"bench": spec}, limits=Limits(series=2 * series), poll_interval=STEP
    )
    detection = Detection(sections, 0.0)
    names = _series(series, rule)
    took = []
    for tick in range(WARM + MEASURED):
        now = 1_000_000 + tick * STEP
        detection.due(now)
        batch = Batch("main", now, (Block((), np.array([now]), names, _values(series, rule, tick, firing)),))
        began = time.perf_counter()
        detection.take(batch, now)
        board = detection.evaluate(now)
        took.append(time.perf_counter() - began)
    scopes = series if rule == "threshold" else series // 2
    if board is None or len(board.findings) != round(firing * scopes):
        raise RuntimeError("something else was measured")
    return statistics.median(took[WARM:])


def _series(count: int, rule: str) -> tuple[Series, ...]:
    if rule == "threshold":
        return (Series(UP, ()), *(Series("x", (("id", str(n)),)) for n in range(count)))
    names = [
        (name, (("id", str(n)),)) for name in ("writes_total", "errors_total") for n in range(count // 2)
    ]
    return (Series(UP, ()), *(Series(*one) for one in names))


def _values(count: int, rule: str, tick: int, firing: float) -> Floats:
    if rule == "threshold":
        values = np.where(np.arange(count) < round(firing * count), HIGH, LOW)
        return np.concatenate(([1.0], values))[np.newaxis, :]
    half = count // 2
    writes = np.full(half, 1000.0 * tick)
    failed = np.where(np.arange(half) < round(firing * half), writes * 0.05, 0.0)
    return np.concatenate(([1.0], writes, failed))[np.newaxis, :]


if __name__ == "__main__":
    what, over = sys.argv[2], float(sys.argv[3])
    print(json.dumps([measure(int(sys.argv[1]), what, over), megabytes(os.getpid())]))
