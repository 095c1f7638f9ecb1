"""Calendars of schedules that cannot be read, name strangers or two at a time, or leave gaps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from config.problems import Gravity
from daemon.escalate.rota import DAY, gaps
from daemon.settings.lint.check import Found
from daemon.settings.lint.live.seen import LiveCheck, Sight

LOOKED_AHEAD = 90 * DAY
_ANA = "people: {ana: {name: Ana, channels: [{email: ana@example.org}]}}\n"
_BOTH = """people:
  ana: {name: Ana, channels: [{email: ana@example.org}]}
  ben: {name: Ben, channels: [{email: ben@example.org}]}
"""
_URL = "url: {env: ONCALL_CALENDAR}"


def _unread(sight: Sight) -> Iterator[Found]:
    for one in sight.calendars:
        if one.said is None:
            yield Found(
                ("schedules", one.schedule, "calendar"),
                one.error,
                "look at its address, and at what it answers",
            )


def _strangers(sight: Sight) -> Iterator[Found]:
    for one in sight.calendars:
        if one.said is not None and one.said.strangers:
            shown = ", ".join(map(repr, one.said.strangers[:3]))
            more = f" and {len(one.said.strangers) - 3} more" if len(one.said.strangers) > 3 else ""
            text = f"{shown}{more}: nobody known is meant"
            hint = "map it under calendar.people, or ask those who keep the calendar"
            yield Found(("schedules", one.schedule, "calendar"), text, hint)


def _overlaps(sight: Sight) -> Iterator[Found]:
    for one in sight.calendars:
        found = [
            pair for pair in (one.said.overlaps if one.said else ()) if min(pair[0].end, pair[1].end) > one.at
        ]
        if found:
            earlier, later = found[0]
            text = f"{earlier.person} and {later.person} both have it from {_at(later.start)} ({len(found)} times to come)"
            hint = f"{later.person} is told, whose event began later; end the other one there"
            yield Found(("schedules", one.schedule, "calendar"), text, hint)


def _gaps(sight: Sight) -> Iterator[Found]:
    for one in sight.calendars:
        if one.said is None:
            continue
        spec = sight.settings.schedules[one.schedule]
        found = gaps(spec, one.at, one.at + LOOKED_AHEAD, one.said.booked)
        if found:
            first, total = found[0], sum(gap.end - gap.start for gap in found)
            text = (
                f"nobody has it {_at(first.start)} to {_at(first.end)}"
                f" ({len(found)} times in 90 days, {total / 3600:.0f} hours)"
            )
            hint = "enter the missing shifts, or write a rotation beside the calendar for what it leaves open"
            yield Found(("schedules", one.schedule, "calendar"), text, hint)


def _at(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%MZ")


UNREAD = LiveCheck(
    code="calendar-unread",
    title="A calendar that cannot be read",
    gravity=Gravity.ERROR,
    why="""Nobody is on call by a calendar that was never read: levels that notify its schedule are skipped. One that cannot be
read any more stays as it last was, and what is changed in it since is not followed.""",
    fix="Look at the address and at what it answers without a login: an iCalendar that begins with BEGIN:VCALENDAR.",
    sees="a page to log in",
    asked="the calendar",
    example=f"""{_ANA}schedules:
  primary: {{calendar: {{{_URL}}}}}   # <--
""",
    better=f"""{_ANA}schedules:
  primary: {{rotation: {{every: 1w, starts: "2026-01-05 09:00", people: [ana]}}}}
""",
    find=_unread,
)

STRANGER = LiveCheck(
    code="calendar-stranger",
    title="A calendar that names nobody known",
    gravity=Gravity.WARNING,
    why="""An event means its one attendee with the mail address of a person, else whose id or name is its title or stands in
it. Whoever else is entered is told nothing: the shift is a gap.""",
    fix="Write under `calendar.people` whom such a title means, or add the person.",
    sees="shifts of Ana, and of 'Duty phone'",
    asked="the calendar",
    example=f"""{_ANA}schedules:
  primary: {{calendar: {{{_URL}}}}}   # <--
""",
    better=f"""{_ANA}schedules:
  primary: {{calendar: {{{_URL}, people: {{Duty phone: ana}}}}}}
""",
    find=_strangers,
)

OVERLAP = LiveCheck(
    code="calendar-overlap",
    title="Two people at one time",
    gravity=Gravity.WARNING,
    why="""One person has a schedule at a time. Where two are entered the one whose event began later is told, as an exception
is entered over the usual; whoever relies on both being told, or on the other one, is wrong.""",
    fix="End the first event where the second begins, or keep two calendars as two schedules and notify both.",
    sees="shifts of Ana and Ben that overlap",
    asked="the calendar",
    example=f"""{_BOTH}schedules:
  primary: {{calendar: {{{_URL}}}}}   # <--
""",
    better=f"""{_ANA}schedules:
  primary: {{calendar: {{{_URL}}}}}
""",
    find=_overlaps,
)

GAP = LiveCheck(
    code="calendar-gap",
    title="Nobody is entered in the calendar",
    gravity=Gravity.WARNING,
    why="""A level whose schedule nobody has is skipped, and the next one is told at once. The next 90 days are looked at.""",
    fix="Enter the shifts, or write a rotation beside the calendar: it has what the calendar leaves open.",
    sees="a shift of Ana for a week, and nothing after it",
    asked="the calendar",
    example=f"""{_ANA}schedules:
  primary: {{calendar: {{{_URL}}}}}   # <--
""",
    better=f"""{_ANA}schedules:
  primary:
    calendar: {{{_URL}}}
    rotation: {{every: 1w, starts: "2026-01-05 09:00", people: [ana]}}
""",
    find=_gaps,
)
