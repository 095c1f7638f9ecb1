"""The escalation clock, severity by event: when each level comes, whatever was slept through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.escalate.rules import Level, Policy, external
from daemon.escalate.triggers import Acked, DeliveryFailed, Ended, PageOwed, Recovered, SeverityRaised, Tick
from daemon.incidents.model import IncidentState
from daemon.incidents.records import PageEvent
from tests.fakes.paging import HOOK, HOUR, MAIL, MINUTE, MONDAY, PD, POLICY, Story

OWED = PageOwed("Ladder exhausted")


@pytest.mark.parametrize(
    ("severity", "minutes", "expected", "why"),
    [
        (
            "critical",
            65,
            [
                (0, 1, "trigger", "ana", PD),
                (15, 2, "escalate", "ben", PD),
                (30, 3, "escalate", "chloe", MAIL),
                (30, 3, "escalate", "dan", PD),
                (60, 3, "escalate", "chloe", MAIL),
                (60, 3, "escalate", "dan", PD),
            ],
            "L1 at once, L2 after 15, L3 after 30, then every 30 for ever",
        ),
        (
            "high",
            9 * 60,
            [
                (0, 1, "trigger", "ana", PD),
                (30, 2, "escalate", "ben", PD),
                (240, 3, "escalate", "chloe", MAIL),
                (240, 3, "escalate", "dan", PD),
                (480, 3, "escalate", "chloe", MAIL),
                (480, 3, "escalate", "dan", PD),
            ],
            "L2 after 30 minutes, L3 after 4 hours, then every 4 hours",
        ),
        (
            "medium",
            3 * 24 * 60,
            [(0, 1, "trigger", "ana", PD), (1440, 2, "escalate", "ben", PD)],
            "L2 after a day, and nothing beyond",
        ),
        ("low", 3 * 24 * 60, [], "a digest entry and no page"),
    ],
)
def test_unresolved_it_climbs_by_its_severitys_clock(
    severity: str, minutes: float, expected: list[tuple[float, int, str, str, str]], why: str
) -> None:
    story = Story(severity)
    story.tell(OWED)
    end = MONDAY + minutes * MINUTE
    while True:
        story.deliver()
        story.tell(Acked("ana"))  # acknowledged, not resolved: no reminders, and the clock runs on
        due = story.escalation.next_at
        if due is None or due > end:
            break
        story.wait(due - story.now)
    assert story.pages() == expected, why


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("critical", [(5, MAIL), (10, PD)]),
        ("high", [(10, MAIL), (20, PD)]),
        ("medium", []),
        ("low", []),
    ],
)
def test_without_acknowledgement_the_next_channel_reminds(
    severity: str, expected: list[tuple[float, str]]
) -> None:
    story = Story(severity)
    story.tell(OWED)
    story.deliver()
    for _ in range(14 if severity == "critical" else 29):
        story.wait(MINUTE)
        story.deliver()
    reminders = [(minute, channel) for minute, _, event, _, channel in story.pages() if event == "remind"]
    assert reminders == expected


def test_levels_come_on_the_exact_second_and_not_before() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.now = MONDAY + 15 * MINUTE - 0.001
    story.tell(Tick())
    assert not story.of(PageEvent.ESCALATE)
    story.now = MONDAY + 15 * MINUTE
    story.tell(Tick())
    assert [row.person for row in story.of(PageEvent.ESCALATE)] == ["ben"]


def test_medium_waits_for_working_hours_and_low_for_the_digest() -> None:
    night = MONDAY - 6 * HOUR
    medium, low = Story("medium", now=night), Story("low", now=night)
    for story in (medium, low):
        story.tell(OWED)
    assert medium.pages() == []
    assert medium.escalation.held_until == MONDAY
    medium.wait(6 * HOUR)
    assert medium.pages() == [(360, 1, "trigger", "ana", PD)]
    entries = low.of(PageEvent.DIGEST)
    assert [(row.person, row.channel) for row in entries] == [("chloe", MAIL), ("dan", HOOK)]
    assert {row.due_at for row in entries} == {MONDAY - 30 * MINUTE}, "half past eight in Paris"
    assert low.escalation.level == 0


def test_a_held_page_survives_restarts_because_it_is_on_the_row() -> None:
    """Case 12: hold for quiet hours, restart twice, the window opens: a page within one tick."""
    story = Story("medium", now=MONDAY - 6 * HOUR)
    story.tell(OWED)
    story.sleep(2 * HOUR)
    story.sleep(2 * HOUR)
    assert story.pages() == []
    story.sleep(2 * HOUR)
    assert story.pages() == [(360, 1, "trigger", "ana", PD)]


def test_recovery_before_working_hours_pages_nobody() -> None:
    story = Story("medium", now=MONDAY - 6 * HOUR)
    story.tell(OWED)
    story.become(IncidentState.RECOVERED)
    story.tell(Recovered("roll-back"))
    story.wait(12 * HOUR)
    assert story.pages() == []
    assert "The page that was held is not needed: recovered" in story.texts()


def test_a_severity_that_rises_pages_at_once_in_the_night() -> None:
    story = Story("medium", now=MONDAY - 6 * HOUR)
    story.tell(OWED)
    story.incident = replace(story.incident, severity="critical")
    story.tell(SeverityRaised("critical"))
    assert story.pages() == [(0, 1, "trigger", "ana", PD)]
    assert story.escalation.next_level_at == story.now + 15 * MINUTE


def test_a_severity_that_rises_shortens_the_running_clock_from_the_same_page() -> None:
    story = Story("high")
    story.tell(OWED)
    story.wait(10 * MINUTE)
    story.tell(SeverityRaised("critical"))
    assert story.escalation.next_level_at == MONDAY + 15 * MINUTE
    story.tell(SeverityRaised("high"))
    assert story.escalation.severity == "critical", "it never falls"


# ------------------------------------------------------------ restart, reload


def test_overdue_by_one_level_fires_now() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.sleep(20 * MINUTE)
    assert story.escalation.level == 2
    assert story.escalation.next_level_at == MONDAY + 30 * MINUTE, "the next keeps its time"


def test_overdue_by_several_goes_to_the_level_that_should_be_active_with_one_page_for_each_passed() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.sleep(70 * MINUTE)
    new = [page for page in story.pages() if page[0] == 70]
    assert new == [
        (70, 2, "escalate", "ben", PD),
        (70, 3, "escalate", "chloe", MAIL),
        (70, 3, "escalate", "dan", PD),
    ]
    assert story.escalation.level == 3
    assert story.escalation.next_level_at == MONDAY + 90 * MINUTE, "on the grid of the missed repeats"
    assert all("due_since" in row.facts for row in story.of(PageEvent.ESCALATE))


def test_120_days_of_sleep_bring_one_round_and_no_flood() -> None:
    """Case 10: stale timers do not go off one by one."""
    story = Story("critical")
    story.tell(OWED)
    story.deliver()
    story.tell(Acked("ana"))
    story.sleep(120 * 24 * HOUR)
    assert len([page for page in story.pages() if page[0] > 0]) == 3
    assert story.escalation.next_level_at is not None
    assert 0 < story.escalation.next_level_at - story.now <= 30 * MINUTE


def test_a_running_escalation_keeps_the_policy_it_began_with() -> None:
    story = Story("critical")
    story.tell(OWED)
    story.policy = Policy((Level(("person:dan",)), Level(("person:dan",), after={"critical": 60.0})))
    story.wait(15 * MINUTE)
    assert [page[3] for page in story.pages() if page[1] == 2] == ["ben"]


def test_an_external_policy_gets_its_one_event() -> None:
    story = Story("critical", policy=external(POLICY))
    story.tell(OWED)
    story.deliver()
    story.wait(24 * HOUR)
    assert story.pages() == [(0, 1, "trigger", "ana", PD)]
    story.become(IncidentState.RESOLVED)
    story.tell(Ended("Mended"))
    assert [row.event for row in story.deliver()] == [PageEvent.RESOLVE]


def test_a_policy_survives_the_row_it_is_kept_on() -> None:
    assert Policy.from_data(POLICY.data()) == POLICY


def test_keys_name_incident_level_loop_person_channel_and_event() -> None:
    story = Story("critical")
    story.tell(OWED)
    assert list(story.rows) == ["sf-1/1/0/ana/pagerduty.0/trigger"]
    assert story.rows["sf-1/1/0/ana/pagerduty.0/trigger"].dedup_key == "fleetmend/sf-1"


def test_a_delivery_nobody_knows_changes_nothing() -> None:
    story = Story("critical")
    before = story.escalation
    assert story.tell(DeliveryFailed("ghost")).deliveries == ()
    assert story.escalation == before
