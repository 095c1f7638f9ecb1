"""Would a page reach somebody now? Asked by drills; nothing is sent. Pure."""

from __future__ import annotations

from daemon.escalate.rules import Policy
from daemon.escalate.schedules import Directory
from daemon.incidents.drills import Check, Grade


def levels_reached(policy: Policy, directory: Directory, now: float) -> tuple[Check, ...]:
    """One answer per level: whoever it means at `now`, and whether one of them has a channel that can be used."""
    if not policy.levels:
        return (Check("pages", Grade.FAILED, "nobody is named to be told"),)
    oncall = directory.at(now)
    found = []
    for number, level in enumerate(policy.levels, start=1):
        people = oncall.people(level.notify)
        usable = [person for person in people if person.usable]
        name = f"pages L{number}"
        if usable:
            told = ", ".join(f"{person.name} by {person.usable[0].kind}" for person in usable)
            found.append(Check(name, Grade.PASSED, told))
        else:
            why = "no channel of theirs can be used" if people else "nobody is on duty"
            found.append(Check(name, Grade.FAILED, f"{', '.join(level.notify)}: {why}"))
    return tuple(found)
