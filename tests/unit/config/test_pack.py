"""The fleet pack: its names, the figures of the domain, what acts by itself and what only proposes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ConfigDict, Field

from config.escalation import DigestSpec, HeadsUpSpec, PerSeverity, Policy
from config.loader import load
from config.people import Channels, PersonSpec, Teams
from config.probes import ProbeSpec
from config.schedules import ScheduleSpec
from config.section import Autonomy, FailureMode, Section, Severity
from config.templates import Expression, Template
from detectors.spec import Detectors
from remediations.actions.registry import validate_action
from remediations.spec import ManagerSpec, Playbook, Rung, RungKind


class Sections(Section):
    """The sections the pack fills, with their own specs; the rest of the root is anything."""

    model_config = ConfigDict(extra="allow")

    detectors: Detectors = Field(default_factory=dict)
    probes: dict[str, ProbeSpec] = Field(default_factory=dict)
    managers: dict[str, ManagerSpec] = Field(default_factory=dict)
    playbooks: dict[str, Playbook] = Field(default_factory=dict)
    vars: dict[str, Any] = Field(default_factory=dict)
    people: dict[str, PersonSpec] = Field(default_factory=dict)
    teams: Teams = Field(default_factory=dict)
    channels: Channels = Field(default_factory=dict)
    schedules: dict[str, ScheduleSpec] = Field(default_factory=dict)
    escalation: dict[str, Policy] = Field(default_factory=dict)
    remind: PerSeverity = Field(default_factory=dict)
    heads_up: HeadsUpSpec | None = None
    digest: DigestSpec | None = None


EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
VARIABLES = (
    "FLEETMEND_SIGNING_KEY", "PROM_TOKEN", "INBOX_TOKEN", "PD_ANA", "PD_BEN", "SMTP_PASSWORD", "HEARTBEAT_URL",
    "CI_TOKEN_SHA256",
)  # fmt: skip


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Sections:
    path = tmp_path_factory.mktemp("pack") / "empty.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    return load([path], Sections, environment={}).model


def rung(pack: Sections, playbook: str, name: str) -> Rung:
    return next(rung for rung in pack.playbooks[playbook].ladder if rung.name == name)


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
    }


def test_only_a_total_failure_raises_its_severity(pack: Sections) -> None:
    assert {name: spec.severity for name, spec in pack.detectors.items() if spec.severity} == {
        "total-errors": Severity.CRITICAL
    }


def test_silence_alone_never_acts_on_a_provider_or_a_consumer(pack: Sections) -> None:
    for name in (
        "provider-silent",
        "consumer-down",
        "transformation-down",
        "storage-down",
        "processing-latency",
    ):
        assert pack.detectors[name].corroborate is not None, name


PROPOSED = {
    ("provider-outage", "rotate-credentials"): "credential rotation",
    ("provider-outage", "tell-stakeholders"): "the public status page",
    ("ingestion-stopped", "scale-up"): "it may cost money",
    ("storage-hot", "archive-old-data"): "archiving",
    ("storage-warm", "archive-old-data"): "archiving",
    ("storage-hot", "restart-database"): "restart of a database server",
    ("api-degradation", "limit-heaviest-client"): "customer rate limits",
}


def test_it_proposes_what_the_design_does_not_let_it_do_alone(pack: Sections) -> None:
    found = {
        (name, rung.name)
        for name, book in pack.playbooks.items()
        for rung in book.ladder
        if rung.autonomy is Autonomy.PROPOSE
    }
    assert found == set(PROPOSED)
    assert not [
        rung.name
        for book in pack.playbooks.values()
        for rung in book.ladder
        if rung.autonomy is Autonomy.OBSERVE
    ]


def test_failing_back_and_lifting_a_quarantine_are_proposed(pack: Sections) -> None:
    returns = {
        (name, rung.name): rung.return_.autonomy
        for name, book in pack.playbooks.items()
        for rung in book.ladder
        if rung.return_
    }
    assert {key for key, autonomy in returns.items() if autonomy is Autonomy.AUTO} == {
        ("provider-outage", "open-breaker"),
        ("provider-outage", "cut-request-rate"),
        ("provider-outage", "rotate-credentials"),
        ("storage-warm", "spool-writes"),
    }
    assert returns["storage-hot", "fail-over-to-replica"] is Autonomy.PROPOSE


def test_every_mode_has_a_playbook_and_cold_storage_pages_at_once(pack: Sections) -> None:
    assert {book.failure_mode for book in pack.playbooks.values()} == set(FailureMode)
    assert pack.playbooks["storage-cold"].ladder == ()


def test_what_contains_can_be_given_back(pack: Sections) -> None:
    for name, book in pack.playbooks.items():
        for contain in (rung for rung in book.ladder if rung.kind is RungKind.CONTAIN):
            assert contain.confirm is not None, (name, contain.name)
            assert contain.return_ is not None, (name, contain.name)


def test_every_action_is_one_that_exists_with_arguments_it_takes(pack: Sections) -> None:
    actions = [(name, place, do) for name, book in pack.playbooks.items() for place, do in book.actions()]
    assert len(actions) > 40
    for name, place, do in actions:
        kind, _ = validate_action(do)
        assert kind in {"http", "service", "file_link"}, (name, place)


def test_every_name_refers_to_something(pack: Sections) -> None:
    probes = set(pack.probes)
    for book in pack.playbooks.values():
        assert {ref.probe for ref in book.diagnose.values()} <= probes
        assert {rung.confirm.probe for rung in book.ladder if rung.confirm} <= probes
        assert book.escalation in pack.escalation
    for detector in pack.detectors.values():
        assert detector.signal.probe is None or detector.signal.probe in probes
        for witness in detector.corroborate.witnesses if detector.corroborate else ():
            assert witness.probe is None or witness.probe in probes
            assert witness.detector is None or witness.detector in pack.detectors


def test_conditions_ask_only_for_facts_that_are_gathered(pack: Sections) -> None:
    for name, book in pack.playbooks.items():
        for step in book.ladder:
            for text in filter(None, (step.when, step.require, step.return_.when if step.return_ else None)):
                assert Expression(text).names <= {"facts", "scope", "vars"}, (name, step.name)
                for fact in (
                    part.split(".")[1] for part in text.split() if part.lstrip("(").startswith("facts.")
                ):
                    assert fact in book.diagnose, (name, step.name)


# (playbook, what the consumer's, writer's, transformation's or API's health says) -> the rungs that fit, in order
HEALTHY_HOT = {
    "reason": "ok",
    "active": "primary",
    "primary": "healthy",
    "replica_lag_s": 1,
    "pool": {"size": 6},
    "spooling": False,
}
CONSUMER = {
    "dominant_error": "none",
    "breaker": "closed",
    "has_secondary": True,
    "endpoint": "primary",
    "credentials": "valid",
}
TRANSFORMATION = {"stuck": False, "quarantined": []}
API = {"slow_backend": "none", "workers": 2, "cache": "on", "rate_limits": {}}


@pytest.mark.parametrize(
    ("playbook", "body", "scope", "fitting", "reason"),
    [
        ("provider-outage", CONSUMER | {"dominant_error": "rate_limited"}, {}, ["cut-request-rate"], "rate-limited"),
        ("provider-outage", CONSUMER | {"dominant_error": "timeout"}, {}, ["open-breaker", "fail-over-to-secondary"], "no-answer"),
        ("provider-outage", CONSUMER | {"dominant_error": "auth", "credentials": "expired"}, {}, ["rotate-credentials"], "auth"),
        ("provider-outage", CONSUMER | {"dominant_error": "timeout", "has_secondary": False}, {}, ["open-breaker"], "nowhere to go"),
        ("provider-outage", None, {}, [], "a consumer that does not answer: nothing is known, nothing is done"),
        ("ingestion-stopped", CONSUMER, {}, ["restart-consumers", "roll-back-config"], "hung, or fed a bad configuration"),
        ("ingestion-stopped", None, {}, ["restart-consumers", "roll-back-config", "restart-on-previous-config"], "killed"),
        ("transformation-failure", TRANSFORMATION, {}, ["roll-back-mapping", "quarantine-provider"], "bad-mapping, payload-changed"),
        ("transformation-failure", TRANSFORMATION | {"stuck": True}, {}, ["roll-back-mapping", "restart-transformation", "quarantine-provider"], "stuck-transformer"),
        ("transformation-failure", None, {}, ["restart-transformation"], "its process is gone"),
        ("storage-hot", None, {}, ["restart-writer"], "its writer is gone"),
        ("storage-hot", HEALTHY_HOT | {"reason": "pool_exhausted"}, {}, ["enlarge-pool", "read-only-with-spool"], "pool-exhausted"),
        ("storage-hot", HEALTHY_HOT | {"reason": "primary_refuses", "primary": "refusing"}, {}, ["fail-over-to-replica", "read-only-with-spool"], "primary-refuses-writes"),
        ("storage-hot", HEALTHY_HOT | {"reason": "primary_refuses", "replica_lag_s": 90}, {}, ["read-only-with-spool"], "a replica that lags loses writes"),
        ("storage-hot", HEALTHY_HOT | {"reason": "writer_hung"}, {}, ["restart-writer", "fail-over-to-replica", "read-only-with-spool"], "writer hung"),
        ("storage-hot", HEALTHY_HOT | {"primary": "down", "active": "replica"}, {}, ["restart-database", "read-only-with-spool"], "database down"),
        ("storage-warm", HEALTHY_HOT | {"reason": "disk_full"}, {}, ["archive-old-data", "spool-writes"], "warm-disk-full"),
        ("api-degradation", API, {}, ["scale-out", "limit-heaviest-client"], "overload"),
        ("api-degradation", API | {"cache": "off"}, {}, ["scale-out", "enable-cache", "limit-heaviest-client"], "cold-cache"),
        ("api-degradation", API | {"slow_backend": "storage", "cache": "off"}, {}, [], "slow-storage: nothing of ours helps"),
        ("api-degradation", API | {"slow_backend": "code"}, {}, ["scale-out"], "slow-code"),
        ("api-degradation", API | {"workers": 4}, {}, ["limit-heaviest-client"], "as many workers as there can be"),
        ("data-quality", TRANSFORMATION, {"field": "speed"}, ["roll-back-mapping", "roll-back-rules", "quarantine-field"], "one field"),
        ("data-quality", TRANSFORMATION, {}, ["roll-back-mapping", "roll-back-rules", "quarantine-provider"], "rolled up"),
    ],
)  # fmt: skip
def test_the_diagnosis_decides_which_rungs_fit(
    pack: Sections,
    playbook: str,
    body: dict[str, Any] | None,
    scope: dict[str, str],
    fitting: list[str],
    reason: str,
) -> None:
    book = pack.playbooks[playbook]
    fact: dict[str, Any] = (
        {"ok": False, "error": "refused"} if body is None else {"ok": True, "status": 200, "body": body}
    )
    names = {
        "facts": dict.fromkeys(book.diagnose, fact),
        "scope": {"provider": "navixy"} | scope,
        "vars": pack.vars,
    }

    def holds(text: str | None) -> bool:
        try:
            return text is None or bool(Expression(text).evaluate(names))
        except Exception:  # noqa: BLE001  # unknown counts as no
            return False

    assert [step.name for step in book.ladder if holds(step.when) and holds(step.require)] == fitting, reason


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


def test_all_consumers_can_be_restarted_at_once_and_a_tier_only_after_another(pack: Sections) -> None:
    assert pack.playbooks["ingestion-stopped"].guardrails.lock is None
    assert pack.playbooks["ingestion-stopped"].guardrails.blast_radius.max_scopes == 10
    assert {pack.playbooks[f"storage-{tier}"].guardrails.lock for tier in ("hot", "warm")} == {"storage"}


@pytest.mark.parametrize(
    ("scope", "unit", "reason"),
    [
        ({"provider": "navixy"}, "ingestion-navixy", "one of several"),
        ({}, "ingestion-*", "the whole pipeline stands still: all of them"),
    ],
)
def test_the_restart_names_what_is_affected_and_no_more(
    pack: Sections, scope: dict[str, str], unit: str, reason: str
) -> None:
    restart = rung(pack, "ingestion-stopped", "restart-consumers").do["service"]["restart"]
    assert Template(restart).render({"scope": scope, "vars": pack.vars}) == unit, reason
