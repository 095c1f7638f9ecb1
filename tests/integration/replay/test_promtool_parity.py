"""On clean data every detector of the shipped pack fires and clears when a Prometheus alert of the same meaning does.

What such an alert has to say beyond signal, comparison and `for` stands in `alerts`; what becomes of one that does not
say it is told here, one divergence a row.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from config.loader import load
from daemon.app.build import sections_of
from daemon.detect.plan import Sections, plan_of
from daemon.detect.sources.file import Recording
from daemon.replay.backtest import backtest, unjudgeable
from daemon.settings.model import Settings
from detectors.rule import Rule
from detectors.samples import Series
from detectors.spec import DetectorSpec, FileSource
from tests.fakes import episodes, promtool
from tests.fakes.episodes import STEADY, Level
from tests.fakes.ports import EPOCH
from tests.fakes.prometheus import open_metrics, scrapes
from tests.fakes.promtool import Alert, Change
from tests.integration.replay.alerts import alert_of, plain_alert

pytestmark = [
    pytest.mark.live,
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed"),
]

STEP = 15.0
"""Seconds between scrapes, and between evaluations."""
CONFIG = "version: 1\ntelemetry: {main: {type: prometheus, url: http://127.0.0.1:9090}}\n"
NO_SAMPLES = "a probe's answers are not recorded"
NOT_EXPRESSED = {
    "consumer-down": NO_SAMPLES,
    "transformation-down": NO_SAMPLES,
    "storage-down": NO_SAMPLES,
    "api-probe": NO_SAMPLES,
}
"""Detectors of the pack that no query over samples can say, and why."""

Written = Mapping[Series, Sequence[float]]


@cache
def pack() -> Sections:
    """The shipped pack, reading one Prometheus."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parity.yaml"
        path.write_text(CONFIG, encoding="utf-8")
        return sections_of(load([path], Settings, environment={}).model)


def rules() -> Mapping[str, Rule]:
    return plan_of(pack()).rules


EXPRESSED = [name for name in rules() if name not in NOT_EXPRESSED]
WITH_MINIMUM = [name for name in EXPRESSED if rules()[name].signal.events]


def test_a_detector_without_an_alert_says_why() -> None:
    silent = {name: why for name, rule in rules().items() if (why := unjudgeable(rule, pack()))}
    assert silent == NOT_EXPRESSED


# ---------------------------------------------------------------- the same samples, asked of both


def ours(name: str, spec: DetectorSpec, series: Written, folder: Path, step: float = STEP) -> list[Change]:
    """What a backtest says of one detector, in seconds since the first sample."""
    length = max(len(values) for values in series.values())
    file = FileSource(type="file", path=str(folder / f"{name}.om"))
    samples = scrapes(series, [True] * length, begin=EPOCH, step=step)
    Path(file.path).write_text(open_metrics(samples), encoding="utf-8")
    sections = replace(pack(), detectors={name: spec}, telemetry={"main": file}, poll_interval=step)
    source = {"main": Recording("main", file)}
    found = backtest(sections, source, EPOCH, EPOCH + step * (length - 1))
    assert not found.not_judged
    return [(event.at - EPOCH, event.state.value, event.scope) for event in found.events]


def traffic_of(name: str, *, slow: bool) -> float:
    return episodes.slow_traffic(rules()[name], STEP) if slow else STEADY


def written(name: str, traffic: float) -> Written:
    rule = rules()[name]
    return episodes.episode(rule, episodes.course(rule, STEP, traffic), traffic)


def called(name: str, *, slow: bool) -> str:
    return f"{name}-slow" if slow else name


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Change]]:
    """What Prometheus says, every alert of this file in one call."""
    asked = [(name, False) for name in EXPRESSED] + [(name, True) for name in WITH_MINIMUM]
    alerts = [
        alert_of(called(name, slow=slow), rules()[name], written(name, traffic_of(name, slow=slow)), STEP)
        for name, slow in asked
    ]
    alerts += [plain_alert(row.name, rules()[row.detector], row.series, STEP) for row in DIVERGENCES]
    return promtool.changes(alerts, tmp_path_factory.mktemp("promtool"))


Theirs = Mapping[str, list[Change]]


def within_a_tick(mine: Sequence[Change], other: Sequence[Change]) -> bool:
    """The same events at the same scopes, none more than one evaluation apart."""
    return [one[1:] for one in mine] == [one[1:] for one in other] and all(
        abs(one[0] - two[0]) <= STEP for one, two in zip(mine, other, strict=True)
    )


@pytest.mark.parametrize("name", EXPRESSED)
def test_it_fires_and_clears_when_the_alert_does(name: str, theirs: Theirs, tmp_path: Path) -> None:
    """Once: a failure shorter than the hold fires neither, a scope that is well is named by neither."""
    mine = ours(name, pack().detectors[name], written(name, STEADY), tmp_path)
    assert [state for _, state, _ in mine] == ["fired", "cleared"]
    assert within_a_tick(mine, theirs[name]), (mine, theirs[name])


@pytest.mark.parametrize("name", WITH_MINIMUM)
def test_a_window_that_widens_fires_when_the_alert_over_that_window_does(
    name: str, theirs: Theirs, tmp_path: Path
) -> None:
    """A third of the minimum comes within the window, so that a wider one speaks."""
    mine = ours(name, pack().detectors[name], written(name, traffic_of(name, slow=True)), tmp_path)
    assert [state for _, state, _ in mine[-2:]] == ["fired", "cleared"]
    assert within_a_tick(mine, theirs[called(name, slow=True)]), (mine, theirs[called(name, slow=True)])


@pytest.mark.parametrize("name", [name for name in EXPRESSED if rules()[name].zero_test])
def test_no_growth_counts_from_the_last_growth_a_scrape_before_an_alert_can(
    name: str, theirs: Theirs, tmp_path: Path
) -> None:
    """An alert begins to count when it first sees none, one scrape after the last growth."""
    mine = ours(name, pack().detectors[name], written(name, STEADY), tmp_path)
    assert [other[0] - one[0] for one, other in zip(mine, theirs[name], strict=True)] == [STEP, 0.0]


# ---------------------------------------------------------------- where plain alerts say something else


def input_stops_as_well(name: str, traffic: float) -> Written:
    series, counted = written(name, traffic), rules()[name].signal.of
    stalled = next(values for one, values in series.items() if one.name in counted)
    return dict.fromkeys(series, stalled)


@dataclass(frozen=True)
class Divergence:
    """`mine`, `plain`: when each fires, in seconds after the last sample before the failure; None for never.

    `traffic`: events in a scrape before it.
    """

    name: str
    why: str
    detector: str
    mine: float | None
    plain: float | None
    traffic: float = STEADY
    make: Callable[[str, float], Written] = written

    @property
    def series(self) -> Written:
        return self.make(self.detector, self.traffic)

    def after(self, changes: Sequence[Change]) -> float | None:
        """When the first of these firings is."""
        levels = episodes.course(rules()[self.detector], STEP, self.traffic)
        begins = [index for index, pair in enumerate(pairwise(levels)) if pair == (Level.WELL, Level.ILL)]
        return next((at - begins[-1] * STEP for at, state, _ in changes if state == "fired"), None)


DIVERGENCES = [
    Divergence(
        "two-clocks",
        "the window has to empty before `for` begins: 1m + 5m, where one clock says 5m",
        "ingestion-silent",
        mine=300.0,
        plain=360.0,
    ),
    Divergence(
        "usually-silent",
        "five packets in ten minutes are usual here: the silence of so few (`expected: 10`) is no news",
        "provider-silent",
        mine=None,
        plain=660.0,
        traffic=0.125,
    ),
    Divergence(
        "nothing-to-do",
        "`while`: nothing arrives, so that nothing mapped is no stall",
        "transformation-stalled",
        mine=None,
        plain=360.0,
        make=input_stops_as_well,
    ),
    Divergence(
        "too-few",
        "one write a scrape, 120 in the widest window, of a minimum of 200: a share of so few proves nothing",
        "storage-writes",
        mine=None,
        plain=315.0,
        traffic=1.0,
    ),
]


@pytest.mark.parametrize("row", DIVERGENCES, ids=lambda row: row.name)
def test_a_plain_alert_diverges(row: Divergence, theirs: Theirs, tmp_path: Path) -> None:
    mine = ours(row.detector, pack().detectors[row.detector], row.series, tmp_path)
    assert row.after(mine) == row.mine, row.why
    assert row.after(theirs[row.name]) == row.plain, row.why


def test_m_of_n_slots_are_a_subquery_and_no_plain_alert(tmp_path: Path) -> None:
    """A value that dances on its threshold (30 min of 980, 1010, 990, 1020 ms): 5 of the last 10 slots fire once."""
    step, series = 30.0, {Series("latency", ()): [980.0, 1010.0, 990.0, 1020.0] * 15}
    spec = DetectorSpec.model_validate(
        {
            "failure_mode": "api_degradation",
            "signal": {"gauge": {"of": "latency"}},
            "fire": {"above": 1000, "for": "5m", "of_last": "5 of 10"},
            "clear": {"below": 900, "for": "5m"},
        }
    )
    mine = ours("dances", spec, series, tmp_path, step)
    values = {"latency": series[Series("latency", ())]}
    slots = "sum_over_time((max(latency) > bool 1000)[5m:30s]) >= 5"
    found = promtool.changes(
        [
            Alert("slots", slots, 0.0, 0.0, values, step),
            Alert("plain", "max(latency) > 1000", 300.0, 300.0, values, step),
        ],
        tmp_path,
    )
    assert [state for _, state, _ in mine] == ["fired"]
    assert abs(mine[0][0] - found["slots"][0][0]) <= step, (mine, found["slots"])
    assert found["plain"] == []
