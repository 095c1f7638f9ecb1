"""Who is on call, as a calendar to subscribe to: of one schedule or person, or all."""

from __future__ import annotations

from daemon.desk import models
from daemon.escalate.ical import Entry, write

MEDIA = "text/calendar"
AHEAD = 90 * 86_400.0
"""Seconds that a calendar shows when nobody says how many."""


def calendar_of(model: models.Oncall, now: float, *, schedule: str = "", person: str = "") -> bytes:
    """The turns of `model`. `person`: an id or a name; of both, whatever is empty stands for all."""
    wanted = person.casefold()
    entries = [
        Entry(turn.schedule, turn.start, turn.end, who, name)
        for turn in model.turns
        if not schedule or turn.schedule == schedule
        for who, name in zip(turn.people, turn.who, strict=True)
        if wanted in {"", who.casefold(), name.casefold()}
    ]
    of = ", ".join(filter(None, (schedule, person)))
    return write(f"On call: {of}" if of else "On call", entries, now)
