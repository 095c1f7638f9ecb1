"""Instants of wall-clock times. Pure: instants are arguments.

A time that a change of daylight-saving time skips is the first instant that exists after it; one that happens twice is
the first of the two.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from config.drills import Weekly
from config.escalation import WorkingHours
from config.schedules import DAYS


def opens_at(hours: WorkingHours, now: float) -> float | None:
    """None while working hours are open at `now`, else the instant they open next."""
    zone = hours.timezone
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    for ahead in range(-1, 9):
        day = today + timedelta(days=ahead)
        if DAYS[day.weekday()] not in hours.days:
            continue
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall-clock time, resolved in its zone
        opens = instant(zone, midnight + timedelta(minutes=hours.from_.minutes))
        closes = instant(zone, midnight + timedelta(minutes=hours.to.minutes))
        if opens <= now < closes:
            return None
        if opens > now:
            return opens
    raise AssertionError("working hours have at least one day a week")


def next_time_of_day(zone: str, minutes: int, now: float) -> float:
    """The next instant after `now` at which the wall clock of `zone` shows `minutes` past midnight."""
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    midnight = datetime(today.year, today.month, today.day)  # noqa: DTZ001 - a wall-clock time, resolved in its zone
    for ahead in range(3):
        at = instant(zone, midnight + timedelta(days=ahead, minutes=minutes))
        if at > now:
            return at
    raise AssertionError("a time of day comes at least every second day")


def last_weekly(zone: str, at: Weekly, now: float) -> float:
    """The newest instant, `now` at the latest, at which the wall clock of `zone` showed this day and time."""
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    for back in range(9):
        day = today - timedelta(days=back)
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall-clock time, resolved in its zone
        found = instant(zone, midnight + timedelta(minutes=at.time.minutes))
        if found <= now and at.day in {None, day.weekday()}:
            return found
    raise AssertionError("a day of the week comes within eight days")


@lru_cache(maxsize=16_384)
def instant(zone: str, local: datetime) -> float:
    """Unix seconds of a wall-clock time (naive) in an IANA zone; skipped and doubled times as the module says."""
    info = ZoneInfo(zone)
    first = local.replace(tzinfo=info, fold=0)
    late = first.timestamp()
    if datetime.fromtimestamp(late, info).replace(tzinfo=None) == local:
        return late
    early = local.replace(tzinfo=info, fold=1).timestamp()
    low, high = sorted((early, late))
    # The clock jumps over `local` somewhere between the two: the jump is the first second that shows a later time.
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, info).replace(tzinfo=None) > local:
            high = middle
        else:
            low = middle
    return high
