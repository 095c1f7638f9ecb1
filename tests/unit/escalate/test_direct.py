"""With a store that is sick, the daemon's own page goes out without it."""

from __future__ import annotations

from daemon.escalate.direct import DirectPager
from daemon.incidents.events import Kind
from remediations.ports import Unreachable
from tests.fakes.paging import POLICY
from tests.unit.escalate.house import DIRECTORY, House


def direct(house: House) -> DirectPager:
    return DirectPager(DIRECTORY, POLICY, house.book, house.doors)


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
        pager.page("store", "disk full. Firing now: storage_failure", house.now + 60 * minute, ["storage hot"])
    pager.page("store", "disk full. Firing now: two", house.now + 300, ["storage hot", "storage warm"])
    assert len(house.provider.events) == 3
    assert {event["dedup_key"] for event in house.provider.events} == {"fleetmend/daemon/store"}
    pager.over("store", "writes again", house.now + 400)
    assert house.provider.open == {}
