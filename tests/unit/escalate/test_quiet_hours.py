"""Quiet hours: which severity waits for what, whatever restarts and whatever the clock does. Office is nine to six in Paris."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config.escalation import WorkingHours
from config.schedules import ScheduleSpec
from daemon.escalate import handoff
from daemon.escalate.rota import on_call
from daemon.escalate.rules import Level, Policy, external
from daemon.escalate.schedules import Directory
from daemon.escalate.triggers import PageOwed, SeverityRaised, Tick
from daemon.escalate.wallclock import instant
from daemon.incidents.records import DeliveryState, PageEvent
from tests.fakes.paging import DIRECTORY, HOUR, MAIL, MINUTE, PD, PEOPLE, POLICY, Story
from tests.unit.escalate.house import House

OWED = PageOwed("Ladder exhausted")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("severity", "now", "paged", "why"),
    [
        ("critical", "2026-01-10 12:00", "2026-01-10 12:00", "critical always pages"),
        ("critical", "2026-01-06 02:00", "2026-01-06 02:00", "also at three at night"),
        ("high", "2026-01-10 12:00", "2026-01-10 12:00", "high pages at once"),
        ("medium", "2026-01-09 16:59", "2026-01-09 16:59", "Friday 17:59: office is open"),
        ("medium", "2026-01-09 17:00", "2026-01-12 08:00", "Friday 18:00: Monday at nine"),
        ("medium", "2026-01-06 02:00", "2026-01-06 08:00", "the same morning"),
        ("medium", "2026-03-28 12:00", "2026-03-30 07:00", "nine stays nine over the change to summer time"),
        ("medium", "2026-10-24 12:00", "2026-10-26 08:00", "and over the change back"),
        ("low", "2026-01-06 12:00", None, "low pages nobody"),
    ],
)
def test_a_severity_pages_when_its_hours_are_open(
    severity: str, now: str, paged: str | None, why: str
) -> None:
    story = Story(severity, now=utc(now))
    story.tell(OWED)
    story.wait(4 * 24 * HOUR if severity in {"medium", "low"} else MINUTE)
    pages = [row.created_at for row in story.rows.values() if row.event is PageEvent.TRIGGER]
    assert pages == ([] if paged is None else [utc(paged)]), why


def test_low_waits_for_the_next_mornings_digest() -> None:
    story = Story("low", now=utc("2026-01-06 12:00"))
    story.tell(OWED)
    assert {row.due_at for row in story.of(PageEvent.DIGEST)} == {utc("2026-01-07 07:30")}


@pytest.mark.parametrize(
    ("before", "after", "paged", "why"),
    [
        ("medium", "high", "2026-01-10 13:00", "raised on a Saturday: at once"),
        ("medium", "critical", "2026-01-10 13:00", "at once"),
        ("low", "critical", "2026-01-10 13:00", "what was only for the digest as well"),
        ("low", "medium", "2026-01-12 08:00", "it waits for the office now"),
    ],
)
def test_a_severity_raised_in_quiet_hours_pages_by_the_new_one(
    before: str, after: str, paged: str, why: str
) -> None:
    story = Story(before, now=utc("2026-01-10 12:00"))
    story.tell(OWED)
    story.wait(HOUR)
    story.become(story.incident.state, severity=after)
    story.tell(SeverityRaised(after))
    story.wait(3 * 24 * HOUR if after == "medium" else MINUTE)
    assert [row.created_at for row in story.rows.values() if row.event is PageEvent.TRIGGER] == [
        utc(paged)
    ], why


def test_a_page_held_for_the_office_goes_within_one_tick_of_its_opening_whatever_restarts(
    house: House,
) -> None:
    """Case 12: held for quiet hours, restarted twice, the window opens."""
    house.setup = replace(house.setup, policies={"default": POLICY})
    house.clock.advance(utc("2026-01-10 12:00") - house.now)
    house.open("sf-2", severity="medium")
    house.tell(OWED, key="sf-2")
    house.crash()
    house.clock.advance(utc("2026-01-12 08:00") - house.now - 2)
    house.crash()
    house.pass_time(1)
    assert house.deliveries("sf-2") == (), "a second before nine"
    house.pass_time(1)
    [row] = house.deliveries("sf-2")
    assert (row.state, row.created_at) == (DeliveryState.ACCEPTED, utc("2026-01-12 08:00"))
    house.crash()
    house.pass_time(5)
    assert [one.event for one in house.deliveries("sf-2")] == [PageEvent.TRIGGER]


SKIPPED = [
    ("Africa/Cairo", "2026-04-24 00:00"),
    ("Asia/Beirut", "2026-03-29 00:00"),
    ("America/Sao_Paulo", "2018-11-04 00:00"),
    ("America/Havana", "2026-03-08 00:00"),
]


@pytest.mark.parametrize(("zone", "midnight"), SKIPPED)
def test_a_schedule_that_starts_at_a_midnight_that_never_was_pages_once(zone: str, midnight: str) -> None:
    """Case 15: not 37 million times, and not once for each look at the clock."""
    rota = {"rotation": {"every": "1d", "starts": midnight, "people": ["ana", "ben"]}, "timezone": zone}
    hours = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "09:00"}
    spec = ScheduleSpec.model_validate(rota)
    at = instant(zone, datetime.fromisoformat(midnight))
    directory = Directory(PEOPLE, DIRECTORY.teams, {"primary": spec})
    policy = replace(POLICY, hours=WorkingHours.model_validate({**hours, "timezone": zone}))
    story = Story("medium", policy=policy, directory=directory, now=at - 2 * HOUR)
    story.tell(OWED)
    assert story.pages() == [], "its hours open at midnight"
    for minute in range(4 * 60):
        story.now = at - 2 * HOUR + minute * MINUTE
        story.tell(Tick())
    assert [row.created_at for row in story.rows.values()] == [at]
    assert (on_call(spec, at - 1), on_call(spec, at)) == (None, "ana")
    assert len(handoff.handovers(directory, at)) == 1


def test_a_shift_that_starts_at_a_time_that_comes_twice_starts_at_the_first_and_once() -> None:
    rota = {
        "rotation": {"every": "1d", "starts": "2026-10-24 02:30", "people": ["ana", "ben"]},
        "timezone": "Europe/Paris",
    }
    spec = ScheduleSpec.model_validate(rota)
    seen = [on_call(spec, utc("2026-10-25 00:00") + minute * 60) for minute in range(180)]
    assert seen == ["ana"] * 30 + ["ben"] * 150


@pytest.mark.parametrize(
    ("notify", "pages", "why"),
    [
        (("person:ana",), [("ana", PD)], "her paging service, and not her mail"),
        (("team:architecture", "person:ana"), [("dan", PD)], "one event, to the first service that is there"),
        (("person:chloe",), [("chloe", MAIL)], "nobody has a service: a page all the same"),
    ],
)
def test_an_external_escalation_is_one_event_to_the_paging_service(
    notify: tuple[str, ...], pages: list[tuple[str, str]], why: str
) -> None:

    policy = external(replace(POLICY, levels=(Level(notify), *POLICY.levels[1:])))
    story = Story("critical", policy=policy)
    story.tell(OWED)
    assert Policy.from_data(story.escalation.policy) == policy, "as kept on its row"
    story.deliver()
    story.wait(24 * HOUR)
    assert [(row.person, row.channel) for row in story.rows.values()] == pages, why
    assert story.escalation.next_at is None
