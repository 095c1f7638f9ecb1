"""The live host: ready means that orders would be carried out, and publishing leaves the loop its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from structlog.testing import capture_logs

from daemon.app.host import PUBLISH_SHARE, STALLED_AFTER, LiveHost
from daemon.escalate.ical import Entry, write
from tests.fakes.story import BASE, STORAGE, Story, settings_of


class Laborious:
    """A clock by which everything takes `seconds`."""

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds, self.wall, self.ticks = seconds, now, 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        self.ticks += self.seconds
        return self.ticks


def made(story: Story, asked: list[str], clock: Laborious | None = None) -> LiveHost:
    ports = replace(story.world.ports, clock=clock or story.time)
    host = LiveHost(settings_of(BASE), ports, "me", "0", asked.append, story.now)
    host.ready, host.cycle = (True, ""), (story.now, 5.0)
    return host


def test_it_is_ready_while_it_comes_round_leads_and_can_write() -> None:
    story = Story(only=STORAGE)
    host, loop = made(story, []), story.driver.loop
    assert host.readiness(loop) == (True, "")
    loop.sick_since = story.now
    assert host.readiness(loop) == (False, "the store cannot be written")
    loop.sick_since = None
    story.time.set(story.now + 4 * 15 + 1)
    good, why = host.readiness(loop)
    assert (good, why) == (False, "the loop has not come round for 61 s")
    assert STALLED_AFTER < 61


def test_a_daemon_that_another_follows_says_so_and_ends_once() -> None:
    story, asked = Story(only=STORAGE), list[str]()
    host, loop = made(story, asked), story.driver.loop
    loop.control.lead.lost()
    assert host.readiness(loop) == (False, "another daemon leads")
    host.end()
    host.end()
    assert asked == ["lost"]


def test_publishing_takes_a_small_share_of_the_loops_time_however_long_it_takes() -> None:
    story = Story(only=STORAGE)
    clock = Laborious(0.5, story.now)
    host, loop = made(story, [], clock), story.driver.loop
    host.publish(loop, story.now)
    first = host.snapshot
    rest = 0.5 / PUBLISH_SHARE
    host.publish(loop, story.now + rest - 0.1)
    assert host.snapshot is first
    host.publish(loop, story.now + rest + 0.1)
    assert host.snapshot is not first


def test_a_page_without_the_store_goes_to_whom_the_calendar_named() -> None:
    base = BASE.replace(
        'rotation: {every: 1w, starts: "2025-12-29 09:00", people: [ana]}', "calendar: {file: /x.ics}"
    )
    story = Story(base=base, only=STORAGE, warm=0.0)
    turns = [Entry("primary", story.now - 60, story.now + 86_400, "ana", "Ana")]
    story.world.files.contents[Path("/x.ics")] = write("on call", turns, story.now)
    story.run(130)
    ports = replace(story.world.ports, clock=story.time)
    host = LiveHost(settings_of(base), ports, "me", "0", list[str]().append, story.now)
    host.workers = story.driver.parts.workers
    host.publish(story.driver.loop, story.now)
    assert host.pager().page("store", "disk full", story.now)
    assert len(story.world.sent) == 1, "Ana's webhook"


def test_a_store_that_stays_sick_is_a_line_a_minute_however_often_it_is_tried() -> None:
    """The log may lie on the very disk that is full."""
    story = Story(only=STORAGE)
    host = made(story, [])
    with capture_logs() as lines:
        for second in range(121):
            host.store_sick("disk full", None, story.now + second)
        host.store_sick("read-only", None, story.now + 121)
    assert [line["error"] for line in lines] == ["disk full"] * 3 + ["read-only"]
