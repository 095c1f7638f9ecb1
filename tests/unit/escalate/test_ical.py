"""Calendars as schedules: who is booked when, whatever the calendar is written like; and what is not read."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest

from config.people import PersonSpec
from config.schedules import ScheduleSpec
from daemon.escalate.booked import Booked, Booking, flat, overlaps
from daemon.escalate.ical import MAX_EVENTS, MAX_RULES, BadCalendar, Calendar, Entry, read, write
from daemon.escalate.rota import gaps, next_shifts, on_call, shifts
from daemon.escalate.schedules import Directory, directory_of

DAY = 86400.0
NAMES = {"ana": "ana", "ana diaz": "ana", "ana@example.org": "ana", "ben": "ben", "ben okri": "ben"}


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOW = utc("2026-01-05 00:00")


def event(*lines: str) -> str:
    return "\r\n".join(
        (
            "BEGIN:VEVENT",
            "UID:" + str(crc32(repr(lines).encode())),
            "DTSTAMP:20260101T000000Z",
            *lines,
            "END:VEVENT",
        )
    )


def calendar(*events: str) -> bytes:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN")
    return ("\r\n".join((*head, *events, "END:VCALENDAR")) + "\r\n").encode()


def parsed(content: bytes, *, zone: str = "Europe/Paris", now: float = NOW) -> Calendar:
    return read(content, zone, NAMES, now, back=7 * DAY, ahead=400 * DAY)


def local(at: float, zone: str = "Europe/Paris") -> str:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%m-%d %H:%M")


WEEKLY = (
    event("DTSTART;TZID=Europe/Paris:20260105T090000", "DTEND;TZID=Europe/Paris:20260112T090000",
          "RRULE:FREQ=WEEKLY;INTERVAL=2", "SUMMARY:Ana Diaz"),
    event("DTSTART;TZID=Europe/Paris:20260112T090000", "DTEND;TZID=Europe/Paris:20260119T090000",
          "RRULE:FREQ=WEEKLY;INTERVAL=2", "SUMMARY:Ben Okri"),
)  # fmt: skip


def test_a_weekly_calendar_has_no_gap_and_starts_at_nine_on_both_sides_of_both_clock_changes() -> None:
    booked = parsed(calendar(*WEEKLY)).booked
    turns = booked.bookings
    assert {local(turn.start)[-5:] for turn in turns} == {"09:00"}
    assert all(one.end == two.start and one.person != two.person for one, two in pairwise(turns))
    assert turns[-1].end > NOW + 392 * DAY


@pytest.mark.parametrize(
    ("lines", "start", "end", "why"),
    [
        (("DTSTART:20260106T080000Z", "DTEND:20260106T160000Z"), "01-06 09:00", "01-06 17:00", "UTC"),
        (("DTSTART:20260106T090000", "DTEND:20260106T170000"), "01-06 09:00", "01-06 17:00", "floating: the schedule's zone"),
        (("DTSTART;VALUE=DATE:20260106", "DTEND;VALUE=DATE:20260108"), "01-06 00:00", "01-08 00:00", "whole days"),
        (("DTSTART;VALUE=DATE:20260106",), "01-06 00:00", "01-07 00:00", "a day without an end is that day"),
        (("DTSTART;TZID=W. Europe Standard Time:20260106T090000", "DURATION:PT8H"), "01-06 09:00", "01-06 17:00",
         "Windows names its zones otherwise, and a length stands for an end"),
        (("DTSTART;TZID=America/New_York:20260106T030000", "DTEND;TZID=America/New_York:20260106T110000"),
         "01-06 09:00", "01-06 17:00", "another zone"),
        (("DTSTART;TZID=Europe/Paris:20260329T023000", "DTEND;TZID=Europe/Paris:20260329T100000"),
         "03-29 03:00", "03-29 10:00", "half past two is skipped: the first instant that exists"),
        (("DTSTART;TZID=Europe/Paris:20261025T023000", "DTEND;TZID=Europe/Paris:20261025T100000"),
         "10-25 02:30", "10-25 10:00", "half past two comes twice: the first of the two"),
    ],
)  # fmt: skip
def test_times_are_read_whatever_form_they_are_in(
    lines: tuple[str, ...], start: str, end: str, why: str
) -> None:
    (turn,) = parsed(calendar(event(*lines, "SUMMARY:Ana"))).booked.bookings
    assert (local(turn.start), local(turn.end)) == (start, end), why
    if "twice" in why:
        assert turn.start == utc("2026-10-25 00:30"), "02:30 in summer time"


AT = ("DTSTART:20260106T080000Z", "DTEND:20260106T160000Z")


@pytest.mark.parametrize(
    ("lines", "person", "why"),
    [
        (("SUMMARY:ben",), "ben", "by id"),
        (("SUMMARY:Ana Diaz",), "ana", "by name"),
        (("SUMMARY:On Call - Ana Diaz - Primary",), "ana", "as PagerDuty writes its feeds"),
        (("SUMMARY:Primary", "ATTENDEE;CN=Somebody:mailto:Ana@Example.org"), "ana", "by mail address"),
        (("SUMMARY:Primary", "ATTENDEE;CN=Ben Okri:mailto:private@example.net"), "ben", "by the attendee's name"),
        (("SUMMARY:ana", "ATTENDEE:mailto:nobody@example.org"), "ana", "an unknown attendee names nobody"),
        (("SUMMARY:Primary", "ATTENDEE:mailto:ana@example.org", "ATTENDEE;CN=Ben Okri:mailto:b@x"), None, "two are asked: it is not known whose it is"),
        (("SUMMARY:Banana day",), None, "part of a word is no name"),
        (("SUMMARY:Ana and Ben",), None, "two names are nobody's"),
        (("SUMMARY:Ana", "STATUS:CANCELLED"), None, "cancelled"),
    ],
)  # fmt: skip
def test_an_event_means_whom_it_names(lines: tuple[str, ...], person: str | None, why: str) -> None:
    later = event("DTSTART:20260201T080000Z", "DTEND:20260202T080000Z", "SUMMARY:Ben")
    found = parsed(calendar(event(*AT, *lines), later)).booked.at(utc("2026-01-06 12:00"))
    assert (found.person if found else None) == person, why


def test_events_that_name_nobody_known_are_told_of() -> None:
    found = parsed(calendar(event(*AT, "SUMMARY:Zoe"), *WEEKLY))
    assert found.strangers == ("Zoe",)


def test_one_moved_occurrence_moves_alone_and_a_left_out_one_is_left_out() -> None:
    series = event("DTSTART;TZID=Europe/Paris:20260105T090000", "DTEND;TZID=Europe/Paris:20260105T170000",
                   "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Paris:20260106T090000", "SUMMARY:Ana")  # fmt: skip
    uid = next(line for line in series.splitlines() if line.startswith("UID"))
    moved = series.replace("20260105T090000", "20260107T120000", 1).replace(
        "20260105T170000", "20260107T200000"
    )
    moved = moved.replace("RRULE:FREQ=DAILY;COUNT=4\r\nEXDATE;TZID=Europe/Paris:20260106T090000",
                          "RECURRENCE-ID;TZID=Europe/Paris:20260107T090000")  # fmt: skip
    assert uid in moved
    turns = parsed(calendar(series, moved)).booked.bookings
    assert [local(turn.start) for turn in turns] == ["01-05 09:00", "01-07 12:00", "01-08 09:00"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "nothing"),
        (b"<html>log in</html>", "a page in its place"),
        (b"BEGIN:VCALENDAR\r\nnonsense", "cut off"),
        (b"\xff\xfe\x00", "no text"),
        (calendar(), "no event at all"),
        (calendar(event("DTSTART:garbage", "SUMMARY:Ana")), "no time"),
        (calendar(event("DTSTART:20200101T000000Z", "DTEND:20200102T000000Z", "SUMMARY:Ana")), "all of it is over"),
        (calendar(event(*AT, "SUMMARY:Zoe")), "nobody known"),
        (b"BEGIN:VCALENDAR" + b"x" * 1_000_000, "larger than a megabyte"),
        (calendar(event(*AT, "SUMMARY:Ana", "RRULE:FREQ=SECONDLY")), "every second"),
        (calendar(event(*AT, "SUMMARY:Ana", "RRULE:FREQ=HOURLY")), "every hour"),
        (calendar(event(*AT, "SUMMARY:Ana", "RRULE:FREQ=DAI\r\n LY;BYSECOND=" + ",".join(map(str, range(60))) + ";BYMINUTE=" + ",".join(map(str, range(60))))), "every second of a day, folded"),
        (calendar(event(*AT, "SUMMARY:Ana", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")), "a day that never comes"),
        (calendar(event(*AT, "SUMMARY:Ana", "RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=MO")), "a Monday that never comes"),
        (calendar(event(*AT, "SUMMARY:Ana", "RRULE:FREQ=YEARLY;BYYEARDAY=1")), "a part that is not read"),
        (calendar(*(event("DTSTART:10000101T000000Z", "DURATION:P1D", "SUMMARY:Ana", "RRULE:FREQ=DAILY") for _ in range(3))), "daily since a thousand years"),
        (calendar(*(event(*AT, f"SUMMARY:{n}", "RRULE:FREQ=DAILY") for n in range(MAX_RULES + 1))), "too many rules"),
        (calendar(*(event(*AT, f"SUMMARY:{n}") for n in range(MAX_EVENTS + 1))), "too many events"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_calendar_of_shifts_is_refused_with_a_reason(content: bytes, why: str) -> None:
    with pytest.raises(BadCalendar) as refused:
        parsed(content)
    assert str(refused.value), why


def test_of_two_at_one_time_the_one_that_began_last_has_it_and_both_are_told_of() -> None:
    usual, special = Booking(0, 100, "ana"), Booking(40, 60, "ben")
    assert flat([special, usual]) == (Booking(0, 40, "ana"), special, Booking(60, 100, "ana"))
    assert overlaps([special, usual]) == ((usual, special),)
    assert overlaps([usual, Booking(100, 200, "ben"), Booking(50, 80, "ana")]) == (), (
        "half-open; one person twice is fine"
    )


CALENDAR = ScheduleSpec.model_validate(
    {
        "timezone": "Europe/Paris",
        "calendar": {"file": "oncall.ics"},
        "rotation": {"every": "1w", "starts": "2026-01-05 09:00", "people": ["chloe"]},
        "overrides": [{"person": "dan", "start": "2026-01-07 00:00", "end": "2026-01-08 00:00"}],
        "swaps": [{"between": ["ana", "ben"], "start": "2026-01-09 00:00", "end": "2026-01-10 00:00"}],
    }
)


def test_a_calendar_beats_the_rotation_an_override_beats_both_and_the_rotation_has_what_is_left() -> None:
    booked = Booked((Booking(utc("2026-01-06 00:00"), utc("2026-01-11 00:00"), "ana"),))
    seen = [on_call(CALENDAR, utc(f"2026-01-{day} 12:00"), booked) for day in ("05", "06", "07", "09", "12")]
    assert seen == ["chloe", "ana", "dan", "ben", "chloe"]
    assert on_call(CALENDAR, utc("2026-01-06 12:00")) == "chloe", "before it was ever read"
    cut = shifts(CALENDAR, utc("2026-01-05 09:00"), utc("2026-01-12 00:00"), booked)
    assert [piece.person for piece in cut] == ["chloe", "ana", "dan", "ana", "ben", "ana", "chloe"]


def test_a_calendar_alone_leaves_gaps_and_says_who_follows() -> None:
    spec = ScheduleSpec.model_validate({"calendar": {"file": "x"}})
    one, two = Booking(0, 10 * DAY, "ana"), Booking(11 * DAY, 20 * DAY, "ben")
    booked = Booked((one, two))
    assert [(gap.start, gap.end) for gap in gaps(spec, 0, 20 * DAY, booked)] == [(10 * DAY, 11 * DAY)]
    assert [turn.person for turn in next_shifts(spec, DAY, 3, booked)] == ["ana", None, "ben"]


def test_what_was_read_survives_being_kept() -> None:
    booked = parsed(calendar(*WEEKLY)).booked
    assert Booked.from_data(booked.data()) == booked


def test_what_two_people_share_names_neither_and_a_map_names_the_rest() -> None:
    shared = PersonSpec(name="Sam", channels=({"email": "team@example.org"},))
    other = PersonSpec(
        name="Sam", channels=({"email": {"to": "Team@example.org"}}, {"email": "sam2@example.org"})
    )
    directory = directory_of({"sam1": shared, "sam2": other}, {}, {}, {})
    assert directory.names({"Duty Phone": "sam1"}) == {
        "sam1": "sam1", "sam2": "sam2", "sam2@example.org": "sam2", "duty phone": "sam1",
    }  # fmt: skip


def test_targets_reach_whom_the_calendar_names() -> None:
    people = {
        name: PersonSpec(name=name.title(), channels=({"console": {}},)) for name in ("ana", "chloe", "dan")
    }
    plain = directory_of(people, {}, {"primary": CALENDAR}, {"console": (False, True, False)})
    booked = Booked((Booking(utc("2026-01-06 00:00"), utc("2026-01-07 00:00"), "ana"),))
    told = Directory(plain.people, {}, plain.schedules, {"primary": booked})
    at = utc("2026-01-06 12:00")
    assert [one.id for one in told.at(at).people(["schedule:primary"])] == ["ana"]


def test_a_written_calendar_reads_back_and_keeps_its_uids() -> None:
    entries = [
        Entry("primary", NOW + 86400.0 * n, NOW + 86400.0 * (n + 1), person, name)
        for n, (person, name) in enumerate((("ana", "Ana Diaz"), ("ben", "Ben Okri")))
    ]
    content = write("On call: primary", entries, NOW)
    assert [(b.start, b.end, b.person) for b in parsed(content).booked.bookings] == [
        (entry.start, entry.end, entry.person) for entry in entries
    ]
    again = write("On call: primary", entries, NOW + 3600)

    def uids(text: bytes) -> list[bytes]:
        return [line for line in text.splitlines() if line.startswith(b"UID")]

    assert uids(content) == uids(again)
    assert len(set(uids(content))) == 2
    hostile = write("x", [Entry("primary", NOW, NOW + 1, "ana", "Ana\r\nBEGIN:VALARM,;\\")], NOW)
    assert b"\r\nBEGIN:VALARM" not in hostile, "a name adds no lines"


@pytest.mark.parametrize(
    "rule",
    [
        *(f"RRULE:FREQ={each};INTERVAL=0" for each in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")),
        "RRULE:FREQ=DAILY;INTERVAL= 0",
        "RRULE:FREQ=WEEKLY;INTERVAL=-1",
        "RRULE:FREQ=DAILY;BYMONTH=13",
        "RRULE:FREQ=DAILY;BYMONTH=0",
        "RRULE:FREQ=MONTHLY;BYDAY=6MO",
        "RRULE:FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
        "RRULE:FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=\N{SUPERSCRIPT TWO}",
        "RR\r\n\r\n  ULE:FREQ=DAILY;INTERVAL=0",
        "RR\r\n\t \tULE:FREQ=SECONDLY",
    ],
)
def test_a_rule_that_would_be_searched_for_ever_is_refused_however_it_is_folded(rule: str) -> None:
    """Whoever writes a calendar must not be able to take a worker, and the processor, for good."""
    written = calendar(event("DTSTART:20260105T090000Z", "DURATION:PT8H", "SUMMARY:ana", rule))
    with pytest.raises(BadCalendar, match="repeats"):
        parsed(written)


def test_a_time_zone_that_changes_its_clock_daily_is_refused() -> None:
    """Its changes would all be worked out since the year that it names."""
    zone = (
        "BEGIN:VTIMEZONE", "TZID:X", "BEGIN:STANDARD", "DTSTART:16020101T000000", "RRULE:FREQ=DAILY",
        "TZOFFSETFROM:+0100", "TZOFFSETTO:+0000", "END:STANDARD", "END:VTIMEZONE",
    )  # fmt: skip
    shift = event("DTSTART;TZID=X:20260105T090000", "DURATION:PT8H", "SUMMARY:ana")
    with pytest.raises(BadCalendar, match="time zone"):
        parsed(calendar("\r\n".join(zone), shift))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE;WKST=SU",
        "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1MO",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTH=1,02,12",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYMONTHDAY=5",
        "FREQ=MONTHLY;BYMONTHDAY=5,-1",
    ],
)
def test_rules_that_people_write_are_read(rule: str) -> None:
    shift = event("DTSTART:20260105T090000Z", "DURATION:PT8H", "SUMMARY:ana", f"RRULE:{rule}")
    assert parsed(calendar(shift)).booked.bookings[0].person == "ana"
