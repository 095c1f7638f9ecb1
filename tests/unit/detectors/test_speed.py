"""A cycle over ten thousand series is a matter of milliseconds, beside the fetch."""

from __future__ import annotations

import time

import numpy as np

from detectors.rings import Rings
from detectors.rule import rule_of
from detectors.samples import Batch, Block, Series
from detectors.spec import DetectorSpec
from detectors.state import fresh_state
from tests.fakes.kernel import cycle
from tests.fakes.samples import block, labels

BOUND = 0.020
SERIES = 10_000


def test_taking_in_and_judging_ten_thousand_series_takes_under_twenty_milliseconds() -> None:
    names = [Series(name, labels(id=str(index))) for index in range(SERIES // 2) for name in ("bad", "all")]
    whole = block({series: [float(tick) for tick in range(60)] for series in names}, step=15.0)
    ratio = {"ratio": {"of": "bad", "to": "all", "by": ["id"], "window": "1m"}}
    spec = {"failure_mode": "api_degradation", "signal": ratio, "fire": {"above": "150%", "for": "5m"}}
    rule = rule_of("d", DetectorSpec.model_validate(spec), default_source="main", step=15.0)
    rings, state = Rings("main", retention=600.0, max_series=SERIES), fresh_state(rule)
    best = 1.0
    for row in range(60):
        at = float(whole.times[row])
        part = Block(whole.target, whole.times[row : row + 1], whole.series, whole.values[row : row + 1])
        begun = time.perf_counter()
        rings.add(Batch("main", at, (part,)))
        state, _ = cycle(rule, state, {"main": rings}, np.array([at]))
        best = min(best, time.perf_counter() - begun) if row > 10 else best
    assert best < BOUND, f"{best * 1000:.1f} ms"
