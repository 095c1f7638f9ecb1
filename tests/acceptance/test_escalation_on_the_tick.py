"""Every level and every reminder on the very tick of the virtual clock: none late, none early, by the table of the pack."""

from __future__ import annotations

import pytest

from daemon.incidents.records import PageEvent
from tests.fakes.story import HOUR, MINUTE, Story

ALERTS = """
poll_interval: 10m
telemetry: {edge: {every: 10m}}
working_hours: {days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00"}
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
PAGES = (PageEvent.TRIGGER, PageEvent.ESCALATE, PageEvent.REMIND)
Rung = tuple[str, int, float]
"""(event, level, minutes after the L1 page)."""


def reminders(level: int, first: float, every: float, until: float) -> list[Rung]:
    """Every so many minutes, up to the next level, which takes the place of one that is due with it."""
    times = [first + every * count for count in range(1, 1000)]
    return [("remind", level, at) for at in times if at < until]


TABLE: dict[str, tuple[float, list[Rung]]] = {
    "critical": (
        95.0,
        [
            ("trigger", 1, 0), *reminders(1, 0, 5, 15),
            ("escalate", 2, 15), *reminders(2, 15, 5, 30),
            ("escalate", 3, 30), *reminders(3, 30, 5, 60),
            ("escalate", 3, 60), *reminders(3, 60, 5, 90),
            ("escalate", 3, 90), ("remind", 3, 95),
        ],
    ),
    "high": (
        490.0,
        [
            ("trigger", 1, 0), *reminders(1, 0, 10, 30),
            ("escalate", 2, 30), *reminders(2, 30, 10, 240),
            ("escalate", 3, 240), *reminders(3, 240, 10, 480),
            ("escalate", 3, 480), ("remind", 3, 490),
        ],
    ),
    "medium": (26 * 60.0, [("trigger", 1, 0), ("escalate", 2, 24 * 60)]),
}  # fmt: skip


@pytest.mark.parametrize("severity", TABLE)
def test_each_level_and_reminder_comes_on_its_tick_and_none_before(severity: str) -> None:
    lasts, expected = TABLE[severity]
    story = Story(ALERTS, only=("nothing-watches",), warm=30.0)
    name, labels = FAULTS[severity]
    story.alert(name, **labels)
    story.run(1.0)
    incident = story.incident()
    paged_at = story.escalation(incident).paged_at
    assert paged_at is not None
    assert 0.0 <= paged_at - incident.detected_at < 1.0
    story.run(lasts * MINUTE + 1.0)
    rows = sorted(
        (row.created_at, str(row.event), row.level, row.person)
        for row in story.deliveries(incident)
        if row.event in PAGES
    )
    told = {(event, level, round((at - paged_at) / MINUTE, 6)) for at, event, level, _ in rows}
    # A level pages whoever it means; a reminder goes to each of those who were paged at it.
    assert told == {(event, level, float(minutes)) for event, level, minutes in expected}
    late = [at - paged_at - round((at - paged_at) / MINUTE) * MINUTE for at, *_ in rows]
    assert max(map(abs, late)) < 0.001, "a millisecond is the clock's own grain"


def test_an_acknowledgement_moves_no_level_off_its_tick() -> None:
    story = Story(ALERTS, only=("nothing-watches",), warm=30.0)
    story.alert("ColdDown", tier="cold")
    story.run(1.0)
    incident = story.incident()
    story.run(7 * MINUTE + 13.0)
    story.order("ack", incident)
    story.driver.crash(down_for=17.0)
    story.run(HOUR / 2)
    paged_at = story.escalation(incident).paged_at
    assert paged_at is not None
    late = [
        (row.level, round(row.created_at - paged_at, 3))
        for row in story.deliveries(incident)
        if row.event is PageEvent.ESCALATE
    ]
    assert late == [(2, 15 * MINUTE), (3, 30 * MINUTE)]
