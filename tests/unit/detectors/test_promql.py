"""Signals as queries, conditions as text, and what a rule wants from its source."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from detectors.promql import Wanted, look_back, promql, wanted, wanted_by
from detectors.rule import Matcher, Rule, rule_of, signal_of
from detectors.spec import DetectorSpec, SignalSpec
from detectors.texts import condition_text, threshold_text, value_text

TWO = (
    'sum (label_replace(rate(a_total[1m30s]), "__metric__", "a_total", "", "")'
    ' or label_replace(rate(b_total[1m30s]), "__metric__", "b_total", "", ""))'
)
"""Growth has lost its name, and Prometheus refuses a vector with two series of the same labels."""
QUERIES: list[tuple[dict[str, Any], str]] = [
    ({"increase": {"of": "p_total", "by": ["provider"], "window": "1m"}}, "sum by (provider) (increase(p_total[1m]))"),
    ({"rate": {"of": ["a_total", "b_total"], "window": "90s"}}, TWO),
    (
        {"ratio": {"of": "e_total", "to": "n_total", "by": ["tier"], "where": {"tier": ["hot", "a.b"]}, "window": "5m"}},
        "({0} or 0 * {1}) / {1}".format(
            r'sum by (tier) (increase(e_total{tier=~"hot|a\\.b"}[5m]))',
            r'sum by (tier) (increase(n_total{tier=~"hot|a\\.b"}[5m]))',
        ),
    ),
    (
        {"share_over": {"of": "h_seconds", "bound": 0.5, "where": {"endpoint": "live"}, "window": "1m"}},
        '1 - sum (increase(h_seconds_bucket{endpoint="live", le="0.5"}[1m])) / sum (increase(h_seconds_bucket{endpoint="live", le="+Inf"}[1m]))',
    ),
    ({"quantile": {"of": "h", "q": 0.95, "by": ["e"], "window": "1m"}}, "histogram_quantile(0.95, sum by (e, le) (increase(h_bucket[1m])))"),
    ({"gauge": {"of": "depth", "by": ["stage"], "agg": "avg", "where": {"code": {"re": '5.."'}}}}, 'avg by (stage) (depth{code=~"5..\\""})'),
    ({"age": {"of": "last_seconds"}}, "time() - max (last_seconds)"),
    ({"growth": {"of": "lag", "by": ["consumer"], "window": "10m", "agg": "sum"}}, "sum by (consumer) (deriv(lag[10m]))"),
    (
        {"burn_rate": {"of": "e", "to": "n", "by": ["tier"], "objective": "99.9%", "windows": [{"long": "1h", "short": "5m", "burn": 14.4}]}},
        'max by (tier) (label_replace((({0} or 0 * {1}) / {1} <= ({2} or 0 * {3}) / {3} or ({2} or 0 * {3}) / {3} < ({0} or 0 * {1}) / {1}) / 0.0144, "pair", "1h", "", ""))'.format(
            *(f"sum by (tier) (increase({name}[{window}]))" for window in ("5m", "1h") for name in "en")
        ),
    ),
    ({"peers": {"signal": {"gauge": {"of": "depth", "by": ["p"]}}, "direction": "above", "min_absolute": 5}}, "max by (p) (depth)"),
    ({"probe": "storage-health"}, 'probe_success{probe="storage-health"}'),
    ({"promql": "max(up)"}, "max(up)"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "query"), QUERIES, ids=[next(iter(spec)) for spec, _ in QUERIES])
def test_each_signal_has_its_query(spec: dict[str, Any], query: str) -> None:
    assert promql(signal_of(SignalSpec.model_validate(spec))) == query


@pytest.mark.live
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_itself_reads_every_query(tmp_path: Path) -> None:
    rules = "".join(
        f"  - record: r{index}\n    expr: |\n      {query}\n" for index, (_, query) in enumerate(QUERIES)
    )
    file = tmp_path / "rules.yml"
    file.write_text(f"groups:\n- name: all\n  rules:\n{rules}")
    said = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr


def rule(**spec: Any) -> Rule:
    return rule_of(
        "d",
        DetectorSpec.model_validate({"failure_mode": "storage_failure", **spec}),
        default_source="m",
        step=15.0,
    )


STORAGE = {"signal": {"ratio": {"of": "e_total", "to": ["telemetry_storage_writes_total"], "where": {"tier": "hot"}, "window": "1m"}}, "minimum": {"events": 200, "widen_to": "30m"}}  # fmt: skip


def test_a_rule_wants_its_metrics_those_of_its_gate_and_history_for_its_widest_window_and_hold() -> None:
    gated = rule(
        **STORAGE,
        fire={"above": "1%", "for": "5m"},
        **{"while": {"signal": {"increase": {"of": "input_total"}}}},
    )
    assert wanted_by(gated) == (
        Wanted("e_total", (Matcher("tier", ("hot",)),)),
        Wanted("telemetry_storage_writes_total", (Matcher("tier", ("hot",)),)),
        Wanted("input_total"),
    )
    assert 1800 + 300 < look_back(gated, 15.0) < 1800 + 300 + 120
    assert wanted(signal_of(SignalSpec.model_validate({"probe": "p"}))) == ()


TEXTS: list[tuple[dict[str, Any], str]] = [
    ({**STORAGE, "fire": {"above": "1%", "for": "5m"}}, "> 1% of storage_writes for 5m"),
    ({"signal": {"increase": {"of": "p_total"}}, "fire": {"equals": 0, "for": "10m"}}, "= 0 for 10m"),
    ({"signal": {"share_over": {"of": "h", "bound": 0.5}}, "fire": {"above": "5%", "for": "5m", "of_last": "8 of 10"}}, "> 5% over 500ms in 8 of 10 slots of 30s"),
    ({"signal": {"quantile": {"of": "h", "q": 0.95}}, "fire": {"above": "30s"}}, "> 30 s"),
    ({"signal": {"rate": {"of": "p_total"}}, "fire": {"below": 2.5, "for": "30m"}}, "< 2.5/s for 30m"),
    ({"signal": {"growth": {"of": "lag", "window": "10m"}}, "fire": {"above": 0.5, "for": "10m"}}, "> 0.5/s growth in 10m for 10m"),
    ({"signal": {"burn_rate": {"of": "e", "to": "n", "objective": "99.9%"}}, "fire": {"above": 1}}, "> 1x the burn that an objective of 99.9% allows"),
    ({"signal": {"peers": {"signal": {"rate": {"of": "p", "by": ["provider"]}}, "direction": "below", "min_absolute": 5}}, "fire": {"above": 5, "for": "5m"}}, "> 5 deviations below its peers for 5m"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_a_threshold_reads_like_a_sentence(spec: dict[str, Any], text: str) -> None:
    assert threshold_text(rule(**spec)) == text


def test_values_and_the_implied_clear_condition_have_texts_too() -> None:
    storage = rule(**STORAGE, fire={"above": "1%", "for": "5m"})
    assert value_text(storage.signal, 0.03149) == "3.15%"
    assert condition_text(storage.signal, storage.clear) == "≤ 1% of storage_writes for 5m"
