"""What the calendars of schedules say now: for `check --live`, and for a daemon that cannot read its store."""

from __future__ import annotations

from daemon.escalate import ical
from daemon.escalate.calendars import AHEAD, BACK, content_of
from daemon.escalate.channels.registry import KINDS
from daemon.escalate.ical import BadCalendar
from daemon.escalate.schedules import directory_of
from daemon.settings.lint.live.seen import CalendarSeen
from daemon.settings.model import Settings
from remediations.ports import Clock, Files, Http

WITHIN = 30.0
"""Seconds for one calendar."""


def ask_calendars(settings: Settings, http: Http, files: Files, clock: Clock) -> tuple[CalendarSeen, ...]:
    """Each calendar as the daemon would read it."""
    directory = directory_of(settings.people, {}, {}, KINDS)
    found = []
    for name, spec in settings.schedules.items():
        if spec.calendar is None:
            continue
        now = clock.now()
        try:
            content = content_of(spec.calendar, http, files, clock.monotonic() + WITHIN)
            names = directory.names(spec.calendar.people)
            said = ical.read(content, spec.timezone, names, now, back=BACK, ahead=AHEAD)
            found.append(CalendarSeen(name, now, said))
        except BadCalendar as why:
            found.append(CalendarSeen(name, now, None, str(why)))
    return tuple(found)
