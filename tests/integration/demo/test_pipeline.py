"""One real stack: it comes up, breaks, is mended by the right rung, and leaves no process behind."""

import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ruamel.yaml import YAML

from demo import clock
from demo.service import wait_for
from demo.settings import PROVIDERS, TIERS
from demo.stack import owned
from demo.versions import switch
from tests.integration.demo.pipeline import Pipeline, error_share, failed_mappings, slow_live, write_errors

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    # tmp_path's parents are closed to other users, and the programs may run as one
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as folder:
        one = Pipeline(Path(folder).resolve())
        try:
            one.command("up", "--prometheus")
            ports = YAML(typ="safe").load((one.state / "ports.yaml").read_text())
            one.targets = [target["url"] for target in ports["telemetry"]["edge"]["targets"]]
            yield one
        finally:
            one.command("down")
        assert owned(one.state) == {}, "down left a process behind"


@pytest.fixture(autouse=True)
def healed(pipeline: Pipeline) -> Iterator[None]:
    yield
    pipeline.command("heal")


def test_a_healthy_pipeline_moves_enough_of_everything_and_fails_in_nothing(pipeline: Pipeline) -> None:
    growth = pipeline.grown(3.0)
    for provider in PROVIDERS:
        assert growth("telemetry_ingestion_packets_received_total", provider=provider) > 40
        assert growth("telemetry_transformation_mappings_applied_total", provider=provider) > 200
        assert growth("telemetry_quality_values_checked_total", provider=provider) > 200
    for tier in TIERS:
        assert growth("telemetry_storage_writes_total", tier=tier) > 60
    for endpoint in ("live", "history"):
        assert growth("telemetry_api_requests_total", endpoint=endpoint, code="200") > 40
    for name in (
        "ingestion_provider_errors",
        "transformation_mappings_failed",
        "storage_write_errors",
        "quality_values_invalid",
        "quality_fields_missing",
        "api_errors",
    ):
        assert growth(f"telemetry_{name}_total") == 0, name
    assert slow_live(growth) < 0.03


def test_dead_consumers_take_their_metrics_with_them_and_come_back_only_when_started(
    pipeline: Pipeline,
) -> None:
    pipeline.command("break", "ingestion_stopped:killed")
    for provider in PROVIDERS:
        with pytest.raises(requests.ConnectionError):
            requests.get(pipeline.stack.url(f"ingestion-{provider}") + "/metrics", timeout=1)
        assert pipeline.manager.processes()[f"ingestion-{provider}"]["statename"] == "EXITED"
    for provider in PROVIDERS:
        pipeline.manager.start(f"ingestion-{provider}")
    assert pipeline.becomes(
        lambda growth: all(
            growth("telemetry_ingestion_packets_received_total", provider=one) > 20 for one in PROVIDERS
        )
    )
    events = [row["event"] for row in pipeline.rows(program="ingestion-navixy") if "event" in row]
    assert events[-3:] == ["PROCESS_STATE_EXITED", "PROCESS_STATE_STARTING", "PROCESS_STATE_RUNNING"]


def test_a_fault_made_by_hand_is_the_same_as_one_made_by_the_command(pipeline: Pipeline) -> None:
    for provider in PROVIDERS:
        os.kill(pipeline.manager.processes()[f"ingestion-{provider}"]["pid"], signal.SIGSTOP)
    growth = pipeline.grown()
    assert growth("telemetry_ingestion_packets_received_total") == 0
    for provider in PROVIDERS:
        pipeline.manager.restart(f"ingestion-{provider}")
    assert pipeline.becomes(lambda growth: growth("telemetry_ingestion_packets_received_total") > 60)


def test_a_consumer_on_a_bad_configuration_is_mended_by_the_version_before_and_not_by_a_restart(
    pipeline: Pipeline,
) -> None:
    pipeline.command("break", "ingestion_stopped:bad-config")
    pipeline.manager.restart("ingestion-navixy")
    growth = pipeline.grown()
    assert growth("telemetry_ingestion_packets_received_total") == 0
    assert pipeline.health("ingestion-navixy")["status"] == "bad_config"
    switch(pipeline.stack.ingestion_config, "v002")
    assert pipeline.becomes(lambda growth: growth("telemetry_ingestion_packets_received_total") > 60)


def test_consumers_whose_ports_a_stranger_has_do_not_start(pipeline: Pipeline) -> None:
    pipeline.command("break", "ingestion_stopped:wont-start")
    with pytest.raises(Exception, match=r"SPAWN_ERROR|ABNORMAL"):
        pipeline.manager.start("ingestion-navixy")


def test_a_provider_that_does_not_answer_is_contained_by_the_breaker_and_mended_by_its_secondary(
    pipeline: Pipeline,
) -> None:
    pipeline.command("break", "provider_outage:no-answer")
    of, to = "telemetry_ingestion_provider_errors_total", "telemetry_ingestion_provider_requests_total"
    assert pipeline.becomes(lambda growth: error_share(growth, of, to, provider="navixy") > 0.9)
    assert wait_for(lambda: pipeline.health("ingestion-navixy")["dominant_error"] == "timeout", 5.0)
    assert (
        requests.get(pipeline.stack.url("provider-navixy") + "/status", timeout=2).json()["state"] == "down"
    )
    assert pipeline.post("ingestion-navixy", "/admin/breaker", {"state": "open"}, "open-1").status_code == 200
    assert pipeline.becomes(lambda growth: growth(to, provider="navixy") == 0)
    assert pipeline.post("ingestion-navixy", "/admin/endpoint", {"use": "secondary"}).status_code == 200
    assert pipeline.becomes(
        lambda growth: growth("telemetry_ingestion_packets_received_total", provider="navixy") > 20
    )
    assert pipeline.post("ingestion-navixy", "/admin/endpoint", {"use": "secondary"}).status_code == 409
    row = pipeline.rows(key="open-1")[0]
    assert (row["program"], row["kind"], row["what"], row["result"]) == (
        "ingestion-navixy",
        "admin",
        "/admin/breaker",
        "done",
    )


def test_a_liar_answers_200_writes_it_down_and_does_nothing(pipeline: Pipeline) -> None:
    pipeline.command("break", "provider_outage:liar")
    answer = pipeline.post("ingestion-navixy", "/admin/endpoint", {"use": "secondary"}, "lie-1")
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert pipeline.health("ingestion-navixy")["endpoint"] == "primary"
    assert pipeline.rows(key="lie-1")[0]["result"] == "ignored"


def test_a_bad_mapping_fails_one_providers_fields_until_the_link_goes_back(pipeline: Pipeline) -> None:
    pipeline.command("break", "transformation_failure:bad-mapping")
    assert pipeline.becomes(
        lambda growth: failed_mappings(growth, "navixy") > 0.2 and failed_mappings(growth, "teltonika") == 0
    )
    switch(pipeline.stack.mapping, "v002")
    assert pipeline.becomes(
        lambda growth: (
            growth("telemetry_transformation_mappings_applied_total", provider="navixy") > 100
            and failed_mappings(growth, "navixy") == 0
        )
    )


def test_a_stuck_converter_needs_a_restart(pipeline: Pipeline) -> None:
    pipeline.command("break", "transformation_failure:stuck-transformer")
    assert pipeline.becomes(lambda growth: failed_mappings(growth, "navixy") > 0.1)
    switch(pipeline.stack.mapping, "v001")
    assert failed_mappings(pipeline.grown(), "navixy") > 0.1
    assert pipeline.health("transformation")["stuck"] is True
    pipeline.manager.restart("transformation")
    assert pipeline.becomes(
        lambda growth: (
            growth("telemetry_transformation_mappings_applied_total", provider="navixy") > 100
            and failed_mappings(growth, "navixy") == 0
        )
    )


def test_an_exhausted_pool_refuses_writes_until_it_is_enlarged_and_nothing_is_lost(
    pipeline: Pipeline,
) -> None:
    pipeline.command("break", "storage_failure:pool-exhausted")
    assert pipeline.becomes(lambda growth: write_errors(growth, "hot") > 0.9)
    assert pipeline.health("storage-writer-hot")["reason"] == "pool_exhausted"
    assert pipeline.post("storage-writer-hot", "/tiers/hot/pool", {"size": 16}).status_code == 200
    assert pipeline.becomes(
        lambda growth: (
            growth("telemetry_storage_writes_total", tier="hot") > 60 and write_errors(growth, "hot") == 0
        )
    )
    assert pipeline.health("storage-writer-hot")["pool"]["size"] == 16
    assert pipeline.health("transformation")["outbox"]["hot"] < 200


def test_a_full_filesystem_refuses_warm_writes_until_old_data_is_archived(pipeline: Pipeline) -> None:
    if pipeline.stack.warm_left_out:
        pytest.skip(pipeline.stack.warm_left_out)
    pipeline.command("break", "storage_failure:warm-disk-full")
    assert pipeline.becomes(
        lambda growth: write_errors(growth, "warm") > 0.9 and write_errors(growth, "hot") == 0
    )
    assert pipeline.health("storage-writer-warm")["reason"] == "disk_full"
    assert pipeline.post("storage-writer-warm", "/tiers/warm/archive", {}).json()["files"] >= 1
    assert pipeline.becomes(
        lambda growth: (
            growth("telemetry_storage_writes_total", tier="warm") > 60 and write_errors(growth, "warm") == 0
        )
    )


def test_a_primary_that_refuses_writes_is_mended_by_its_replica_only_and_spooled_writes_come_back(
    pipeline: Pipeline,
) -> None:
    if pipeline.stack.chmod_left_out:
        pytest.skip(pipeline.stack.chmod_left_out)
    pipeline.command("break", "storage_failure:primary-refuses-writes")
    assert pipeline.becomes(lambda growth: write_errors(growth, "hot") > 0.9)
    assert pipeline.health("storage-writer-hot")["primary"] == "refusing"
    assert pipeline.post("storage-writer-hot", "/tiers/hot/failback", {}).status_code == 409
    pipeline.post("storage-writer-hot", "/tiers/hot/read-only", {"on": True})
    assert pipeline.health("storage-writer-hot")["spooling"], "read-only mode spools"
    assert pipeline.becomes(lambda growth: write_errors(growth, "hot") == 0)
    assert pipeline.health("storage-writer-hot")["spooled"] > 0
    assert pipeline.post("storage-writer-hot", "/tiers/hot/drain", {}).status_code == 409
    assert pipeline.post("storage-writer-hot", "/tiers/hot/read-only", {"on": False}).status_code == 409
    assert pipeline.post("storage-writer-hot", "/tiers/hot/failover", {}).status_code == 200
    assert pipeline.post("storage-writer-hot", "/tiers/hot/drain", {}).status_code == 200
    assert pipeline.becomes(
        lambda growth: (
            growth("telemetry_storage_writes_total", tier="hot") > 60 and write_errors(growth, "hot") == 0
        )
    )


def test_an_overloaded_api_is_mended_by_more_workers(pipeline: Pipeline) -> None:
    pipeline.command("break", "api_degradation:overload")
    assert pipeline.becomes(lambda growth: slow_live(growth) > 0.3)
    for number in (2, 3):
        pipeline.manager.start(f"api-worker:api-worker-{number}")
    assert pipeline.becomes(lambda growth: slow_live(growth) < 0.03)
    assert pipeline.health("api")["workers"] == 4


def test_a_cold_cache_is_mended_by_the_cache_and_not_by_more_workers(pipeline: Pipeline) -> None:
    pipeline.command("break", "api_degradation:cold-cache")
    assert pipeline.becomes(lambda growth: slow_live(growth) > 0.3)
    for number in (2, 3):
        pipeline.manager.start(f"api-worker:api-worker-{number}")
    clock.pause(2.0)
    assert slow_live(pipeline.grown()) > 0.3
    assert pipeline.post("api", "/admin/cache", {"on": True}).status_code == 200
    assert pipeline.becomes(lambda growth: slow_live(growth) < 0.03)


def test_a_renamed_field_is_missing_and_its_quarantine_contains_it(pipeline: Pipeline) -> None:
    pipeline.command("break", "data_quality:field-renamed")
    missing, checked = "telemetry_quality_fields_missing_total", "telemetry_quality_values_checked_total"
    assert pipeline.becomes(
        lambda growth: error_share(growth, missing, checked, provider="navixy", field="fuel") > 0.9
    )
    order = {"provider": "navixy", "fields": ["fuel"], "on": True}
    assert pipeline.post("transformation", "/admin/quarantine", order).status_code == 200
    assert pipeline.becomes(
        lambda growth: growth(missing) == 0 and growth(checked, provider="navixy", field="speed") > 20
    )
    assert pipeline.health("transformation")["quarantined"] == ["navixy/fuel"]


def test_a_fault_that_heals_by_itself_is_gone_without_anybodys_action(pipeline: Pipeline) -> None:
    pipeline.command("break", "data_quality:self-heals", "--after", "3")
    invalid = "telemetry_quality_values_invalid_total"
    assert pipeline.becomes(lambda growth: growth(invalid) > 0, within=3.0)
    assert pipeline.becomes(lambda growth: growth(invalid) == 0, within=8.0)


def test_disturbances_reach_no_threshold(pipeline: Pipeline) -> None:
    pipeline.command("disturb", "suspend-customer")
    pipeline.command("disturb", "night-rate", "oem-a")
    pipeline.command("disturb", "new-provider")
    pipeline.command("disturb", "bad-minute")
    growth = pipeline.grown(4.0)
    of, to = "telemetry_ingestion_provider_errors_total", "telemetry_ingestion_provider_requests_total"
    assert 0 < error_share(growth, of, to, provider="navixy") < 0.5
    assert growth("telemetry_ingestion_packets_received_total", provider="oem-a") < 10
    assert growth("telemetry_transformation_mappings_applied_total", provider="newcomer") > 0
    assert ("telemetry_customer_suspended", frozenset({("customer", "teltonika-acme")})) in pipeline.scrape()
    ports = YAML(typ="safe").load((pipeline.state / "ports.yaml").read_text())
    assert "newcomer" in ports["vars"]["ingestion_admin"]
    assert "ingestion-newcomer" in pipeline.manager.processes()
    pipeline.command("undisturb")
    assert pipeline.becomes(
        lambda growth: growth("telemetry_ingestion_packets_received_total", provider="oem-a") > 20
    )
    assert "ingestion-newcomer" in pipeline.manager.processes(), "a provider that is new stays"
    pipeline.command("heal")
    assert "ingestion-newcomer" not in pipeline.manager.processes()


def test_switches_of_links_are_seen_by_the_listener_and_told_by_the_breaker(pipeline: Pipeline) -> None:
    link = str(pipeline.stack.rules / "current")
    pipeline.command("break", "data_quality:rule-too-strict")
    assert wait_for(lambda: len(pipeline.rows(kind="link", what=link)) >= 2, 5.0)
    ordered, seen = pipeline.rows(kind="link", what=link)[-2:]
    assert (ordered["program"], seen["program"]) == ("breaker", "listener")
    assert ordered["args"] == seen["args"] == {"from": "v002", "to": "v003"}


def test_effects_are_one_json_object_a_line_in_time_order(pipeline: Pipeline) -> None:
    rows = [json.loads(line) for line in pipeline.command("effects", "--json").splitlines()]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    starts = {row["program"] for row in rows if row.get("kind") == "start"}
    assert {"api", "transformation", "storage-writer-hot", "ingestion-navixy", "provider-navixy"} <= starts


def test_the_stack_is_small(pipeline: Pipeline) -> None:
    sizes = [
        int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
        for pid in owned(pipeline.state)
    ]
    assert sum(sizes) < 350 * 1024, f"{sum(sizes) // 1024} MB resident"
