"""Calendars in and out: RFC 5545 text to bookings of known people, and turns to a calendar to subscribe to. Pure.

The libraries are imported where a calendar is really read or written: most schedules have none. What comes in is
bounded before it is expanded: shifts repeat daily or slower, and rules that could run for long are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from daemon.escalate.booked import Booked, Booking, flat, overlaps
from daemon.escalate.graphemes import one_line
from daemon.escalate.wallclock import instant

MAX_BYTES = 1_000_000
MAX_EVENTS = 5_000
MAX_RULES = 500
MAX_BOOKINGS = 20_000
MAX_STEPS = 200_000
"""Days that all rules together step through from their first event on: bounds the work."""
_DAY = 86_400.0
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_FILTERS = frozenset({"BYDAY", "BYMONTH", "BYMONTHDAY"})
_TIMES = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_PARTS = _FILTERS | _TIMES | {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_FOLDED = re.compile(r"(?:\r?\n)+[ \t]+")
"""Where a line goes on, as generous as the library: a rule that only it puts together would not be looked at here."""
_RULE = re.compile(r"^(?:RRULE|EXRULE)(?:;[^:\n]*)?:(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_ZONE = re.compile(r"^BEGIN:VTIMEZONE\b.*?^END:VTIMEZONE\b", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_EVERY_MONTH = 28
_INTERVAL = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_MONTH = re.compile(r"0?[1-9]|1[0-2]", re.ASCII)
_DAY_OF = re.compile(r"[+-]?(\d{1,2})", re.ASCII)
_WEEKDAY = re.compile(r"(?:[+-]?0?[1-5])?(?:MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
"""With its number in a month: a sixth one never comes."""


class BadCalendar(Exception):
    """It cannot be used, and why: the last good one holds."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """`strangers`: titles of events that name nobody known. `overlaps`: two people at one time."""

    booked: Booked
    strangers: tuple[str, ...] = ()
    overlaps: tuple[tuple[Booking, Booking], ...] = ()


def read(
    content: bytes, zone: str, names: Mapping[str, str], now: float, *, back: float, ahead: float
) -> Calendar:
    """Bookings from `back` seconds before `now` to `ahead` after it. Raises `BadCalendar`.

    `zone`: of days and of times without a zone. `names`: what stands for a person, casefolded -> the person's id.
    """
    text = _checked(content)
    bookings: list[Booking] = []
    strangers: dict[str, None] = {}
    for event in _occurrences(text, now - back, now + ahead):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        start, end = _instant(event.start, zone), _instant(event.end, zone)
        person = _who(event, names)
        if person is None:
            strangers[str(event.get("SUMMARY", "")).strip()[:80] or "an event without a title"] = None
        elif start < end:
            bookings.append(Booking(start, end, person))
        if len(bookings) > MAX_BOOKINGS:
            raise BadCalendar(f"more than {MAX_BOOKINGS} shifts")
    if not any(one.end > now for one in bookings):
        raise BadCalendar(f"it names nobody known from now on{_examples(strangers)}")
    return Calendar(Booked(flat(bookings), now, now + ahead), tuple(strangers), overlaps(bookings))


def _examples(strangers: Iterable[str]) -> str:
    first = next(iter(strangers), "")
    return f" (but {first!r})" if first else ""


def _checked(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise BadCalendar(f"larger than {MAX_BYTES} bytes")
    text = _FOLDED.sub("", content.decode("utf-8-sig", "replace"))
    if "BEGIN:VCALENDAR" not in text.upper():
        raise BadCalendar("it is no iCalendar: BEGIN:VCALENDAR is missing")
    if text.upper().count("BEGIN:VEVENT") > MAX_EVENTS:
        raise BadCalendar(f"more than {MAX_EVENTS} events")
    rules = _RULE.findall(text)
    if len(rules) > MAX_RULES:
        raise BadCalendar(f"more than {MAX_RULES} repeating events")
    for rule in rules:
        _slow_enough(rule)
    for zone in _ZONE.findall(text):  # the clock changes twice a year; those of ever since are all worked out
        if any("FREQ=YEARLY" not in rule.upper().split(";") for rule in _RULE.findall(zone)):
            raise BadCalendar("a time zone of it changes its clock more often than yearly")
    return text


def _slow_enough(rule: str) -> None:
    """A rule that repeats fast, or may search for its next day without an end, is refused before it is expanded."""
    parts = dict(part.upper().split("=", 1) for part in rule.split(";") if "=" in part)
    if parts.get("FREQ") not in _FREQUENCIES:
        raise BadCalendar(
            f"an event repeats {parts.get('FREQ', 'without FREQ')[:20]}: shifts repeat daily or slower"
        )
    if parts.keys() - _PARTS or not _comes(parts):
        raise BadCalendar(f"an event repeats in a way that is not read: {rule[:80]}")


def _comes(parts: Mapping[str, str]) -> bool:
    """Whether a next day is sure to be found soon: the library looks for it until the year 9999, or for ever."""
    interval, weekdays = parts.get("INTERVAL", "1"), parts.get("BYDAY", "MO").split(",")
    days = [_DAY_OF.fullmatch(day) for day in parts.get("BYMONTHDAY", "1").split(",")]
    months = parts.get("BYMONTH", "1").split(",")
    sound = (
        _INTERVAL.fullmatch(interval)
        and all(map(_MONTH.fullmatch, months))
        and all(map(_WEEKDAY.fullmatch, weekdays))
        and any(day is not None and 1 <= int(day[1]) <= _EVERY_MONTH for day in days)
    )
    numbered = "BYMONTHDAY" in parts and any(not day[:1].isalpha() for day in weekdays)
    passing = {"DAILY": _FILTERS, "MONTHLY": frozenset({"BYMONTH"})}.get(parts["FREQ"], frozenset())
    skips = interval != "1" and not passing.isdisjoint(parts)
    return bool(sound) and not numbered and not skips


def _occurrences(text: str, since: float, until: float) -> list[Any]:
    import icalendar
    import recurring_ical_events

    try:
        calendar = icalendar.Calendar.from_ical(text)
        _bounded(calendar.walk("VEVENT"), until)
        query = recurring_ical_events.of(calendar, components=["VEVENT"])
        return list(query.between(datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)))
    except BadCalendar:
        raise
    except Exception as error:  # whatever the library cannot read is a bad calendar
        raise BadCalendar(f"it cannot be read: {type(error).__name__}: {str(error)[:200]}") from error


def _bounded(events: Sequence[Any], until: float) -> None:
    if sum(_steps(event, until) for event in events) > MAX_STEPS:
        raise BadCalendar("its events repeat too often, or since too long ago")


def _steps(event: Any, until: float) -> float:
    """Days from an event's start on, times how often it may come in one."""
    rule = event.get("RRULE")
    if rule is None:
        return 1.0
    times = 1
    for part in _TIMES:
        times *= max(1, len(rule.get(part, ())))
    began = event.start
    day = began.date() if isinstance(began, datetime) else began
    return max(1.0, (until - datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) / _DAY) * times


def _instant(at: date, zone: str) -> float:
    if not isinstance(at, datetime):
        return instant(zone, datetime(at.year, at.month, at.day))  # noqa: DTZ001 - a day of the schedule's zone
    if at.tzinfo is None:
        return instant(zone, at)
    if isinstance(at.tzinfo, ZoneInfo) and at.tzinfo.key:
        return instant(at.tzinfo.key, at.replace(tzinfo=None, fold=0))
    return at.timestamp()


def _who(event: Any, names: Mapping[str, str]) -> str | None:
    """Its one known attendee, else whom its title names; None where it names nobody, or several."""
    attendees = event.get("ATTENDEE", ())
    asked = attendees if isinstance(attendees, list) else [attendees] if attendees else []
    known = {person for one in asked if (person := _attendee(one, names)) is not None}
    if len(known) == 1:
        return known.pop()
    title = str(event.get("SUMMARY", "")).strip().casefold()
    if title in names:
        return names[title]
    words = {person for name, person in names.items() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", title)}
    return words.pop() if len(words) == 1 else None


def _attendee(attendee: Any, names: Mapping[str, str]) -> str | None:
    address = re.sub(r"^mailto:", "", str(attendee), flags=re.IGNORECASE).casefold()
    return names.get(address) or names.get(str(attendee.params.get("CN", "")).casefold())


@dataclass(frozen=True, slots=True)
class Entry:
    """One turn as a calendar shows it (unix seconds)."""

    schedule: str
    start: float
    end: float
    person: str
    name: str


def write(title: str, entries: Iterable[Entry], now: float) -> bytes:
    """A calendar of turns; the same turn has the same UID whenever it is written, so a subscriber moves nothing.

    The library breaks on a line end in some texts and writes out a bare CR in others.
    """
    import icalendar

    calendar = icalendar.Calendar()
    for key, value in (
        ("PRODID", "-//Fleetmend//on call//EN"), ("VERSION", "2.0"), ("METHOD", "PUBLISH"), ("X-WR-CALNAME", one_line(title)),
    ):  # fmt: skip
        calendar.add(key, value)
    for entry in entries:
        event = icalendar.Event()
        event.add("UID", one_line(f"{entry.schedule}-{int(entry.start)}-{entry.person}@fleetmend"))
        event.add("DTSTAMP", datetime.fromtimestamp(int(now), UTC))
        event.add("DTSTART", datetime.fromtimestamp(entry.start, UTC))
        event.add("DTEND", datetime.fromtimestamp(entry.end, UTC))
        event.add("SUMMARY", one_line(f"On call: {entry.name} ({entry.schedule})"))
        event.add("TRANSP", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical())
