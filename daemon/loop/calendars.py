"""Calendars of schedules: read every so often by a worker, kept in the store, so that a restart knows who is on call.

A calendar that cannot be read never replaces the last good one. One that could not be read for long is a trouble of
the daemon's own, which ends with the next good reading.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from config.scope import scope_of
from config.units import format_duration
from daemon import log
from daemon.escalate.booked import Booked
from daemon.escalate.schedules import Directory
from daemon.incidents.change import Job
from daemon.loop.ground import Ground, Reading
from daemon.loop.messages import CalendarRead
from daemon.store.checkpoints import CALENDARS
from daemon.store.unit import UnitOfWork

KIND = "calendar"
"""Of the jobs that read one calendar."""
WITHIN = 30.0
AGAIN = 120.0
"""Seconds until a calendar that could not be read is tried again, at the most."""
UNREAD_FOR = 300.0
"""Seconds that a calendar which was never read may take: nobody is on call by it."""


def look(loop: Ground, now: float) -> None:
    """Ask for what is due. Costs nothing where no schedule has a calendar."""
    directory = loop.stages.escalate.setup.directory
    for name, spec in directory.schedules.items():
        if spec.calendar is None or loop.control.draining:
            continue
        reading = loop.calendars.setdefault(name, Reading(now, now))
        if reading.sent or now < reading.due or loop.pools.sources.free() <= 1:
            continue
        reading.sent = True
        args = {
            "calendar": spec.calendar,
            "zone": spec.timezone,
            "names": directory.names(spec.calendar.people),
        }
        loop.pools.sources.submit(Job(f"{KIND}|{name}", KIND, "-", now + WITHIN, args))


def heard(loop: Ground, message: CalendarRead, now: float) -> None:
    """Take what was read, or note why it could not be."""
    spec = loop.stages.escalate.setup.directory.schedules.get(message.schedule)
    reading = loop.calendars.get(message.schedule)
    if spec is None or spec.calendar is None or reading is None:
        return  # a reload took it away meanwhile
    reading.sent, reading.error = False, message.error
    if message.booked is None:
        reading.due = now + min(spec.calendar.every, AGAIN)
        log.get().warning(log.CALENDAR_FAILED, schedule=message.schedule, error=message.error)
        return
    reading.due, reading.read = now + spec.calendar.every, True
    take(loop, {message.schedule: message.booked})
    if message.strangers:
        log.get().warning(log.CALENDAR_STRANGERS, schedule=message.schedule, events=message.strangers)
    loop.item("calendar", partial(_keep, message=message), now)


def take(loop: Ground, booked: Mapping[str, Booked]) -> None:
    """From now on these are who is on call, by schedules that have a calendar."""
    escalate = loop.stages.escalate
    directory: Directory = escalate.setup.directory
    with_one = {name for name, spec in directory.schedules.items() if spec.calendar is not None}
    news = {**directory.booked, **booked}
    known = replace(directory, booked={name: said for name, said in news.items() if name in with_one})
    escalate.setup = replace(escalate.setup, directory=known)


def kept(rows: Mapping[str, Any]) -> dict[str, Booked]:
    """Schedule -> what its calendar said, from the store's rows."""
    return {name: Booked.from_data(data) for name, data in rows.items()}


def unsettled(loop: Ground) -> Collection[str]:
    """Parts of which this life does not know yet whether they are well."""
    schedules = loop.stages.escalate.setup.directory.schedules
    names = [name for name, spec in schedules.items() if spec.calendar is not None]
    waiting = [name for name in names if not (name in loop.calendars and loop.calendars[name].read)]
    return {part for name in waiting for part in (_stale(name), _unread(name))}


def troubles(loop: Ground, now: float) -> Mapping[str, str]:
    """Part -> what is the matter: calendars that could not be read for longer than they may."""
    directory, found = loop.stages.escalate.setup.directory, {}
    for name, spec in directory.schedules.items():
        reading, last = loop.calendars.get(name), directory.booked.get(name)
        if spec.calendar is None or reading is None or not reading.error:
            continue
        text = f"The calendar of {name} cannot be read: {reading.error}."
        if last is None and now - reading.since >= UNREAD_FOR:
            found[_unread(name)] = f"{text} It never was: nobody is on call by it."
        elif last is not None and now - last.read_at >= spec.calendar.stale_after:
            age = format_duration((now - last.read_at) // 60 * 60)
            found[_stale(name)] = f"{text} What it said {age} ago still holds."
    return found


def schedule_of(job: Job) -> str:
    """The schedule whose calendar a job reads."""
    return job.key.partition("|")[2]


def _stale(schedule: str) -> str:
    return f"{KIND} of {schedule}"


def _unread(schedule: str) -> str:
    return f"unread {KIND} of {schedule}"


def _keep(uow: UnitOfWork, *, message: CalendarRead) -> None:
    assert message.booked is not None
    uow.checkpoints.save({(CALENDARS, scope_of({"schedule": message.schedule})): message.booked.data()})
