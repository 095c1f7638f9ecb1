"""Live and replay say the same: the whole loop polling a Prometheus, killed and started again, beside `backtest`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.loader import Loaded
from daemon.app.build import sections_of
from daemon.detect.sources.file import Recording
from daemon.log import DETECTOR_CHANGED
from daemon.replay.backtest import backtest
from daemon.replay.virtual import Time, VirtualDriver
from daemon.settings.load import load
from daemon.settings.model import Settings
from detectors.samples import Series
from detectors.spec import FileSource
from tests.fakes.ports import EPOCH
from tests.fakes.prometheus import FakePrometheus, Samples, open_metrics, scrapes
from tests.fakes.world import World

STEP = 15.0
LENGTH = 36
TARGETS = ("abcd", "efgh", "ijkl", "mnop", "qrst")
"""Each letter is a tier; those of one target are scraped together."""
TIERS = "".join(TARGETS)
TOLD = {"fired", "cleared", "no_data", "data_back"}

CONFIG = """
version: 1
pack: none
poll_interval: 15s
telemetry: {main: {type: prometheus, url: "http://prometheus.test", scrape_interval: 15s}}
inventory: {tier: [a, b, c], suspended: {of: off, by: [tier]}}
detectors:
  silent: {failure_mode: storage_failure, signal: {increase: {of: all, by: [tier], window: 1m}}, fire: {equals: 0, for: 2m}, clear: {above: 0, for: 1m}, no_data: {for: 2m}}
  usual: {failure_mode: storage_failure, signal: {increase: {of: all, by: [tier], window: 30s}}, fire: {equals: 0, for: 1m}, expected: {at_least: 4, per: 1m}, no_data: {for: 3m}}
  ratio: {failure_mode: storage_failure, signal: {ratio: {of: bad, to: all, by: [tier], window: 30s}}, fire: {above: 20%, for: 1m}, minimum: {events: 12, widen_to: 4m}, no_data: {for: 3m}}
  rate: {failure_mode: storage_failure, signal: {rate: {of: all, by: [tier], window: 1m}}, fire: {below: 0.2, for: 2m, of_last: "3 of 4"}, no_data: {for: 3m}}
  gauge: {failure_mode: api_degradation, signal: {gauge: {of: depth, by: [tier]}}, fire: {above: 10, for: 1m}, clear: {below: 8, for: 45s}, no_data: {for: 2m}}
  burn: {failure_mode: storage_failure, signal: {burn_rate: {of: bad, to: all, by: [tier], objective: 90%, windows: [{long: 2m, short: 30s, burn: 3}, {long: 4m, short: 1m, burn: 2}]}}, fire: {above: 1, for: 30s}, minimum: {events: 6}, no_data: {for: 3m}}
  peers: {failure_mode: api_degradation, signal: {peers: {signal: {gauge: {of: depth, by: [tier]}}, direction: above, min_absolute: 2}}, fire: {above: 3, for: 1m}, no_data: {for: 2m}}
  growth: {failure_mode: api_degradation, signal: {growth: {of: depth, by: [tier], window: 1m}}, fire: {above: 0, for: 30s}, no_data: {for: 2m}}
  stall: {failure_mode: storage_failure, signal: {increase: {of: bad, window: 30s}}, fire: {equals: 0, for: 1m}, while: {signal: {increase: {of: all, window: 30s}}, above: 0}, no_data: {for: 3m}}
"""


@lru_cache(maxsize=1)
def configuration() -> Loaded[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.yaml"
        path.write_text(CONFIG, encoding="utf-8")
        return load([path], environment={})


def telemetry(random: Random) -> Samples:
    """Nine minutes of `TARGETS`: growth, standstill, restarts, gaps, failed scrapes, suspensions."""
    found: dict[Series, list[tuple[float, float]]] = {}
    for tiers in TARGETS:
        found |= one_target(random, tiers)
    return found


def one_target(random: Random, tiers: str) -> dict[Series, list[tuple[float, float]]]:
    """As scraped together: one series a letter."""

    def runs(choices: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        while len(found) < LENGTH:
            found += [random.choice(choices)] * random.randint(1, 10)
        return found[:LENGTH]

    def counter() -> list[float | None]:
        total, values = random.choice([0.0, 500.0]), []
        for what in runs([5, 5, 9, 1, 0, 0, "gap", "restart"]):
            total = 0.0 if what == "restart" else total + (what if isinstance(what, int) else 0)
            values.append(None if what == "gap" else total)
        return values

    rows: dict[Series, list[float | None]] = {}
    for tier in tiers:
        label = (("tier", tier),)
        rows[Series("all", label)] = counter()
        rows[Series("bad", label)] = counter()
        rows[Series("depth", label)] = runs([1.0, 9.0, 20.0, 20.0, None])
        rows[Series("off", label)] = runs([0.0, 0.0, 0.0, 1.0])
    return scrapes(rows, runs([True] * 4 + [False]), begin=EPOCH, step=STEP, instance=f"{tiers}:1")


def restarts(random: Random) -> list[tuple[int, int]]:
    """(poll after which the daemon is killed, polls it misses)."""
    return [(random.randint(2, LENGTH - 6), random.randint(0, 3)) for _ in range(random.randint(0, 3))]


def live(samples: Samples, kills: list[tuple[int, int]]) -> list[tuple[Any, ...]]:
    """What the loop's log says of detectors while it polls, is killed, and starts again."""
    time = Time(EPOCH)
    ports = replace(World(time).ports, http=FakePrometheus(samples))
    end = EPOCH + (LENGTH - 1) * STEP
    with capture_logs() as lines:
        driver = VirtualDriver(configuration(), ports, time)
        for poll, missed in sorted(kills):
            at = EPOCH + poll * STEP + STEP / 2
            if at < time.now():
                continue
            driver.run_until(at)
            driver.crash(down_for=(missed + 0.5) * STEP)
        driver.run_until(end + 1)
    told = [line for line in lines if line["event"] == DETECTOR_CHANGED and line["state"] in TOLD]
    return sorted(
        (line["since"] - EPOCH, line["detector"], line.get("tier", ""), line["state"]) for line in told
    )


def replayed(samples: Samples, chunk: float) -> list[tuple[Any, ...]]:
    """What a backtest of the same samples says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.om"
        path.write_text(open_metrics(samples), encoding="utf-8")
        spec = FileSource(type="file", path=str(path))
        sections = replace(sections_of(configuration().model), telemetry={"main": spec})
        end = EPOCH + (LENGTH - 1) * STEP
        found = backtest(sections, {"main": Recording("main", spec)}, EPOCH, end, chunk=chunk)
    return sorted(
        (event.at - EPOCH, event.detector, dict(event.scope).get("tier", ""), str(event.state))
        for event in found.events
    )


RUNS = 500 if os.environ.get("FLEETMEND_SOAK") else 50
"""Each watches `TIERS` at once, so that there are twenty times as many random cases."""
GROUPS = 5


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_killed_and_restarted_daemon_says_what_a_backtest_says(group: int) -> None:
    """1 000 random cases, 10 000 in the soak: a case is one scope's telemetry under random kills."""
    told = 0
    for seed in range(group, RUNS, GROUPS):
        random = Random(seed)
        samples, kills = telemetry(random), restarts(random)
        chunk = random.choice([15.0, 100.0, 86_400.0])
        said = live(samples, kills)
        assert said == replayed(samples, chunk), f"seed {seed}, kills {kills}, chunk {chunk}"
        told += len(said)
    assert told > 10 * RUNS // GROUPS, "a search in which little happens proves little"
