"""The escalation clock on a story's exact seconds: levels, reminders, what an acknowledgement stops and what it does not.

The faults are alerts that no playbook can mend: L1 is owed in the first second, and nothing else moves.
"""

from __future__ import annotations

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.model import Incident
from daemon.incidents.records import PageEvent
from tests.fakes.story import DAY, HOUR, MINUTE, Story

ALERTS = """
poll_interval: 10m
telemetry: {edge: {every: 10m}}
inbox:
  alertmanager:
    map:
      - {match: {alertname: ColdDown}, failure_mode: storage_failure, scope: [tier]}
      - {match: {alertname: ApiSlow}, failure_mode: api_degradation, scope: [endpoint]}
      - {match: {alertname: Values}, failure_mode: data_quality, scope: [provider, field]}
"""
FAULTS = {
    "critical": ("ColdDown", {"tier": "cold"}),
    "high": ("ApiSlow", {"endpoint": "live"}),
    "medium": ("Values", {"provider": "navixy", "field": "speed"}),
}
NOBODY = ("nothing-watches",)


def paged(severity: str) -> tuple[Story, Incident]:
    story = Story(ALERTS, only=NOBODY, warm=30.0)
    name, labels = FAULTS[severity]
    story.alert(name, **labels)
    story.run(5.0)
    incident = story.incident()
    assert incident.severity == severity
    return story, incident


def clock(story: Story, incident: Incident, *events: PageEvent) -> list[tuple[str, int, float]]:
    """(event, level, minutes after the L1 page), which lie within the seconds that a story takes to begin."""
    paged_at = story.escalation(incident).paged_at
    assert paged_at is not None
    rows = [row for row in story.deliveries(incident) if row.event in events]
    late = [row.created_at - paged_at for row in rows]
    assert all(0 <= seconds % 60 < 6.0 or seconds % 60 > 59.99 for seconds in late), late
    return [
        (str(row.event), row.level, float(round(after / 60))) for row, after in zip(rows, late, strict=True)
    ]


LEVELS = (PageEvent.TRIGGER, PageEvent.ESCALATE)


@pytest.mark.parametrize(
    ("severity", "lasts", "expected"),
    [
        (
            "critical",
            100 * MINUTE,
            [
                ("trigger", 1, 0),
                ("escalate", 2, 15),
                ("escalate", 3, 30),
                ("escalate", 3, 60),
                ("escalate", 3, 90),
            ],
        ),
        (
            "high",
            9 * HOUR,
            [("trigger", 1, 0), ("escalate", 2, 30), ("escalate", 3, 240), ("escalate", 3, 480)],
        ),
        ("medium", 3 * DAY, [("trigger", 1, 0), ("escalate", 2, 1440)]),
    ],
)
def test_levels_follow_the_clock_of_their_severity_until_it_is_resolved(
    severity: str, lasts: float, expected: list[tuple[str, int, float]]
) -> None:
    story, incident = paged(severity)
    story.run(lasts)
    assert clock(story, incident, *LEVELS) == expected


@pytest.mark.parametrize(
    ("severity", "every", "until"), [("critical", 5, 14), ("high", 10, 29), ("medium", None, 600)]
)
def test_reminders_come_by_the_next_channel_until_somebody_acknowledges(
    severity: str, every: int | None, until: int
) -> None:
    story, incident = paged(severity)
    story.run(until * MINUTE)
    minutes = [after for _, _, after in clock(story, incident, PageEvent.REMIND)]
    assert minutes == ([] if every is None else [float(n) for n in range(every, until + 1, every)])
    channels = {row.channel for row in story.deliveries(incident) if row.event is PageEvent.REMIND}
    assert channels <= {"console", "webhook"}
    if every is not None:
        first = next(row for row in story.deliveries(incident) if row.event is PageEvent.REMIND)
        assert first.channel == "console", "the first channel was the webhook"


def test_an_ack_stops_reminders_and_not_the_clock() -> None:
    story, incident = paged("critical")
    story.run(2 * MINUTE)
    story.order("ack", incident)
    story.run(20 * MINUTE)
    assert clock(story, incident, *LEVELS) == [("trigger", 1, 0), ("escalate", 2, 15)]
    assert [r for r in story.deliveries(incident) if r.event is PageEvent.REMIND and r.level == 1] == []


def test_acknowledged_and_forgotten_it_goes_to_the_next_level() -> None:  # B23
    story, incident = paged("critical")
    story.order("ack", incident)
    story.run(31 * MINUTE)
    assert [level for _, level, _ in clock(story, incident, *LEVELS)] == [1, 2, 3]


def test_an_extension_with_a_reason_moves_the_next_level_and_what_follows_it() -> None:
    story, incident = paged("critical")
    story.run(3 * MINUTE)
    story.order("extend", incident, reason="the disk is on its way", **{"for": 20 * MINUTE})
    story.run(60 * MINUTE)
    assert clock(story, incident, *LEVELS) == [("trigger", 1, 0), ("escalate", 2, 35), ("escalate", 3, 50)]


def test_an_extension_without_a_reason_moves_nothing() -> None:
    story, incident = paged("critical")
    story.order("extend", incident, **{"for": 20 * MINUTE})
    story.run(16 * MINUTE)
    assert clock(story, incident, *LEVELS)[-1] == ("escalate", 2, 15)
    assert "a reason is needed" in story.answer()


@pytest.mark.parametrize(("after", "levels"), [(5 * MINUTE, [1]), (16 * MINUTE, [1, 2])])
def test_closing_ends_every_timer_and_owes_each_who_was_told_one_resolve(
    after: float, levels: list[int]
) -> None:  # B23
    story, incident = paged("critical")
    story.run(after)
    story.alert("ColdDown", status="resolved", tier="cold")
    story.run(2 * HOUR)
    assert story.incident().ended
    assert [level for _, level, _ in clock(story, incident, *LEVELS)] == levels
    told = {r.address for r in story.deliveries(incident) if r.event in {*LEVELS, PageEvent.REMIND}}
    resolves = [r.address for r in story.deliveries(incident) if r.event is PageEvent.RESOLVE]
    assert sorted(resolves) == sorted(told)


def test_a_restart_moves_no_timer() -> None:
    story, incident = paged("critical")
    for _ in range(4):
        story.run(7 * MINUTE)
        story.driver.crash(down_for=20.0)
    story.run(5 * MINUTE)
    assert clock(story, incident, *LEVELS) == [("trigger", 1, 0), ("escalate", 2, 15), ("escalate", 3, 30)]


def test_fifty_reloads_in_the_middle_change_no_clock_and_send_no_page() -> None:  # B15
    story, incident = paged("critical")
    for _ in range(50):
        story.run(11.0)
        story.order("reload")
    story.run(6 * MINUTE)
    assert clock(story, incident, *LEVELS) == [("trigger", 1, 0), ("escalate", 2, 15)]


def test_an_escalation_that_a_person_asks_for_brings_nobody_else_out_of_bed_sooner() -> None:
    story, incident = paged("critical")
    story.run(2 * MINUTE)
    story.order("escalate", incident, reason="I need the database people")
    story.run(40 * MINUTE)
    levels = clock(story, incident, *LEVELS)
    assert levels[:2] == [("trigger", 1, 0), ("escalate", 2, 2)]
    assert levels[2] == ("escalate", 3, 30)


def test_a_silence_holds_the_page_and_it_goes_out_at_its_end_if_the_fault_is_still_there() -> None:
    story = Story(ALERTS, only=NOBODY, warm=30.0)
    story.order("silence", reason="known", scope={"tier": "cold"}, **{"for": 10 * MINUTE})
    story.alert("ColdDown", tier="cold")
    story.run(9 * MINUTE)
    assert story.all_paged() == []
    story.run(70.0)
    assert story.all_paged() == [("storage_failure", 1)], story.told()
    assert [e.kind for e in story.events(story.incident(), Kind.GAVE_UP)] == [Kind.GAVE_UP]
