"""Real series with labelled incidents, replayed by the command: thresholds from the first 15 %, one score a series."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from daemon.cli.main import invoke
from daemon.clock import parse_rfc3339
from daemon.replay.labels import load_labels

DATA = Path(__file__).parents[2] / "data" / "nab"
PROBATION = 0.15
"""Share of a series that the benchmark lets a detector learn from; none of its labels lies there."""
FAR, NEAR = 0.5, 0.25
"""Beyond the extremes of that part, in lengths of its range: at once, and for an hour."""


@dataclass(frozen=True)
class Row:
    """One series. `found` of `incidents` overlap a firing; in `begun` of them one begins. `firings`: of all detectors."""

    series: str
    incidents: int
    found: int
    begun: int
    firings: int
    minutes_firing: float


ROWS = [
    Row("elb-requests", incidents=2, found=1, begun=1, firings=1, minutes_firing=80.0),
    Row("rds-cpu-cc", incidents=2, found=2, begun=1, firings=2, minutes_firing=9450.0),
    Row("rds-cpu-e4", incidents=2, found=2, begun=2, firings=2, minutes_firing=22595.0),
    Row("ec2-latency", incidents=3, found=3, begun=3, firings=4, minutes_firing=300.0),
]


def told(series: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the command says of a series, as JSON."""
    files = {
        "--config": f"{series}.yaml",
        "--series": f"{series}.om",
        "--labels": f"{series}.labels.yaml",
    }
    words = [word for option, name in files.items() for word in (option, str(DATA / name))]
    assert invoke(["backtest", *words, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.series)
def test_a_labelled_series_has_its_score(row: Row, capsys: pytest.CaptureFixture[str]) -> None:
    document = told(row.series, capsys)
    (score,) = [one for one in document["scores"] if one["name"] == "api_degradation"]
    assert (score["incidents"], score["found"], score["firings"]) == (row.incidents, row.found, row.firings)
    assert (score["precision"], score["false_alarms_per_week"]) == (1.0, 0.0)
    assert score["minutes_firing"] == row.minutes_firing
    fired = [parse_rfc3339(event["at"]) for event in document["events"] if event["state"] == "fired"]
    labels = load_labels(DATA / f"{row.series}.labels.yaml")
    assert sum(any(one.start <= at <= one.end for at in fired) for one in labels) == row.begun


def test_seven_of_nine_incidents_begin_a_firing_and_nothing_else_does() -> None:
    """The sums that `docs/howto/tuning.md` tells."""
    assert sum(row.incidents for row in ROWS) == 9
    assert sum(row.found for row in ROWS) == 8
    assert sum(row.begun for row in ROWS) == 7


def test_three_of_three_prove_no_more_than_44_percent(capsys: pytest.CaptureFixture[str]) -> None:
    (score,) = [one for one in told("ec2-latency", capsys)["scores"] if one["name"] == "api_degradation"]
    low, high = score["recall_bounds"]
    assert (round(low, 2), high) == (0.44, 1.0)


@pytest.mark.parametrize("series", [row.series for row in ROWS])
def test_no_threshold_knows_more_than_the_first_15_percent(series: str) -> None:
    """Half a range beyond the extremes at once, a quarter for an hour, both over when an hour lay within them.

    A bound that the quantity cannot pass, below zero, is left out.
    """
    lines = [line.split() for line in (DATA / f"{series}.om").read_text().splitlines() if line[0] != "#"]
    values = [float(value) for _, value, _ in lines]
    known = values[: int(PROBATION * len(values))]
    least, most = min(known), max(known)
    expected = {}
    for kind, beyond, hold in (("spike", FAR, {}), ("shift", NEAR, {"for": "1h"})):
        low, high = least - beyond * (most - least), most + beyond * (most - least)
        expected[f"{kind}-high"] = ({"above": close(high), **hold}, {"below": close(most), "for": "1h"})
        if low > 0:
            expected[f"{kind}-low"] = ({"below": close(low), **hold}, {"above": close(least), "for": "1h"})
    detectors = YAML(typ="safe").load(DATA / f"{series}.yaml")["detectors"]
    assert {name: (one["fire"], one["clear"]) for name, one in detectors.items()} == expected
    began = float(lines[len(known)][2])
    assert all(label.start > began for label in load_labels(DATA / f"{series}.labels.yaml"))


def close(value: float) -> Any:
    return pytest.approx(value, abs=0.0006)
