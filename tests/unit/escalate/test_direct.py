"""With a store that is sick, the daemon's own page goes out without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.escalate.direct import AGAIN_AFTER, DirectPager
from daemon.escalate.told import Told
from daemon.incidents.events import Kind
from remediations.ports import Unreachable
from tests.fakes.paging import POLICY
from tests.unit.escalate.house import DIRECTORY, House


def direct(house: House, store: Path | None = None) -> DirectPager:
    return DirectPager(DIRECTORY, POLICY, house.book, house.doors, Told(store))


def test_with_a_sick_store_one_page_goes_out_directly_and_is_recorded_later(house: House) -> None:
    pager = direct(house)
    assert pager.page("store", "disk full", house.now)
    assert pager.page("store", "disk full", house.now + 60)
    assert house.provider.pages == ["[CRIT L1] Fleetmend itself: store: disk full"]
    assert [event["dedup_key"] for event in house.provider.events] == ["fleetmend/daemon/store"]
    assert [event.kind for event in pager.records()] == [Kind.SENT]
    assert pager.records() == ()
    pager.over("store", "writes again", house.now + 90)
    assert house.provider.open == {}


def test_a_direct_page_that_reached_nobody_is_tried_again(house: House) -> None:
    house.provider.script = [Unreachable("refused")]
    pager = direct(house)
    assert not pager.page("store", "disk full", house.now)
    assert pager.page("store", "disk full", house.now + 1)
    assert len(house.provider.pages) == 1


def test_a_restarted_daemon_joins_the_same_direct_alert(house: House) -> None:
    direct(house).page("store", "disk full", house.now)
    direct(house).page("store", "disk full", house.now)
    assert len(house.provider.pages) == 1


def test_what_begins_to_fire_meanwhile_is_told_directly_as_well_and_once(house: House) -> None:
    pager = direct(house)
    pager.page("store", "disk full", house.now)
    for minute in range(1, 4):
        pager.page(
            "store", "disk full. Firing now: storage_failure", house.now + 60 * minute, ["storage hot"]
        )
    pager.page("store", "disk full. Firing now: two", house.now + 300, ["storage hot", "storage warm"])
    assert len(house.provider.events) == 3
    assert {event["dedup_key"] for event in house.provider.events} == {"fleetmend/daemon/store"}
    pager.over("store", "writes again", house.now + 400)
    assert house.provider.open == {}


def test_a_daemon_that_was_killed_leaves_the_end_to_the_next_one(house: House, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    direct(house, store).page("store", "disk full", house.now)
    assert house.provider.open
    direct(house, store).over("store", "it writes again", house.now + 900)
    assert house.provider.open == {}
    assert Told(store).listed() == ()
    sent = len(house.provider.events)
    direct(house, store).over("store", "it writes again", house.now + 901)
    assert len(house.provider.events) == sent, "one end each"


def test_an_end_that_reached_nobody_is_still_owed(house: House, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    direct(house, store).page("store", "disk full", house.now)
    house.provider.script = [Unreachable("refused")]
    direct(house, store).over("store", "it writes again", house.now + 900)
    assert house.provider.open
    direct(house, store).over("store", "it writes again", house.now + 4500)
    assert house.provider.open == {}


def test_who_was_not_reached_is_told_no_end(house: House, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    house.provider.script = [Unreachable("refused")]
    assert not direct(house, store).page("store", "disk full", house.now)
    assert Told(store).listed() == ()


def test_the_end_of_one_part_is_not_that_of_another(house: House, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    direct(house, store).page("store", "disk full", house.now)
    direct(house, store).over("loop", "started anew", house.now + 1)
    assert house.provider.open


def test_whose_channel_is_gone_is_forgotten(house: House, tmp_path: Path) -> None:
    Told(tmp_path / "state.db").add("store", "nobody/0", "pagerduty")
    direct(house, tmp_path / "state.db").over("store", "it writes again", house.now)
    assert Told(tmp_path / "state.db").listed() == ()
    assert house.provider.events == []


@pytest.mark.parametrize("address", ["ana/0", "o.brien-2/11", "a_b.c/3"])
def test_names_of_every_kind_come_back_from_the_names_of_files(tmp_path: Path, address: str) -> None:
    told = Told(tmp_path / "state.db")
    told.add("store", address, "pagerduty")
    (tmp_path / "state.db.told.torn").touch()
    assert told.listed() == (("store", address, "pagerduty"),)
    assert all(file.stat().st_size == 0 for file in tmp_path.iterdir())


def test_a_folder_that_takes_no_file_is_no_reason_not_to_page(house: House, tmp_path: Path) -> None:
    assert direct(house, tmp_path / "gone" / "state.db").page("store", "disk full", house.now)
    assert len(house.provider.pages) == 1


def test_a_daemon_that_is_started_again_and_again_and_cannot_work_pages_once_in_half_an_hour(
    house: House, tmp_path: Path
) -> None:
    """Not every channel knows a page again: ten starts are not ten text messages."""
    store = tmp_path / "state.db"
    for start in range(10):
        assert direct(house, store).page("store", "corrupt", house.now + 10 * start)
    assert len(house.provider.events) == 1
    assert direct(house, store).page("store", "corrupt", house.now + AGAIN_AFTER + 1)
    assert len(house.provider.events) == 2
    direct(house, store).over("store", "it writes again", house.now + AGAIN_AFTER + 60)
    assert house.provider.open == {}


def test_killed_before_the_page_was_taken_the_next_one_sends_it(house: House, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    Told(store).add("store", "ana/0", "pagerduty")
    assert direct(house, store).page("store", "corrupt", house.now)
    assert len(house.provider.events) == 1


def test_what_fires_meanwhile_is_told_by_the_next_daemon_too(house: House, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    direct(house, store).page("store", "disk full", house.now)
    direct(house, store).page("store", "disk full. Firing now: one", house.now + 10, ["storage hot"])
    assert len(house.provider.events) == 2


def test_a_folder_that_can_only_be_read_has_a_second_one(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "state.db"
    (tmp_path / "run").mkdir()
    told = Told.near(gone, {"RUNTIME_DIRECTORY": f"{tmp_path / 'run'}:{tmp_path / 'other'}"})
    told.add("store", "ana/0", "pagerduty")
    told.taken("store", "ana/0", "pagerduty", 1_700_000_000.0)
    assert told.taken_at("store", "ana/0", "pagerduty") == 1_700_000_000.0
    assert told.listed() == (("store", "ana/0", "pagerduty"),)
    told.forget("store", "ana/0", "pagerduty")
    assert told.listed() == ()
