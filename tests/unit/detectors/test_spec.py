"""The sections of the configuration that detection owns."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from config.overlay import overlay
from config.secrets import Environment
from config.section import FailureMode, Severity
from config.yamlfile import Node, parse_yaml
from detectors.modes import MODES
from detectors.rule import rule_of
from detectors.spec import Condition, Detectors, DetectorSpec, Inventory, SeenWithin, SignalSpec, Telemetry

COUNT = {"increase": {"of": "packets_total"}}
MINIMAL: dict[str, Any] = {"failure_mode": "storage_failure", "signal": COUNT, "fire": {"above": 1}}
BUDGET: dict[str, Any] = {"of": "errors_total", "to": "requests_total", "objective": "99.9%"}
LIKE: dict[str, Any] = {
    "signal": {"gauge": {"of": "g", "by": ["p"]}},
    "direction": "below",
    "min_absolute": 5,
}


def detector(**more: Any) -> DetectorSpec:
    return DetectorSpec.model_validate({**MINIMAL, **more})


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown key", {"treshold": 1}, "Extra inputs"),
    ("an unknown failure mode", {"failure_mode": "storage"}, "provider_outage"),
    ("two kinds of signal", {"signal": {**COUNT, "probe": "p"}}, "exactly one kind, this one has increase, probe"),
    ("no kind of signal", {"signal": {}}, "exactly one kind, this one has none"),
    ("two comparisons", {"fire": {"above": 1, "below": 2}}, "exactly one comparison"),
    ("no comparison", {"fire": {"for": "5m"}}, "exactly one comparison"),
    ("slots of no hold", {"fire": {"above": 1, "of_last": "5 of 10"}}, "`for` is missing"),
    ("more hits than slots", {"fire": {"above": 1, "for": "5m", "of_last": "11 of 10"}}, "1 <= M <= N"),
    ("a length without a unit", {"fire": {"above": 1, "for": 300}}, "needs a unit"),
    ("a pattern that is none", {"signal": {"gauge": {"of": "g", "where": {"a": {"re": "("}}}}}, "regular expression"),
    ("two witnesses in one", {"corroborate": {"any": [{"probe": "p", "detector": "d", "is": "failing"}]}}, "exactly one witness"),
    ("a probe that fires", {"corroborate": {"any": [{"probe": "p", "is": "firing"}]}}, "is: failing"),
    ("a manager without a unit", {"corroborate": {"any": [{"manager": "m", "is": "down"}]}}, "manager and unit"),
    ("both lists of witnesses", {"corroborate": {"any": [{"probe": "p", "is": "failing"}], "all": [{"probe": "p", "is": "failing"}]}}, "any or all"),
    ("windows that have no such name", {"signal": {"burn_rate": {**BUDGET, "windows": "pager"}}}, "use page, ticket"),
    ("no windows at all", {"signal": {"burn_rate": {**BUDGET, "windows": []}}}, "at least 1 item"),
    ("a short window that is not", {"signal": {"burn_rate": {**BUDGET, "windows": [{"long": "5m", "short": "5m", "burn": 2}]}}}, "not shorter than long"),
    ("an objective without its sign", {"signal": {"burn_rate": {**BUDGET, "objective": 99.9}}}, "not between 0% and 100%"),
    ("an objective that leaves no budget", {"signal": {"burn_rate": {**BUDGET, "objective": "100%"}}}, "less than 1"),
    ("peers of one scope", {"signal": {"peers": {**LIKE, "signal": COUNT}}}, "nobody to compare it with"),
    ("peers across a label that no scope has", {"signal": {"peers": {**LIKE, "across": ["region"]}}}, "across names region, which by does not; by has p"),
    ("peers by a query", {"signal": {"peers": {**LIKE, "signal": {"promql": "up"}}}}, "Extra inputs"),
    ("peers compared by the source", {"signal": {"peers": LIKE, "pushdown": True}}, "leave pushdown out"),
    ("peers of which one is enough", {"signal": {"peers": {**LIKE, "at_least": 1}}}, "greater than or equal to 2"),
    ("peers without a least difference", {"signal": {"peers": {**LIKE, "min_absolute": 0}}}, "greater than 0"),
    ("a metric name with a brace", {"signal": {"gauge": {"of": "g{}"}}}, "should match pattern"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "change", "message"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_refused_with_its_reason(reason: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        detector(**change)
    assert message in str(caught.value), reason


def test_thresholds_are_numbers_percentages_and_lengths() -> None:
    assert [Condition.model_validate({"above": text}).threshold for text in ("5%", 0.05, "30s", 7)] == [0.05, 0.05, 30.0, 7.0]  # fmt: skip


def test_defaults_are_filled_in_and_severity_is_only_ever_raised() -> None:
    rule = rule_of("d", detector(fire={"above": 1, "for": "5m"}), default_source="first", step=15.0)
    assert (rule.source, rule.severity, rule.no_data_for, rule.signal.window) == (
        "first",
        Severity.CRITICAL,
        300.0,
        60.0,
    )
    assert (rule.clear.op, rule.clear.negated, rule.clear.hold) == ("above", True, 300.0)
    quality = {"failure_mode": "data_quality"}
    raised = rule_of("d", detector(**quality, severity="high"), default_source="m", step=15.0)
    lowered = rule_of("d", detector(severity="low"), default_source="m", step=15.0)
    assert (raised.severity, lowered.severity) == (Severity.HIGH, Severity.CRITICAL)


def test_telemetry_takes_targets_as_text_or_with_labels_and_hides_secrets() -> None:
    written = {
        "main": {"type": "prometheus", "url": "http://p:9090", "auth": {"bearer": {"env": "TOKEN"}}, "delay": "15s"},
        "edge": {"type": "scrape", "targets": ["http://a/metrics", {"url": "http://b/metrics", "labels": {"zone": "eu"}}]},
        "past": {"type": "file", "path": "recorded.txt"},
    }  # fmt: skip
    context = Environment({"TOKEN": "very-secret"}).context
    telemetry = TypeAdapter(Telemetry).validate_python(written, context=context)
    edge = telemetry["edge"]
    assert edge.type == "scrape"
    assert [(target.url, target.labels) for target in edge.targets] == [("http://a/metrics", {}), ("http://b/metrics", {"zone": "eu"})]  # fmt: skip
    assert "very-secret" not in repr(telemetry)


def test_the_inventory_takes_any_label_as_a_list_or_as_seen_lately() -> None:
    inventory = Inventory.model_validate(
        {
            "tier": ["hot", "warm"],
            "customer": {"seen_within": "7d"},
            "suspended": {"of": "off", "by": ["customer"]},
        }
    )
    assert inventory.labels == {"tier": ("hot", "warm"), "customer": SeenWithin(seen_within="7d")}  # type: ignore[arg-type]  # written as in YAML
    assert inventory.suspended is not None
    with pytest.raises(ValidationError):
        Inventory.model_validate({"customer": {"seen_in": "7d"}})


def test_a_detector_may_be_gated_by_another_signal() -> None:
    gated = detector(**{"while": {"signal": COUNT, "above": 0}})
    rule = rule_of("d", gated, default_source="m", step=15.0)
    assert rule.gate is not None
    assert rule.gate.signal.of == ("packets_total",)


@pytest.mark.parametrize("kind", SignalSpec.kinds)
def test_a_later_file_replaces_the_kind_of_a_signal(kind: str) -> None:
    """The configuration's own list of kinds, which knows no detectors, has every one of them."""

    def tree(name: str) -> Node:
        node, problems = parse_yaml(f"detectors: {{d: {{signal: {{{name}: {{of: a}}}}}}}}", "x.yaml")
        assert node is not None
        assert problems == []
        return node

    other = "age" if kind != "age" else "rate"
    assert overlay(tree(kind), tree(other)).plain() == tree(other).plain()
    assert overlay(tree(other), tree(kind)).plain() == tree(kind).plain()


def test_the_sections_have_a_json_schema() -> None:
    schema = TypeAdapter(Detectors).json_schema(by_alias=True)
    windows = schema["$defs"]["BurnRate"]["properties"]["windows"]["anyOf"]
    assert [one.get("enum", one.get("type")) for one in windows] == [["page", "ticket"], "array"]
    assert "for" in schema["$defs"]["Condition"]["properties"]
    assert Inventory.model_json_schema()["properties"].keys() == {"suspended"}


def test_the_six_modes_stand_in_causal_order() -> None:
    assert [*MODES] == [*FailureMode]
    assert [mode.order for mode in MODES.values()] == sorted(mode.order for mode in MODES.values())
    assert MODES[FailureMode.INGESTION_STOPPED].scope == ()
