"""The rows of telling issues of other pagers, each a promise of ours with its numbers.

A row that is kept elsewhere is named there; that each name is a test is a test here. Rows 11, 16 and 21 do not exist.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module

import pytest

from daemon.escalate.message import Receipt, ReceiptKind
from daemon.escalate.triggers import Ended
from daemon.incidents.events import Kind
from daemon.incidents.model import IncidentState
from daemon.incidents.records import DeliveryState, PageEvent
from daemon.store.store import Store
from tests.fakes.parts import MODE, Parts, config, rung
from tests.fakes.ports import answer
from tests.fakes.story import HOUR, MINUTE
from tests.unit.escalate.house import OWED, House
from tests.unit.escalate.life import Life, fresh

UNIT, WEB, HERE = "tests.unit.escalate.", "tests.integration.web.", "tests.acceptance.test_paging_rows."
ROWS = {
    1: (
        "a page survives a crash between the provider's answer and our mark, under the same key",
        f"{UNIT}test_stage.test_killed_between_the_providers_answer_and_the_mark_the_same_key_goes_again_as_one_page",
        f"{UNIT}test_machine.test_any_order_of_events_keeps_the_promises",
    ),
    2: (
        "5000 characters of emoji and marks arrive, cut to what the provider counts",
        "tests.contract.test_channels.test_any_size_and_any_unicode_arrives",
    ),
    3: (
        "what is too large goes once in short, and the timeline says so",
        "tests.contract.test_channels.test_any_size_and_any_unicode_arrives",
        f"{HERE}test_a_page_refused_for_its_size_goes_once_in_short_and_the_timeline_says_so",
    ),
    4: (
        "429 with Retry-After 7, twice: one message, at 14 s, none earlier",
        f"{UNIT}test_stage.test_a_provider_that_asks_for_seven_seconds_twice_gets_one_page_after_fourteen",
        f"{UNIT}test_breaker.test_a_wait_that_was_asked_for_holds_other_incidents_of_the_same_key_and_comes_back_once",
    ),
    5: (
        "an intake that cannot keep what comes says 503, never 429",
        f"{WEB}test_intake.test_what_cannot_be_kept_is_503_so_that_the_sender_tries_again",
    ),
    6: (
        "a resolve is the first thing after a restart: sent exactly once",
        f"{UNIT}test_stage.test_a_resolve_is_the_first_thing_after_a_restart_and_comes_exactly_once",
    ),
    7: (
        "a silence hides pages, never resolves",
        f"{UNIT}test_policy_quiet.test_a_silence_after_the_page_holds_the_levels_and_never_the_resolve",
    ),
    8: (
        "two daemons on one store: one duplicate at most, and the last word is the end",
        f"{HERE}test_of_two_daemons_that_both_think_they_lead_one_page_is_repeated_at_most_and_the_end_is_last",
        "tests.acceptance.test_known_breaks.test_two_daemons_on_one_store_do_one_thing_once",
    ),
    9: (
        "acknowledged between push and text at 59 s: zero texts, by whatever path",
        f"{UNIT}test_phones_story.test_acknowledged_at_59_s_nothing_follows_by_any_other_path",
    ),
    10: (
        "after 120 days stale timers do not go off one by one",
        f"{UNIT}test_policy_clock.test_120_days_of_sleep_bring_one_round_and_no_flood",
    ),
    12: (
        "held for quiet hours, restarted twice: the page goes within one tick of their end",
        f"{UNIT}test_quiet_hours.test_a_page_held_for_the_office_goes_within_one_tick_of_its_opening_whatever_restarts",
    ),
    13: (
        "a stalled loop stops the heartbeat, and the outside notices within 5 minutes",
        "tests.unit.daemon.app.test_heartbeat.test_a_thread_that_stalls_is_noticed_outside_within_five_minutes",
    ),
    14: (
        "a weekly shift starts at nine on both sides of both clock changes, without gap or overlap",
        f"{UNIT}test_schedules.test_a_weekly_shift_starts_at_nine_on_both_sides_of_a_clock_change",
        f"{UNIT}test_schedules.test_five_years_have_no_gap_and_no_overlap",
    ),
    15: (
        "a schedule that starts at a midnight that never was: one page at most",
        f"{UNIT}test_quiet_hours.test_a_schedule_that_starts_at_a_midnight_that_never_was_pages_once",
    ),
    17: (
        "our output wired to our input ends there, and is told of",
        f"{WEB}test_intake.test_a_page_that_comes_back_to_us_is_refused_and_fires_nothing",
        f"{WEB}test_intake.test_our_own_echo_is_taken_and_dropped",
    ),
    18: (
        "a bounce or an automatic reply pages nobody",
        f"{HERE}test_a_recipient_that_bounces_is_a_failed_delivery_and_no_page_about_a_page",
    ),
    19: (
        "200 with an error in its body was not delivered",
        f"{UNIT}test_chat_and_phones.test_a_card_that_was_too_large_for_teams_counts_as_refused",
    ),
    20: (
        "fetching every link of a page by GET and HEAD leaves it unacknowledged",
        f"{WEB}test_links_fetched.test_fetching_every_link_of_a_page_by_get_and_head_leaves_it_unacknowledged",
    ),
    22: (
        "back after 2 hours with 50 healthy sources: no page",
        f"{HERE}test_two_hours_down_with_fifty_healthy_sources_pages_nobody",
    ),
    23: (
        "40 incidents in 10 minutes: at most 3 calls a person, all 40 told of",
        f"{UNIT}test_bundles.test_forty_incidents_in_ten_minutes_are_at_most_three_calls_and_all_are_told",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "test"), [(row, test) for row, (_, *tests) in ROWS.items() for test in tests]
)
def test_what_keeps_a_row_is_a_test(row: int, test: str) -> None:
    module, _, name = test.rpartition(".")
    assert callable(getattr(import_module(module), name, None)), f"row {row} is kept by nothing: {test}"


def test_a_page_refused_for_its_size_goes_once_in_short_and_the_timeline_says_so() -> None:
    """Row 3: refused with 413."""
    with Store.open(":memory:") as store:
        house = House(store)
        house.open()
        house.provider.script = [answer(413, "too large")]
        house.tell(OWED)
        house.pass_time(1)
        assert len(house.provider.events) == 1
        assert "custom_details" not in house.provider.events[0]["payload"]
        with store.read() as uow:
            (sent,) = [event for event in uow.timeline.of("sf-1") if event.kind is Kind.SENT]
        assert sent.data["receipt"] == "202 (shortened)"


def test_of_two_daemons_that_both_think_they_lead_one_page_is_repeated_at_most_and_the_end_is_last() -> None:
    """Row 8: the second takes over while the first one's worker sends; the first one's mark comes too late."""
    with Store.open(":memory:") as store:
        first = Life(store)
        first.begin(fresh("a", "critical", first.now))
        first.tell("a", OWED)
        first.dispatch()
        (letter,) = first.letters
        second = Life(store, now=first.now, taken=first.taken)
        second.restart()
        first.send(letter, ReceiptKind.OK)
        second.serve()
        second.tell("a", Ended("over"), state=IncidentState.CLOSED)
        second.serve()
        first.book(letter)
        assert not second.serve()
        assert [one.event for one in first.taken] == [PageEvent.TRIGGER] * 2 + [PageEvent.RESOLVE]
        assert len({one.key for one in first.taken}) == 2, "the repeat has the page's own key"
        assert second.unsettled() == []


def test_a_recipient_that_bounces_is_a_failed_delivery_and_no_page_about_a_page() -> None:
    """Row 18: what comes back is booked on the page's own row; nothing reads mail, so nothing can answer a bounce."""
    with Store.open(":memory:") as store:
        house = House(store)
        house.open()
        house.tell(OWED)
        house.dispatch()
        (job,) = house.take()
        house.book_receipt(job, Receipt(ReceiptKind.PERMANENT, "550 no such user"))
        house.pass_time(60)
        with store.read() as uow:
            assert [incident.id for incident in uow.incidents.open()] == ["sf-1"]
        states = Counter((row.channel, row.state) for row in house.deliveries())
        assert states == {("pagerduty", DeliveryState.FAILED): 1, ("console", DeliveryState.ACCEPTED): 1}


def test_two_hours_down_with_fifty_healthy_sources_pages_nobody() -> None:
    """Row 22: what is missing because nobody looked is no finding."""
    silent = {
        "failure_mode": MODE,
        "signal": {"increase": {"of": "part_seen_total", "by": ["provider"], "window": "1m"}},
        "fire": {"equals": 0, "for": "30s"},
        "clear": {"above": 0, "for": "10s"},
    }
    story = Parts(config([rung("mend")], detectors={"part-silent": silent}), [f"p{n}" for n in range(50)])
    story.run(5 * MINUTE)
    story.driver.crash(down_for=2 * HOUR)
    story.run(10 * MINUTE)
    assert story.incidents() == []
    assert story.pages == []
    story.broken.add("p7")
    story.run(MINUTE)
    assert [dict(incident.scope) for incident in story.incidents()] == [{"provider": "p7"}], "it looks again"
