"""Live and replay come to the same incidents, rungs and pages: the whole loop at `observe` beside `backtest`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from config.loader import Loaded
from config.scope import scope_key
from daemon import log
from daemon.app.build import sections_of
from daemon.detect.sources.file import Recording
from daemon.detect.stage import Detection
from daemon.replay.backtest import backtest
from daemon.replay.hindsight import Hindsight
from daemon.replay.recount import read
from daemon.replay.virtual import Time, VirtualDriver
from daemon.replay.would import Would
from daemon.settings.load import load
from daemon.settings.model import Settings
from detectors.samples import Series
from detectors.spec import FileSource
from tests.acceptance.test_replay_is_live import CONFIG, LENGTH, STEP, one_target
from tests.fakes.ports import EPOCH
from tests.fakes.prometheus import FakePrometheus, Samples, open_metrics, scrapes
from tests.fakes.world import World

pytestmark = pytest.mark.timeout(400)
"""A story takes seconds of processor time; a busy machine makes minutes of them."""

MORE = """
environment: past
autonomy: observe
storm: {modes: 6, share: 80%, leave_after: 1m}
topology:
  explains:
    - {cause: {storage_failure: {}}, symptom: api_degradation, same: [tier]}
playbooks:
  storage:
    failure_mode: storage_failure
    deadline: 2m
    ladder:
      - {name: only-a, when: "scope.tier == 'a'", do: {http: {method: POST, url: "http://x/{{ scope.tier }}"}}, autonomy: auto}
      - {name: restart, require: "scope.tier not in ['d', 'e']", do: {http: {method: POST, url: "http://y/{{ scope.tier }}"}}}
      - {name: open, do: {http: {method: POST, url: "http://z/{{ scope.tier }}"}}, autonomy: observe}
  api:
    failure_mode: api_degradation
    deadline: 3m
    ladder:
      - {name: scale, do: {http: {method: POST, url: "http://api/{{ scope.tier }}"}}, autonomy: auto}
people:
  ana: {name: Ana, channels: [{console: {}}]}
  ben: {name: Ben, channels: [{console: {}}]}
escalation:
  default:
    - {level: L1, notify: [person:ana]}
    - {level: L2, notify: [person:ben], after: {critical: 2m, high: 3m}, repeat: {critical: 90s}}
"""


@lru_cache(maxsize=1)
def configuration() -> Loaded[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "detectors.yaml", Path(folder) / "rest.yaml"]
        for file, text in zip(files, (CONFIG, MORE), strict=True):
            file.write_text(text, encoding="utf-8")
        return load(files, environment={})


def live(samples: Samples) -> Would:
    """What the loop comes to while it polls at `observe`."""
    time = Time(EPOCH)
    ports = replace(World(time).ports, http=FakePrometheus(samples))
    end = EPOCH + (LENGTH - 1) * STEP
    with log.silenced():
        driver = VirtualDriver(configuration(), ports, time)
        driver.run_until(end + 1)
    assert not len(driver.loop.parked)
    return read(driver.store, configuration().model, end, driver.loop.stages.detection.plan.rules)


def replayed(samples: Samples, chunk: float) -> Would:
    """What a backtest of the same samples comes to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.om"
        path.write_text(open_metrics(samples), encoding="utf-8")
        spec = FileSource(type="file", path=str(path))
        sections = replace(sections_of(configuration().model), telemetry={"main": spec})
        end = EPOCH + (LENGTH - 1) * STEP
        hindsight = Hindsight(configuration(), sections)
        backtest(sections, {"main": Recording("main", spec)}, EPOCH, end, chunk=chunk, onlooker=hindsight)
        return hindsight.told(end)


def told(would: Would) -> list[Any]:
    """All that is told of them, instants as the evaluation in which they lie."""
    return sorted(_lines(would))


def _lines(would: Would) -> Iterable[Any]:
    for one in would.incidents:
        incident = one.incident
        where = (incident.failure_mode, scope_key(incident.scope), _tick(one.since))
        held = one.suppressed_by is not None
        flags = (incident.severity, incident.flapping, held, incident.blind, one.held_by_storm)
        yield (*where, "incident", _tick(one.until), str(incident.state), *flags)
        for rung in one.considered:
            refused = tuple(refusal.gate for refusal in rung.refusals)
            yield (*where, "rung", _tick(rung.at), rung.rung, str(rung.came), rung.targets, refused)
        for page in one.pages:
            yield (*where, "page", _tick(page.at), page.level, page.to, page.unless)


def _tick(at: float | None) -> int:
    return -1 if at is None else int((at - EPOCH + 1e-3) // STEP)


def story(random: Random) -> Samples:
    """Two targets that break in their own ways, and one that is always up.

    A Prometheus none of whose targets is up counts as a source that is down, which no recording tells.
    """
    steady: dict[Series, list[float | None]] = {Series("depth", (("tier", "z"),)): [1.0] * LENGTH}
    up = scrapes(steady, [True] * LENGTH, begin=EPOCH, step=STEP, instance="z:1")
    return one_target(random, "ab") | one_target(random, "c") | up


@pytest.fixture(autouse=True)
def _in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look at the same instants: a poll out of turn, for fresher evidence, would look at others, and learn from them."""
    monkeypatch.setattr(Detection, "hurry", lambda *_: None)


RUNS = 500 if os.environ.get("FLEETMEND_SOAK") else 25
GROUPS = 5


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_backtest_comes_to_the_incidents_rungs_and_pages_of_a_daemon_that_only_observes(group: int) -> None:
    """25 random stories, 500 in the soak: each of three tiers and nine detectors that break in their own ways."""
    for seed in range(group, RUNS, GROUPS):
        random = Random(seed)
        samples = story(random)
        chunk = random.choice([15.0, 100.0, 86_400.0])
        assert told(replayed(samples, chunk)) == told(live(samples)), f"seed {seed}, chunk {chunk}"
