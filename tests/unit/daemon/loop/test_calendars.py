"""Schedules kept in calendars: read as time goes on, kept over a restart, and never lost to a bad reading."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.schedules import CalendarSpec
from config.scope import scope_of
from config.secrets import Environment
from daemon.escalate.booked import Booked
from daemon.escalate.calendars import content_of
from daemon.escalate.ical import BadCalendar
from daemon.incidents.model import DAEMON, IncidentState
from daemon.incidents.records import PageEvent
from daemon.loop.calendars import kept as kept_calendars
from daemon.store.checkpoints import CALENDARS
from daemon.store.store import Store
from remediations.ports import Response, Unreachable
from tests.fakes.ports import FakeClock, FakeFiles, FakeHttp
from tests.fakes.story import BASE, DAY, HOUR, MINUTE, STORAGE, WARM, Story, only, settings_of

FILE = Path("/srv/oncall.ics")
KEPT = f"schedules: {{primary: {{calendar: {{file: {FILE}, every: 1m, stale_after: 5m}}}}}}\n"
ALONE = BASE.replace(
    'primary: {rotation: {every: 1w, starts: "2025-12-29 09:00", people: [ana]}}',
    f"primary: {{calendar: {{file: {FILE}, every: 1m, stale_after: 5m}}}}",
)


def shifts(*turns: tuple[str, float, float]) -> bytes:
    """(who, start, end) each."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test"]
    for number, (who, start, end) in enumerate(turns):
        begins, ends = (datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ") for at in (start, end))
        lines += ["BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20260101T000000Z", f"DTSTART:{begins}", f"DTEND:{ends}",
                  f"SUMMARY:{who}", "END:VEVENT"]  # fmt: skip
    return "\r\n".join((*lines, "END:VCALENDAR", "")).encode()


def on_call(story: Story) -> list[str]:
    at = story.driver.loop.stages.escalate.setup.directory.at(story.now)
    return [person.id for person in at.people(["schedule:primary"])]


def kept(base: str = BASE, more: str = KEPT) -> Story:
    """Nothing stands at the calendar's place yet."""
    return Story(more, base=base, only=STORAGE)


def test_who_the_calendar_names_is_paged_and_a_change_in_it_is_followed_within_its_interval() -> None:
    story = kept()
    assert on_call(story) == ["ana"], "until it was read, the rotation beside it"
    story.world.files.contents[FILE] = shifts(("Ben", story.now - HOUR, story.now + DAY))
    story.run(2 * MINUTE)
    assert on_call(story) == ["ben"]
    story.world.files.contents[FILE] = shifts(("Chloe", story.now - HOUR, story.now + DAY))
    story.run(2 * MINUTE)
    assert on_call(story) == ["chloe"]


def test_a_bad_calendar_replaces_no_good_one_also_over_a_restart_and_is_told_of_once_stale() -> None:
    story = kept()
    story.world.files.contents[FILE] = shifts(("Ben", story.now - HOUR, story.now + DAY))
    story.run(2 * MINUTE)
    story.world.files.contents[FILE] = b"<html>log in</html>"
    story.run(2 * MINUTE)
    story.driver.crash()
    story.run(MINUTE)
    assert on_call(story) == ["ben"]
    assert story.incidents(DAEMON) == [], "a few minutes are nothing"
    story.run(4 * MINUTE)
    incident = story.incident(DAEMON)
    assert (incident.scope, incident.severity) == ((("part", "calendar of primary"),), "medium")
    assert "still holds" in incident.impact.text
    assert on_call(story) == ["ben"]
    story.driver.crash()
    story.run(MINUTE)
    assert story.incident(DAEMON).state is IncidentState.OPEN, "a restart knows nothing better"
    story.world.files.contents[FILE] = shifts(("Chloe", story.now - HOUR, story.now + DAY))
    story.run(2 * MINUTE)
    assert story.incident(DAEMON).state is IncidentState.RESOLVED
    assert on_call(story) == ["chloe"]


def test_a_calendar_that_was_never_read_leaves_nobody_on_call_and_is_a_page_after_five_minutes() -> None:
    story = kept(ALONE, "")
    story.run(5 * MINUTE)
    (incident,) = story.incidents(DAEMON)
    assert incident.scope == (("part", "unread calendar of primary"),)
    assert incident.detected_at - (story.began - WARM) <= 5 * MINUTE + 30
    told = [row.person for row in story.deliveries(incident) if row.event is PageEvent.TRIGGER]
    assert told == ["ben"], "L1 has nobody, so the next level is told at once"
    story.world.files.contents[FILE] = shifts(("Ana", story.now - HOUR, story.now + DAY))
    story.run(3 * MINUTE)
    assert on_call(story) == ["ana"]
    assert story.incident(DAEMON).state is IncidentState.RESOLVED


def test_a_reload_keeps_what_was_read_and_reads_it_anew() -> None:
    story = kept()
    story.world.files.contents[FILE] = shifts(("Ben", story.now - HOUR, story.now + DAY))
    story.run(2 * MINUTE)
    del story.world.files.contents[FILE]
    story.driver.take(settings_of(BASE, only(*STORAGE), KEPT, "remind: {critical: 7m}\n"))
    assert on_call(story) == ["ben"]
    story.run(2 * MINUTE)
    assert on_call(story) == ["ben"]
    story.driver.take(settings_of(BASE, only(*STORAGE)))
    assert on_call(story) == ["ana"], "without a calendar it is the rotation again"


SECRET = "https://calendar.example.org/private-4f1c9a/basic.ics"


def fetched(http: FakeHttp, url: str = SECRET) -> bytes:
    spec = CalendarSpec.model_validate(
        {"url": {"env": "CALENDAR"}}, context=Environment({"CALENDAR": url}).context
    )
    return content_of(spec, http, FakeFiles(), http.clock.monotonic() + 5)


def test_a_calendar_is_fetched_also_by_the_address_that_calendar_programs_write() -> None:
    http = FakeHttp(FakeClock()).on("GET", SECRET, lambda _: Response(200, {}, b"BEGIN:VCALENDAR", 0.1))
    assert fetched(http) == fetched(http, SECRET.replace("https", "webcal")) == b"BEGIN:VCALENDAR"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(302, {"Location": "http://169.254.169.254/"}, b"", 0.1), "a redirect is not followed"),
        (Response(404, {}, b"BEGIN:VCALENDAR", 0.1), "whatever an error page says"),
        (Unreachable(f"GET {SECRET}: ConnectionRefusedError: refused"), "nobody is there"),
    ],
)
def test_what_cannot_be_fetched_is_bad_and_its_secret_address_is_told_to_nobody(
    answer: Response | Exception, why: str
) -> None:
    def serve(_: object) -> Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(BadCalendar) as refused:
        fetched(FakeHttp(FakeClock()).on("GET", SECRET, serve))
    assert "private" not in str(refused.value), why


def test_no_other_scheme_is_fetched() -> None:
    with pytest.raises(BadCalendar):
        fetched(FakeHttp(FakeClock()), "file:///etc/passwd")


def test_what_a_calendar_said_is_no_checkpoint_of_a_detector_and_outlasts_them() -> None:
    said = {(CALENDARS, scope_of({"schedule": "primary"})): Booked((), 1.0, 2.0).data()}
    with Store.open("sqlite://") as store:
        with store.write() as uow:
            uow.checkpoints.save(said)
            uow.checkpoints.save({("silent", scope_of({})): 1})
            uow.checkpoints.replace({("errors", scope_of({})): 2})
        with store.read() as uow:
            assert uow.checkpoints.load() == {("errors", scope_of({})): 2}
            assert kept_calendars(uow.checkpoints.calendars()) == {"primary": Booked((), 1.0, 2.0)}
