"""A real daemon as seen from outside: what its dead-man's switch hears, when its levels come, and that an answer is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from daemon.incidents.events import Kind
from daemon.incidents.records import PageEvent
from tests.conftest import COUNTED, SOAK
from tests.fakes.deadman import DeadMan, served
from tests.fakes.living import CLOCK, Site, wait_for
from tests.integration.daemon.test_dead import full

pytestmark = pytest.mark.live
SIGNING = "0123456789abcdef0123456789abcdef"
TICK = 2.0
"""Seconds within which a level follows its time on the real clock."""
UNDER_LOAD = 20.0
"""Seconds that are granted where others use the machine as well; the figure itself is printed."""


def test_the_switch_hears_of_the_start_of_success_and_by_name_of_what_fails(site: Site) -> None:
    switch = DeadMan(CLOCK.now, period=5.0, grace=5.0)
    with served(switch) as url:
        site.environment["BEAT"] = url
        site.config["heartbeat"] = {"url": {"env": "BEAT"}, "kind": "healthchecks", "every": "5s"}
        daemon = site.start()
        with full(daemon):
            wait_for(
                "the store is named", lambda: any("store: " in text for _, _, text in switch.pings), within=40
            )
            failed = len(switch.kinds)
        wait_for("all is well", lambda: "success" in switch.kinds[failed:], within=40)
        assert {"start", "fail"} <= set(switch.kinds)
        if SOAK not in os.environ:
            return  # a loop that stands still takes its time to be missed; the virtual clock has that case in the gate
        daemon.signal(signal.SIGSTOP)
        try:
            alarm = switch.alarms_at()
            assert alarm is not None
            wait_for("its alarm is raised", lambda: CLOCK.now() > alarm, within=30)
            assert switch.alarms_at() == alarm, "a daemon that stands still says nothing"
        finally:
            daemon.signal(signal.SIGCONT)
        wait_for("it goes on", lambda: switch.alarms_at() != alarm, within=40)


def test_levels_and_reminders_come_within_two_seconds_of_their_time(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    site.plant.mends = False
    site.config["escalation"]["default"] = [
        {"level": "L1", "notify": ["person:ana"]},
        {"level": "L2", "after": {"critical": "3s"}, "notify": ["person:ben"]},
        {"level": "L3", "after": {"critical": "5s"}, "notify": ["person:ben"]},
    ]
    site.config["remind"] = {"critical": "1s"}
    site.start()
    site.plant.broken = True
    incident = wait_for("an incident", site.incident)
    wait_for("L3 is told", lambda: any(row.level == 3 for row in site.deliveries(incident.id)), within=60)
    with site.store() as store, store.read() as uow:
        escalation = uow.escalations.get(incident.id)
    assert escalation is not None
    assert escalation.paged_at is not None
    due = {2: escalation.paged_at + 3.0, 3: escalation.paged_at + 5.0}
    rows = [row for row in site.deliveries(incident.id) if row.event is PageEvent.ESCALATE]
    late = [row.created_at - due[row.level] for row in rows]
    assert min(late) >= 0.0, "none is early"
    assert max(late) < UNDER_LOAD
    told = "in time" if max(late) < TICK else "LATE"
    record_property(COUNTED, f"levels came {max(late) * 1000:.0f} ms after their time at most: {told}")


def test_an_answer_by_a_link_outlives_a_kill_that_follows_it(site: Site) -> None:
    """The order is on disk before the page says so."""
    site.plant.mends = False
    site.environment["SIGNING"] = SIGNING
    site.config["signing_keys"] = [{"env": "SIGNING"}]
    daemon = site.start()
    site.plant.broken = True
    wait_for("somebody is paged", lambda: site.plant.pager.pages)
    incident = site.incident()
    assert incident is not None
    page = next(event for event in site.plant.pager.events if event["event_action"] == "trigger")
    link = next(one["href"] for one in page["links"] if one["text"] == "Acknowledge")
    answer = daemon.ask(link.removeprefix(f"http://127.0.0.1:{site.port}"), role=None, method="POST", form={})
    daemon.kill()
    assert answer.status == 200
    site.start()
    (event,) = wait_for(
        "it is acknowledged", lambda: [e for e in site.events(incident.id) if e.kind is Kind.ACKED]
    )
    assert (event.actor, event.data["via"]) == ("ana", "link")
