"""Figures, versions, the manager's configuration, the files others read."""

import configparser
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from supervisor.events import EventTypes

from demo import clock, ground, versions
from demo.__main__ import PIPELINE, parser
from demo.effects import merged
from demo.faults import VARIANTS, find
from demo.hands import Hands
from demo.programs.ingestion import load_config
from demo.programs.listener import fields
from demo.settings import Stack, free_ports, load_settings, port_names, settings_from
from demo.supervise import configuration, programs, unit_names
from demo.targets import daemon_config, prometheus_config

CONTRACT = {
    "provider_outage": {"rate-limited", "no-answer", "auth", "both-down"},
    "ingestion_stopped": {"killed", "hung", "bad-config", "wont-start"},
    "transformation_failure": {"bad-mapping", "stuck-transformer", "payload-changed"},
    "storage_failure": {"pool-exhausted", "warm-disk-full", "primary-refuses-writes", "cold-down"},
    "api_degradation": {"overload", "slow-storage", "cold-cache", "slow-code"},
    "data_quality": {"bad-mapping-values", "rule-too-strict", "field-renamed", "out-of-range"},
}


def stack(folder: Path) -> Stack:
    settings = load_settings(PIPELINE)
    return Stack(
        folder,
        settings,
        free_ports(port_names(settings.api.max_workers)),
        ("setpriv", "--bounding-set", "-x"),
    )


def test_every_missing_and_unknown_figure_is_named_at_once() -> None:
    content = asdict(load_settings(PIPELINE))
    del content["api"]["workers"]
    content["traffic"]["lorries"] = 3
    with pytest.raises(ValueError, match=r"api\.workers is missing; traffic\.lorries is unknown"):
        settings_from(content)


NAMES = [f"p{number}" for number in range(50)]


def test_stacks_that_start_at_the_same_moment_do_not_take_the_same_ports() -> None:
    """None of them has bound any yet."""
    chosen = [set(free_ports(NAMES, owner=1_000 + number).values()) for number in range(4)]
    assert len(set.union(*chosen)) == 4 * len(NAMES)


def test_a_stack_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    made = stack(tmp_path)
    made.save()
    assert Stack.load(tmp_path) == made


def test_ports_are_all_different_and_outside_the_kernels_own_range() -> None:
    ports = free_ports(NAMES)
    assert len(set(ports.values())) == 50
    assert all(20000 <= port <= 32000 for port in ports.values())


def test_the_manager_restarts_nothing_by_itself_and_declares_four_workers(tmp_path: Path) -> None:
    made = stack(tmp_path / "with space")
    text = configuration(made, as_root=False)
    content = configparser.RawConfigParser(strict=True)
    content.read_string(text)
    processes = [name for name in content.sections() if name.startswith(("program:", "eventlistener:"))]
    assert len(processes) == len(programs(made)) + 1
    assert all(content[name]["autorestart"] == "false" for name in processes)
    assert content["program:api-worker"]["numprocs"] == "4"
    assert "api-worker:api-worker-3" in unit_names(made)
    assert "'--bounding-set'" not in text
    assert f"--state '{made.state}'" in content["program:api"]["command"]


def test_the_daemons_second_file_names_every_running_process_once(tmp_path: Path) -> None:
    made = stack(tmp_path)
    content = daemon_config(made)
    targets = content["telemetry"]["edge"]["targets"]
    assert [one["labels"]["job"] for one in targets] == ["ingestion"] * 3 + ["transformation"] + [
        "storage"
    ] * 3 + ["api"]
    assert len({one["url"] for one in targets}) == 8
    assert set(content["vars"]["storage_admin"]) == {"hot", "warm", "cold"}
    assert content["managers"]["pipeline"] == {"type": "supervisor", "url": f"unix://{made.socket}"}
    assert len(daemon_config(made, newcomer=True)["telemetry"]["edge"]["targets"]) == 9


def test_prometheus_scrapes_the_same_addresses(tmp_path: Path) -> None:
    made = stack(tmp_path)
    wanted = {one["url"] for one in daemon_config(made)["telemetry"]["edge"]["targets"]}
    jobs = prometheus_config(made)["scrape_configs"]
    assert {
        f"http://{address}/metrics"
        for job in jobs
        for one in job["static_configs"]
        for address in one["targets"]
    } == wanted
    assert all(job["honor_labels"] for job in jobs)


def test_a_version_is_published_beside_the_link_and_switched_to_by_one_rename(tmp_path: Path) -> None:
    assert versions.publish(tmp_path, {"a.yaml": "1"}) == "v001"
    versions.switch(tmp_path, "v001")
    assert versions.publish(tmp_path, {"a.yaml": "2"}) == "v002"
    assert versions.current(tmp_path) == "v001"
    versions.switch(tmp_path, "v002")
    assert (tmp_path / "current" / "a.yaml").read_text() == "2"
    assert versions.versions(tmp_path) == ["v001", "v002"]


def test_versions_are_dated_as_deployed_long_ago_and_put_back_when_somebody_edited_them(
    tmp_path: Path,
) -> None:
    for what in ground.VERSIONED:
        (tmp_path / what).mkdir()
    assert ground.lay_versions(tmp_path) == set(ground.VERSIONED)
    ground.date_links(tmp_path)
    link = tmp_path / "ingestion" / "current"
    file = link / "ingestion.toml"
    dates = (link.lstat().st_mtime, file.stat().st_mtime)
    assert max(dates) < clock.now() - 6 * ground.DAY_S
    assert ground.lay_versions(tmp_path) == set(), "nothing was changed"
    good = file.read_text()
    file.write_text("batch = 0")
    assert ground.lay_versions(tmp_path) == {"ingestion"}
    assert (file.read_text(), link.readlink()) == (good, Path(ground.IN_USE))
    assert file.stat().st_mtime == pytest.approx(dates[1], abs=60)


def test_the_breaker_writes_down_what_it_switches_and_nothing_when_it_switches_nothing(
    tmp_path: Path,
) -> None:
    for folder in ("effects", "rules"):
        (tmp_path / folder).mkdir()
    for version in ("v001", "v002"):
        versions.publish(tmp_path / "rules", {"a.yaml": version})
    versions.switch(tmp_path / "rules", "v001")
    hands = Hands(stack(tmp_path))
    hands.switch(tmp_path / "rules", "v001")
    hands.switch(tmp_path / "rules", "v002")
    link = str(tmp_path / "rules" / "current")
    (row,) = merged(tmp_path / "effects")
    assert (row["program"], row["kind"], row["what"]) == ("breaker", "link", link)
    assert row["args"] == {"from": "v001", "to": "v002"}
    assert versions.links([tmp_path / "rules", tmp_path / "gone"]) == {link: "v002"}


def test_a_consumer_refuses_a_configuration_with_a_misspelt_key() -> None:
    assert load_config('path = "/v1/packets"\nbatch = 60\n').batch == 60
    with pytest.raises(ValueError, match="bacth"):
        load_config('path = "/v1/packets"\nbacth = 60\n')


def test_the_listener_reads_events_as_supervisor_words_them() -> None:
    assert EventTypes.PROCESS_STATE
    assert fields("processname:cat groupname:cat from_state:STARTING pid:2766") == {
        "processname": "cat", "groupname": "cat", "from_state": "STARTING", "pid": "2766",
    }  # fmt: skip


def test_there_is_a_variant_for_every_cell_of_the_contracts_table_and_a_liar_and_a_healer_for_every_mode() -> (
    None
):
    found: dict[str, set[str]] = {}
    for one in VARIANTS:
        assert one.name not in found.setdefault(one.mode, set())
        found[one.mode].add(one.name)
    assert found == {mode: names | {"liar", "self-heals"} for mode, names in CONTRACT.items()}


def test_a_mode_alone_means_the_first_of_its_variants_and_an_unknown_one_is_told_what_there_is() -> None:
    assert find("storage_failure").name == "pool-exhausted"
    assert find("storage_failure:cold-down").mended_by == "nothing"
    with pytest.raises(KeyError, match="storage_failure:cold-down"):
        find("storage_failure:fire")


def test_self_healing_is_timed_for_every_mode() -> None:
    assert set(load_settings(PIPELINE).manage.self_heals_after_s) == set(CONTRACT)


def test_the_command_lists_every_variant_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    given = parser().parse_args(["variants", "--json"])
    assert given.run(given) == 0
    rows = json.loads(capsys.readouterr().out)["variants"]
    assert len(rows) == len(VARIANTS)
    assert set(rows[0]) == {"failure_mode", "variant", "mended_by", "fault", "mends", "left_out"}
