"""The fleet pack: its names, the figures of the domain, and the examples that build upon it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import load
from config.section import Severity
from config.templates import Template
from tests.unit.config.fleet import Sections

CUSTOMERS = ("customer-silent", "customer-disconnected", "customer-errors")
EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
VARIABLES = (
    "FLEETMEND_SIGNING_KEY", "PROM_TOKEN", "INBOX_TOKEN", "PD_ANA", "PD_BEN", "SMTP_PASSWORD", "HEARTBEAT_URL",
    "CI_TOKEN_SHA256",
)  # fmt: skip


def test_it_has_the_names_that_overrides_refer_to(pack: Sections) -> None:
    promised = [
        "provider-silent",
        "provider-errors",
        "ingestion-silent",
        "consumer-down",
        "mapping-failures",
        "status-errors",
        "storage-writes",
        "storage-stalled",
        "storage-reads",
        "api-latency",
        "api-errors",
        "api-probe",
        "values-missing",
        "values-invalid",
        "schema-violations",
        "total-errors",
        "processing-latency",
    ]
    assert set(promised) <= set(pack.detectors)
    assert set(pack.detectors) - set(promised) == {
        "transformation-stalled",
        "storage-reads-warm",
        "storage-down",
        "transformation-down",
        "api-latency-history",
        "customer-silent",
        "customer-disconnected",
        "customer-errors",
    }
    assert list(pack.playbooks) == [
        "provider-outage", "ingestion-stopped", "transformation-failure", "storage-hot", "storage-warm", "storage-cold",
        "api-degradation", "data-quality",
    ]  # fmt: skip
    assert list(pack.escalation) == ["default"]


@pytest.mark.parametrize(
    ("name", "mode", "op", "threshold", "hold", "by"),
    [
        ("provider-silent", "provider_outage", "equals", 0, 600, ("provider",)),
        ("provider-errors", "provider_outage", "above", 0.5, 600, ("provider",)),
        ("ingestion-silent", "ingestion_stopped", "equals", 0, 300, ()),
        ("mapping-failures", "transformation_failure", "above", 0.05, 600, ("provider",)),
        ("status-errors", "transformation_failure", "above", 0.05, 600, ("provider",)),
        ("transformation-stalled", "transformation_failure", "equals", 0, 300, ()),
        ("storage-writes", "storage_failure", "above", 0.01, 300, ("tier",)),
        ("storage-stalled", "storage_failure", "equals", 0, 300, ("tier",)),
        ("storage-reads", "storage_failure", "above", 0.05, 300, ("tier",)),
        ("storage-reads-warm", "storage_failure", "above", 0.05, 300, ("tier",)),
        ("api-latency", "api_degradation", "above", 0.05, 300, ("endpoint",)),
        ("api-latency-history", "api_degradation", "above", 0.05, 300, ("endpoint",)),
        ("api-errors", "api_degradation", "above", 0.05, 300, ("endpoint",)),
        ("values-missing", "data_quality", "above", 0.05, 600, ("provider", "field")),
        ("values-invalid", "data_quality", "above", 0.05, 600, ("provider", "field")),
        ("schema-violations", "data_quality", "above", 0.05, 600, ("provider",)),
        ("total-errors", "transformation_failure", "above", 0.5, 600, ()),
        ("processing-latency", "data_quality", "above", 30, 900, ("provider",)),
        ("customer-silent", "provider_outage", "equals", 0, 3600, ("provider", "customer")),
        ("customer-disconnected", "provider_outage", "equals", 0, 3600, ("provider", "customer")),
        ("customer-errors", "provider_outage", "above", 0.25, 3600, ("provider", "customer")),
    ],
)
def test_its_thresholds_are_those_of_the_domain(
    pack: Sections, name: str, mode: str, op: str, threshold: float, hold: float, by: tuple[str, ...]
) -> None:
    detector = pack.detectors[name]
    assert (detector.failure_mode, detector.fire.op, detector.fire.threshold, detector.fire.for_) == (
        mode,
        op,
        threshold,
        hold,
    )
    assert detector.signal.body.by == by
    assert detector.source is None, "the first entry of telemetry"


def test_its_bounds_are_the_agreed_service_levels(pack: Sections) -> None:
    bounds = {name: spec.signal.share_over for name, spec in pack.detectors.items() if spec.signal.share_over}
    assert {name: (share.bound, share.where) for name, share in bounds.items()} == {
        "storage-reads": (0.1, {"tier": ("hot",)}),
        "storage-reads-warm": (0.5, {"tier": ("warm",)}),
        "api-latency": (0.5, {"endpoint": ("live",)}),
        "api-latency-history": (2.0, {"endpoint": ("history",)}),
    }


def test_windows_leave_room_in_the_hold_and_clearing_is_harder_than_not_firing(pack: Sections) -> None:
    for name, detector in pack.detectors.items():
        if detector.signal.kind not in {"probe", "gauge"}:
            assert detector.signal.body.window <= detector.fire.for_ / 5, name
        assert detector.clear is not None, name
        if detector.fire.op == "above":
            assert detector.clear.threshold < detector.fire.threshold, name


def test_what_counts_nothing_while_it_stands_still_is_watched_against_its_input(pack: Sections) -> None:
    gates = {name: spec.while_.signal.body.of for name, spec in pack.detectors.items() if spec.while_}
    assert gates == {
        "provider-silent": ("telemetry_ingestion_packets_received_total",),
        "transformation-stalled": ("telemetry_ingestion_packets_parsed_total",),
        "storage-stalled": ("telemetry_transformation_mappings_applied_total",),
        "customer-silent": ("telemetry_ingestion_packets_received_total",),
        "customer-disconnected": ("telemetry_ingestion_packets_received_total",),
    }


def test_only_a_total_failure_raises_its_severity_and_only_what_may_not_act_lowers_it(pack: Sections) -> None:
    assert {name: spec.severity for name, spec in pack.detectors.items() if spec.severity} == {
        "total-errors": Severity.CRITICAL,
        **dict.fromkeys(CUSTOMERS, Severity.LOW),
    }


def test_the_level_of_a_customer_only_advises_and_is_joined_per_provider(pack: Sections) -> None:
    assert {name for name, spec in pack.detectors.items() if spec.acts is False} == set(CUSTOMERS)
    by_customer = {
        name for name, spec in pack.detectors.items() if "customer" in getattr(spec.signal.body, "by", ())
    }
    assert by_customer == set(CUSTOMERS)


def test_silence_alone_never_acts_on_a_provider_or_a_consumer(pack: Sections) -> None:
    for name in (
        "provider-silent",
        "consumer-down",
        "transformation-down",
        "storage-down",
        "processing-latency",
    ):
        assert pack.detectors[name].corroborate is not None, name


@pytest.mark.parametrize(
    ("probe", "scope", "url", "reason"),
    [
        ("consumer-health", {"provider": "navixy"}, "http://127.0.0.1:1/health", "as one's own file says"),
        ("consumer-health", {"provider": "oem-a"}, "http://ingestion-oem-a:8080/health", "else by name"),
        (
            "storage-health",
            {"tier": "hot"},
            "http://storage-admin:8080/tiers/hot/health",
            "the tier in the path",
        ),
        ("provider-health", {"provider": "navixy"}, "https://status.example.org/navixy", "outside"),
    ],
)
def test_addresses_come_from_vars_with_a_default(
    pack: Sections, probe: str, scope: dict[str, str], url: str, reason: str
) -> None:
    question = pack.probes[probe].http
    assert question is not None
    own = {"ingestion_admin": {"navixy": "http://127.0.0.1:1"}}
    assert Template(question.url).render({"scope": scope, "vars": pack.vars | own}) == url, reason


def test_the_clock_of_escalation_is_the_one_of_the_design(pack: Sections) -> None:
    first, second, third = pack.escalation["default"]
    assert {str(target) for level in (first, second, third) for target in level.notify} == {
        "schedule:primary",
        "schedule:senior",
        "team:architecture",
    }
    assert second.after == {"critical": 900.0, "high": 1800.0, "medium": 86400.0}
    assert third.after == dict(third.repeat) | {"critical": 1800.0, "high": 14400.0}
    assert pack.remind == {"critical": 300.0, "high": 600.0}


@pytest.mark.parametrize("name", ["example", "minimal"])
def test_the_examples_load(name: str) -> None:
    loaded = load([EXAMPLES / f"{name}.yaml"], Sections, environment=dict.fromkeys(VARIABLES, "value-of-it"))
    assert loaded.problems == []
    assert set(loaded.names("playbooks")) == set(loaded.model.playbooks)


def test_the_example_changes_the_pack_by_name() -> None:
    model = load(
        [EXAMPLES / "example.yaml"], Sections, environment=dict.fromkeys(VARIABLES, "value-of-it")
    ).model
    assert [rung.name for rung in model.playbooks["storage-hot"].ladder] == [
        "restart-writer",
        "fail-over-to-replica",
    ]
    assert model.detectors["api-latency"].fire.of_last is not None
    assert model.detectors["storage-writes"].source == "main"
    assert model.detectors["provider-silent"].while_ is not None, "what the example does not mention stays"
    assert len(model.playbooks) == 8


def test_without_the_pack_nothing_is_there(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("version: 1\npack: none\n", encoding="utf-8")
    assert load([path], Sections, environment={}).model.detectors == {}


def test_a_schema_for_editors_can_be_made_of_all_sections() -> None:
    schema = Sections.model_json_schema(by_alias=True)
    assert schema["$defs"]["DigestSpec"]["properties"]["at"]["default"] == "08:30"
