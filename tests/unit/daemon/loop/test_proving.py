"""The daily test page: once a day to every channel, restarts or not; one that does not arrive is told by another channel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.escalate import proving
from daemon.escalate.schedules import Directory, Person, Way
from daemon.incidents.model import DAEMON
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.fakes import rows
from tests.fakes.ports import EPOCH
from tests.fakes.story import DAY, HOUR, MINUTE, Story

NOBODY = ("nothing-watches",)
DAILY = """
poll_interval: 10m
telemetry: {edge: {every: 10m}}
page_test: {at: "08:10"}
"""


def tried(story: Story) -> list[Delivery]:
    return [row for row in story.deliveries("-") if row.event is PageEvent.TEST]


def pager_heard(story: Story) -> list[str]:
    return [body["type"] for _, body in story.world.sent]


def test_every_channel_is_tried_once_a_day_however_often_the_daemon_starts() -> None:
    story = Story(DAILY, only=NOBODY, warm=30.0)
    story.run(9 * MINUTE)
    assert tried(story) == []
    story.run(11 * MINUTE)
    (row,) = tried(story)
    assert (row.person, row.channel, row.state) == ("ana", "webhook", DeliveryState.ACCEPTED)
    assert row.key.endswith("/test.daily.2026-01-05"), "the console sends nothing, so nothing of it is proved"
    for _ in range(2):
        story.driver.crash()
        story.run(10 * MINUTE)
    assert pager_heard(story) == ["incident.test"]
    story.driver.crash(down_for=23 * HOUR + 45 * MINUTE)
    story.run(20 * MINUTE)
    assert [test.key[-10:] for test in tried(story)] == ["2026-01-05", "2026-01-06"]
    assert pager_heard(story) == ["incident.test"] * 2
    assert story.incidents() == []


def test_after_a_day_that_the_daemon_slept_through_no_test_is_made_up_for() -> None:
    story = Story(DAILY, only=NOBODY, warm=30.0)
    story.driver.crash(down_for=2 * HOUR)
    story.run(20 * MINUTE)
    assert tried(story) == []


def test_a_test_that_does_not_arrive_is_told_by_another_channel_until_one_does() -> None:
    story = Story(DAILY, only=NOBODY, warm=30.0)
    story.world.pager_answers += [410] * 5
    story.run(25 * MINUTE)
    incident = story.incident(DAEMON)
    assert dict(incident.scope) == {"part": "channel ana/0 webhook"}
    assert "The test page to Ana by webhook did not arrive" in incident.impact.text
    paged = [row for row in story.deliveries(incident) if row.event is PageEvent.TRIGGER]
    assert [(row.person, row.channel, row.state) for row in paged] == [("ana", "console", "accepted")]
    story.driver.crash()
    story.run(10 * MINUTE)
    assert len(story.incidents(DAEMON)) == 1
    story.world.pager_answers.clear()
    story.order("page_test", None, person="ana", channel="webhook")
    story.run(10 * MINUTE)
    assert story.incident(DAEMON).state == "resolved"


def test_a_provider_that_is_down_has_its_time_and_then_counts_as_failed() -> None:
    story = Story(DAILY, only=NOBODY, warm=30.0)
    story.world.pager_answers += [503] * 50
    story.run(10 * MINUTE + 60)
    assert tried(story)[0].state is DeliveryState.OWED
    assert story.incidents() == []
    story.run(10 * MINUTE)
    assert tried(story)[0].state is DeliveryState.FAILED
    assert [dict(i.scope)["part"] for i in story.incidents(DAEMON)] == ["channel ana/0 webhook"]


def test_without_a_plan_nothing_is_owed_and_a_test_by_hand_opens_nothing() -> None:
    story = Story(DAILY.replace("page_test", "vars"), only=NOBODY, warm=30.0)
    story.world.pager_answers += [410] * 5
    story.order("page_test", None, person="ana")
    story.run(DAY / 24)
    assert [row.state for row in tried(story)] == [DeliveryState.FAILED]
    assert story.incidents() == []


def test_whoever_asks_in_a_loop_wakes_nobody_in_a_loop() -> None:
    story = Story(DAILY.replace("page_test", "vars"), only=NOBODY, warm=30.0)
    for _ in range(5):
        story.order("page_test", None, person="ana")
    assert len(tried(story)) == 3
    assert "wait for the next" in story.answer()
    story.run(MINUTE)
    story.order("page_test", None, person="ana")
    assert len(tried(story)) == 4


# ------------------------------------------------------------------ the pure part

WAYS = (
    Way(0, "pagerduty", wakes=True, tracks=True),
    Way(1, "sms", wakes=True),
    Way(2, "voice", available=False),
)
PEOPLE = Directory(
    {"ana": Person("ana", "Ana", ways=WAYS), "ben": Person("ben", "Ben", ways=(Way(0, "console"),))}
)


@pytest.mark.parametrize(
    ("person", "channel", "addresses"),
    [
        ("ana", "first", ["ana/0"]),
        ("ana", "sms", ["ana/1"]),
        ("ana", "all", ["ana/0", "ana/1"]),
        ("", "all", ["ana/0", "ana/1", "ben/0"]),
        ("ana", "voice", []),
        ("nobody", "all", []),
    ],
)
def test_whose_channels_are_asked_for(person: str, channel: str, addresses: list[str]) -> None:
    owed = proving.asked(PEOPLE, person, channel, EPOCH).deliveries
    assert [row.address for row in owed] == addresses


def test_a_test_that_opened_an_alert_elsewhere_is_ended_there() -> None:
    sent = [
        replace(row, state=DeliveryState.ACCEPTED)
        for row in proving.asked(PEOPLE, "ana", "all", EPOCH).deliveries
    ]
    (end,) = proving.ends(sent, {"pagerduty"}, EPOCH + 5)
    assert (end.event, end.address, end.dedup_key) == (PageEvent.RESOLVE, "ana/0", sent[0].dedup_key)


def test_a_test_of_whose_delivery_no_word_came_has_not_arrived() -> None:
    (row,) = proving.asked(PEOPLE, "ana", "sms", EPOCH).deliveries
    waiting = replace(row, state=DeliveryState.ACCEPTED, look_at=EPOCH + 60)
    assert proving.unproved([waiting], PEOPLE, 300.0, EPOCH + 30) == {}
    (text,) = proving.unproved([proving.lapsed(waiting)], PEOPLE, 300.0, EPOCH + 60).values()
    assert "no word of its delivery" in text
    page = rows.delivery(state=DeliveryState.ACCEPTED, look_at=EPOCH)
    assert proving.lapsed(page).state is DeliveryState.ACCEPTED, "of a page the next channel is told"


def test_the_newest_test_of_a_channel_counts_and_a_channel_that_is_gone_is_forgotten() -> None:
    (row,) = proving.asked(PEOPLE, "ana", "sms", EPOCH).deliveries
    failed = replace(row, state=DeliveryState.FAILED, error="HTTP 401")
    later = replace(row, state=DeliveryState.ACCEPTED)
    assert list(proving.unproved([failed], PEOPLE, 300.0, EPOCH)) == ["channel ana/1 sms"]
    assert proving.unproved([later, failed], PEOPLE, 300.0, EPOCH) == {}
    assert proving.unproved([replace(failed, address="ana/7")], PEOPLE, 300.0, EPOCH) == {}
