"""Storage, queues and logs on real files."""

import json
from pathlib import Path

import pytest

from demo.effects import EffectLog, merged
from demo.programs.cold import ColdStore
from demo.programs.dlq import DeadLetters
from demo.programs.hot import HotStore
from demo.programs.outbox import Outbox
from demo.programs.tier import Pool, Record, Spool, StoreError
from demo.programs.warm import WarmStore
from demo.service import Refused


def record(seq: int, asset: str = "a") -> Record:
    return {"asset": asset, "at": float(seq), "seq": seq}


def hot(folder: Path) -> tuple[HotStore, list[str]]:
    switched: list[str] = []
    return HotStore(folder, Pool(2, 0.01), 0.5, switched.append), switched


def test_the_hot_tier_keeps_the_newest_record_of_an_asset_whatever_the_order(tmp_path: Path) -> None:
    store, _ = hot(tmp_path)
    store.write([record(1), record(3)])
    store.write([record(2)])
    assert store.read("a") == [record(3)]
    assert store.read("nobody") == []


def test_a_failover_goes_on_with_the_replica_and_a_failback_brings_home_what_it_got(tmp_path: Path) -> None:
    store, switched = hot(tmp_path)
    store.write([record(1)])
    store.fail_over({})
    assert store.read("a") == [record(1)], "the replica followed every write"
    with pytest.raises(Refused):
        store.fail_over({})
    store.write([record(2)])
    store.fail_back({})
    assert store.read("a") == [record(2)]
    assert switched == ["replica", "primary"]


def test_a_failover_outlives_a_restart(tmp_path: Path) -> None:
    store, _ = hot(tmp_path)
    store.fail_over({})
    assert hot(tmp_path)[0].active == "replica"


def test_a_pool_without_a_free_connection_refuses_and_a_larger_one_serves(tmp_path: Path) -> None:
    store, _ = hot(tmp_path)
    for _ in range(2):
        store.pool.take()
    with pytest.raises(StoreError) as refused:
        store.write([record(1)])
    assert refused.value.reason == "pool_exhausted"
    store.pool.resize(4)
    store.write([record(1)])
    assert store.pool.facts() == {"size": 4, "used": 2}


def warm(folder: Path, keep: int = 2) -> WarmStore:
    for name in ("warm", "archive"):
        (folder / name).mkdir(exist_ok=True)
    return WarmStore(folder / "warm", folder / "archive", 200, keep, 3, 10_000)


def test_the_warm_tier_archives_closed_segments_above_its_number_and_loses_nothing(tmp_path: Path) -> None:
    store = warm(tmp_path)
    for seq in range(60):
        store.write([record(seq)])
    paths = [*sorted((tmp_path / "archive").iterdir()), *sorted((tmp_path / "warm").iterdir())]
    found = [json.loads(line)["seq"] for path in paths for line in path.read_text().splitlines()]
    assert found == list(range(60))
    assert len(list((tmp_path / "warm").iterdir())) <= 3
    assert [one["seq"] for one in store.read("a")] == [57, 58, 59]
    assert [one["seq"] for one in warm(tmp_path).read("a")] == [57, 58, 59], "a restart reads what is there"


def test_archiving_moves_everything_but_the_open_segment_strangers_included(tmp_path: Path) -> None:
    store = warm(tmp_path)
    store.write([record(1)])
    (tmp_path / "warm" / "fill.bin").write_bytes(b"\0" * 1000)
    assert store.archive() == (1, 1000)
    assert [path.name for path in (tmp_path / "warm").iterdir()] == [store.segment.name]
    assert (tmp_path / "archive" / "fill.bin").stat().st_size == 1000


def test_the_cold_tier_appends_and_compresses_what_is_closed(tmp_path: Path) -> None:
    store = ColdStore(tmp_path, segment_bytes=100, keep=10_000)
    for seq in range(10):
        store.write([record(seq)])
    assert len(list(tmp_path.glob("archive-*.jsonl.gz"))) >= 2
    again = ColdStore(tmp_path, segment_bytes=100, keep=10_000)
    assert again.number == store.number


def test_an_outbox_above_its_bound_goes_to_disk_and_keeps_the_order(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "hot.jsonl", bound=3)
    box.add([record(1), record(2)])
    box.add([record(3), record(4)])
    box.add([record(5)])
    assert len(box) == 5
    assert len(box.memory) == 2
    seen = []
    while batch := box.peek(2):
        seen += [one["seq"] for one in batch]
        box.done(len(batch))
    assert seen == [1, 2, 3, 4, 5]


def test_an_outbox_that_is_saved_is_whole_after_a_restart(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "hot.jsonl", bound=2)
    box.add([record(1), record(2)])
    box.add([record(3)])
    box.save()
    assert [one["seq"] for one in Outbox(tmp_path / "hot.jsonl", bound=2).peek(9)] == [1, 2, 3]


def test_a_spool_and_dead_letters_outlive_a_restart(tmp_path: Path) -> None:
    Spool(tmp_path / "warm.jsonl").add([record(1), record(2)])
    spool = Spool(tmp_path / "warm.jsonl")
    assert spool.count == 2
    assert spool.all() == [record(1), record(2)]
    spool.clear()
    assert spool.all() == []
    (tmp_path / "dlq").mkdir()
    DeadLetters(tmp_path / "dlq").add("navixy", [record(7)], "why")
    letters = DeadLetters(tmp_path / "dlq")
    assert letters.depth == 1
    assert letters.take("navixy") == [record(7)]
    assert letters.depth == 0


def test_effect_logs_merge_in_time_order_and_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    first, second = EffectLog(tmp_path, "api"), EffectLog(tmp_path, "traffic")
    first.write("start", "api")
    second.write("start", "traffic")
    first.write("admin", "/admin/cache", "key-1", {"on": True}, "done")
    with (tmp_path / "api.jsonl").open("a") as file:
        file.write('{"at": 1, "prog')
    rows = merged(tmp_path)
    assert [(row["program"], row["kind"]) for row in rows] == [
        ("api", "start"),
        ("traffic", "start"),
        ("api", "admin"),
    ]
    assert rows[-1]["key"] == "key-1"
