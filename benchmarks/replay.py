"""What a month would have seen: the backtest beside `promtool test rules` on the same rule and data, in one run."""

from __future__ import annotations

import math
import resource
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from daemon.app.build import sections_of
from daemon.detect.plan import Sections
from daemon.detect.sources.base import Wanted
from daemon.replay.backtest import EventState, backtest
from daemon.replay.hindsight import Hindsight
from daemon.settings.load import load
from detectors.samples import Batch, Block, Floats, Series
from detectors.spec import DetectorSpec, FileSource

BEGIN = 1_767_600_000.0
DAYS = 30
FACTOR = 100.0
LARGE = 2.0
LOW, HIGH = 40, 20
"""Minutes below and above the threshold, by turns."""
DETECTOR = DetectorSpec.model_validate(
    {
        "failure_mode": "storage_failure",
        "signal": {"gauge": {"of": "b", "by": ["id"]}},
        "fire": {"above": 0.05, "for": "10m"},
        "clear": {"below": 0.05},
    }
)


CONFIG = """
version: 1
pack: none
poll_interval: 1m
autonomy: auto
telemetry: {main: {type: file, path: month}}
detectors:
  high: {failure_mode: storage_failure, signal: {gauge: {of: b, by: [tier]}}, fire: {above: 0.05, for: 10m}, clear: {below: 0.04, for: 2m}}
playbooks:
  storage: {failure_mode: storage_failure, ladder: [{name: restart, do: {http: {method: POST, url: "http://x/{{ scope.tier }}"}}, autonomy: auto}]}
people: {ana: {name: Ana, channels: [{console: {}}]}}
escalation: {default: [{level: L1, notify: [person:ana], repeat: {critical: 15m}}]}
"""


@dataclass(frozen=True, slots=True)
class Month:
    """Fits `Source`: a month of gauges already in memory, so that loading is not measured."""

    times: Floats
    values: Floats
    series: tuple[Series, ...]
    name: str = "main"

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch:
        del wanted, deadline
        begin = -np.inf if since is None else since
        first, last = np.searchsorted(self.times, [begin, now], side="right")
        block = Block((), self.times[first:last], self.series, self.values[first:last])
        return Batch(self.name, now, (block,) if last > first else ())

    def close(self) -> None:
        """Nothing is held."""


def figures() -> list[Figure]:
    """100 series at a minute beside promtool; 1 000 series at half a minute by itself."""
    found = [_beside_promtool()]
    took, fired = min(_seconds(1_000, 30.0) for _ in range(3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found.append(
        Figure(
            f"replay, {DAYS} days at 30 s, 1 000 series, after load",
            f"{took:.2f} s",
            f"<= {LARGE:g} s",
            took <= LARGE,
            f"{fired} firings; {1000 * DAYS * 2880 / took / 1e6:.0f} M samples/s; at most {peak:.0f} MB resident",
        )
    )
    found.append(_with_incidents())
    return found


def _with_incidents() -> Figure:
    """A month in which one tier a day is high for half an hour: how much the incidents cost beside the detectors."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "month.yaml"
        file.write_text(CONFIG, encoding="utf-8")
        loaded = load([file], environment={})
    sections = sections_of(loaded.model)
    times: Floats = BEGIN + np.arange(DAYS * 1440, dtype=np.float64) * 60.0
    values = np.full((len(times), 100), 0.01)
    for day in range(DAYS):
        values[day * 1440 + 600 : day * 1440 + 630, day] = 0.09
    series = tuple(Series("b", (("tier", str(number)),)) for number in range(100))
    source = {"main": Month(times, values, series)}
    first, last = float(times[0]), float(times[-1])
    took: dict[bool, float] = {}
    for follow in (False, True):
        for _ in range(3):
            hindsight = Hindsight(loaded, sections) if follow else None
            began = time.perf_counter()
            backtest(sections, source, first, last, onlooker=hindsight)
            incidents = () if hindsight is None else hindsight.told(last).incidents
            took[follow] = min(took.get(follow, math.inf), time.perf_counter() - began)
    if len(incidents) != DAYS:
        raise RuntimeError(f"{len(incidents)} incidents: something else was measured")
    each = (took[True] - took[False]) / DAYS
    return Figure(
        f"replay, {DAYS} days at 1 min, 100 series, with {DAYS} incidents",
        f"{took[True]:.2f} s",
        beside=f"{took[False]:.2f} s without them; {each * 1000:.0f} ms an incident with its rungs and pages",
    )


def _beside_promtool() -> Figure:
    took, fired = min(_seconds(100, 60.0) for _ in range(3))
    what = f"replay, {DAYS} days at 1 min, 100 series"
    if shutil.which("promtool") is None:
        return Figure(what, f"{took:.3f} s", beside="promtool is not installed")
    theirs = _promtool(100)
    ratio = theirs / took
    return Figure(
        what,
        f"{took:.3f} s",
        f">= {FACTOR:g} x promtool",
        ratio >= FACTOR,
        f"promtool test rules {theirs:.1f} s on the same rule and data, {ratio:.0f} x; {fired} firings",
    )


def _seconds(count: int, step: float) -> tuple[float, int]:
    """(seconds of a replay, how often it fired)."""
    times: Floats = BEGIN + np.arange(int(DAYS * 86_400 / step), dtype=np.float64) * step
    minute = ((times - BEGIN) // 60) % (LOW + HIGH)
    values = np.repeat(np.where(minute < LOW, 0.01, 0.09)[:, None], count, axis=1)
    series = tuple(Series("b", (("id", str(number)),)) for number in range(count))
    sections = Sections(
        {"main": FileSource(type="file", path="month")}, {"high": DETECTOR}, poll_interval=step
    )
    began = time.perf_counter()
    told = backtest(sections, {"main": Month(times, values, series)}, float(times[0]), float(times[-1]))
    took = time.perf_counter() - began
    fired = told.count(EventState.FIRED)
    if fired != count * DAYS * 24:
        raise RuntimeError(f"{fired} firings: something else was measured")
    return took, fired


def _promtool(count: int) -> float:
    """Seconds of the same by Prometheus' own tool; its series are written out, as it wants them."""
    values = " ".join([f"0.01+0x{LOW - 1} 0.09+0x{HIGH - 1}"] * (DAYS * 24))
    series = "".join(
        f"  - series: 'b{{id=\"{number}\"}}'\n    values: '{values}'\n" for number in range(count)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "r.yml").write_text(
            "groups:\n- name: g\n  rules:\n  - alert: High\n    expr: b > 0.05\n    for: 10m\n"
        )
        (folder / "t.yml").write_text(
            "rule_files: [r.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
            f"{series}  alert_rule_test:\n  - eval_time: {DAYS * 1440 - 30}m\n    alertname: High\n    exp_alerts: []\n"
        )
        began = time.perf_counter()
        subprocess.run(["promtool", "test", "rules", "t.yml"], cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - began
