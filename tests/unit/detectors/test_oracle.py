"""On clean data our events come when Prometheus's alerts do: the same rule, asked of promtool."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from detectors.promql import promql
from detectors.rule import rule_of
from detectors.samples import Series
from detectors.spec import DetectorSpec
from tests.fakes.kernel import replay
from tests.fakes.samples import Sample, block, rings_of, running, ticks

STEP = 15.0

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed"),
]


def firing_at(
    query: str, op: str, hold: str, series: dict[str, Sequence[Sample]], when: list[float], folder: Path
) -> list[bool]:
    """Whether Prometheus's alert fires at each instant."""
    rules = {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": f"({query}) {op}", "for": hold}]}]}
    (folder / "rules.yml").write_text(json.dumps(rules))
    answers = []
    for at in when:
        test = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": "15s",
            "tests": [
                {
                    "interval": "15s",
                    "input_series": [
                        {"series": name, "values": " ".join(f"{v}" for v in values)}
                        for name, values in series.items()
                    ],
                    "alert_rule_test": [{"eval_time": f"{at:.0f}s", "alertname": "A", "exp_alerts": []}],
                }
            ],
        }
        (folder / "test.yml").write_text(json.dumps(test))
        said = subprocess.run(
            ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0 or "got:[" in said.stdout + said.stderr, said.stderr
        answers.append(said.returncode != 0)
    return answers


BAD = running((0, 40), (45, 80), (0, 60))
ALL = running((150, 180))
CASES: list[tuple[str, dict[str, Any], str, dict[str, Sequence[Sample]], dict[str, Any]]] = [
    ("ratio", {"ratio": {"of": "bad", "to": "all", "window": "1m"}}, "> 0.05", {"bad": BAD, "all": ALL}, {"above": "5%"}),
    ("gauge", {"gauge": {"of": "depth"}}, "> 5000", {"depth": [100] * 30 + [6000] * 60 + [10] * 40}, {"above": 5000}),
    ("rate", {"rate": {"of": "bad", "window": "1m"}}, "> 1", {"bad": BAD}, {"above": 1}),
    (
        "share over a bound",
        {"share_over": {"of": "h", "bound": 0.5, "window": "1m"}},
        "> 0.05",
        {'h_bucket{le="0.5"}': running((100, 40), (70, 80), (100, 60)), 'h_bucket{le="+Inf"}': running((100, 180))},
        {"above": "5%"},
    ),
    (
        "quantile",
        {"quantile": {"of": "h", "q": 0.95, "window": "1m"}},
        "> 0.5",
        {'h_bucket{le="0.5"}': running((100, 40), (70, 80), (100, 60)), 'h_bucket{le="2"}': running((100, 180)), 'h_bucket{le="+Inf"}': running((100, 180))},
        {"above": 0.5},
    ),
    (
        "burn rate",
        {"burn_rate": {"of": "bad", "to": "all", "objective": "90%", "windows": [{"long": "8m", "short": "2m", "burn": 2}, {"long": "10m", "short": "5m", "burn": 1.5}]}},
        "> 1",
        {"bad": BAD, "all": ALL},
        {"above": 1},
    ),
    ("growth", {"growth": {"of": "depth", "window": "5m"}}, "> 2", {"depth": [100] * 30 + [100 + 45 * n for n in range(60)] + [2755] * 40}, {"above": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "signal", "op", "series", "fire"), CASES, ids=[case[0] for case in CASES])
def test_events_come_when_prometheus_says(
    kind: str,
    signal: dict[str, Any],
    op: str,
    series: dict[str, Sequence[Sample]],
    fire: dict[str, Any],
    tmp_path: Path,
) -> None:
    clear = {"below": fire["above"], "for": "0s"}
    spec = {
        "failure_mode": "storage_failure",
        "signal": signal,
        "fire": {**fire, "for": "5m"},
        "clear": clear,
    }
    rule = rule_of("d", DetectorSpec.model_validate(spec), default_source="main", step=STEP)
    rings = rings_of(block({_series(name): values for name, values in series.items()}, step=STEP))
    length = max(len(values) for values in series.values())
    events = replay([rule], {"main": rings}, ticks(length, step=STEP))
    fired = next(event.at for event in events if event.state == "fired")
    cleared = next(event.at for event in events if event.state == "cleared")
    asked = [fired - STEP, fired, cleared - STEP, cleared]
    assert firing_at(promql(rule.signal), op, "5m", series, asked, tmp_path) == [False, True, True, False], (
        kind
    )


def _series(text: str) -> Series:
    name, _, rest = text.partition("{")
    return Series(name, (("le", rest.split('"')[1]),) if rest else ())
