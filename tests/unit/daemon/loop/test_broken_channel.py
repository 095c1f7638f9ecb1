"""A channel whose provider says that it is no good: told once, by another, until a message is taken there again."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.escalate.broken import GONE, broken
from daemon.escalate.schedules import Directory, Person, Way
from daemon.incidents.model import DAEMON
from daemon.incidents.records import Delivery, DeliveryState, PageEvent
from tests.fakes import rows
from tests.fakes.story import MINUTE, Story

ALERTS = """
poll_interval: 10m
telemetry: {edge: {every: 10m}}
inbox:
  alertmanager:
    map:
      - {match: {alertname: ColdDown}, failure_mode: storage_failure, scope: [tier]}
      - {match: {alertname: ApiSlow}, failure_mode: api_degradation, scope: [endpoint]}
"""
NOBODY = ("nothing-watches",)
ANA = Directory({"ana": Person("ana", "Ana", ways=(Way(0, "webhook"), Way(1, "console")))})
PART = "channel ana/0 webhook"


def row(status: int | None, **fields: Any) -> Delivery:
    """A page that was refused with this code; taken, with none."""
    state = DeliveryState.ACCEPTED if status is None else DeliveryState.FAILED
    own = {"state": state, "channel": "webhook", "facts": {} if status is None else {"status": status}}
    return rows.delivery(**(own | fields))


@pytest.mark.parametrize("status", sorted(GONE))
def test_one_that_is_refused_for_a_thousand_incidents_is_one_trouble_and_those_told_can_mend_it(
    status: int,
) -> None:
    found = broken([row(status) for _ in range(1000)], ANA)
    assert list(found) == [PART]
    assert f"({status})" in found[PART]
    assert "fleetmend page test ana --channel webhook" in found[PART]


@pytest.mark.parametrize(
    ("newest_first", "why"),
    [
        ([row(None), row(401)], "it was taken again"),
        ([row(400)], "the message was no good, not the channel"),
        ([row(401, state=DeliveryState.OWED)], "not refused for good"),
        ([row(401, channel="sms")], "no longer configured"),
        ([row(401, person="eve", address="eve/0")], "nobody knows her"),
        ([row(401, event=PageEvent.TEST)], "a test by hand is answered to whoever asked"),
    ],
)
def test_what_is_no_broken_channel(newest_first: list[Delivery], why: str) -> None:
    assert broken(newest_first, ANA) == {}, why


def test_it_pages_once_by_another_channel_however_many_incidents_meet_it_and_ends_when_it_is_mended() -> None:
    story = Story(ALERTS, only=NOBODY, warm=30.0)
    story.world.pager_answers += [401] * 50
    story.alert("ColdDown", tier="cold")
    story.run(MINUTE)
    story.alert("ApiSlow", endpoint="live")
    story.run(MINUTE)
    incident = story.incident(DAEMON)
    assert dict(incident.scope) == {"part": PART}
    pages = [page for page in story.deliveries(incident) if page.event is PageEvent.TRIGGER]
    assert [(page.person, page.channel, page.state) for page in pages] == [("ana", "console", "accepted")]
    for other in story.incidents():
        told = {page.channel for page in story.deliveries(other) if page.state is DeliveryState.ACCEPTED}
        assert "console" in told, "each was told at once by the next channel"
    story.driver.crash()
    story.run(MINUTE)
    assert len(story.incidents(DAEMON)) == 1
    story.world.pager_answers.clear()
    story.order("page_test", None, person="ana", channel="webhook")
    story.run(11 * MINUTE)  # so long until telemetry is asked: a trouble ends once all was looked at
    assert story.incident(DAEMON).ended
