"""Whom to tell and when (`escalation:`, `remind:`, `heads_up:`, `digest:`, `working_hours:`); only the shapes.

The default clock is the one of the shipped pack; times in seconds, per severity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.drills import Weekly
from config.people import TimeZone
from config.problems import Wrong, did_you_mean
from config.schedules import Day
from config.section import Section, Severity
from config.units import Duration, Text, TimeOfDay, format_duration, shown

TARGET_KINDS = ("schedule", "team", "person")
EXTERNAL = "external"
"""`escalation: external` in a playbook: one event to the paging service, whose own policy decides."""

_TARGET = re.compile(r"([a-z]+):(\S+)")

Level = Literal["L1", "L2", "L3"]


@dataclass(frozen=True, slots=True)
class Target(Text):
    """Whom a level tells: `schedule:primary`, `team:architecture`, `person:ana`."""

    FORM: ClassVar[str | None] = "^(schedule|team|person):.+$"
    kind: str
    name: str

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises `Wrong`."""
        found = _TARGET.fullmatch(text) if isinstance(text, str) else None
        if not found or found[1] not in TARGET_KINDS:
            near = did_you_mean(found[1], TARGET_KINDS) if found else ""
            raise Wrong(
                f"expected someone to notify, got {shown(text)}",
                near or "write schedule:NAME, team:NAME or person:NAME",
            )
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


Notify = Annotated[tuple[Target, ...], Field(min_length=1)]
PerSeverity = Mapping[Severity, Duration]
"""Severity to seconds; a severity that is left out has no such step."""

MIN_INTERVAL = 1.0
"""Seconds: a message that repeats faster is a flood, whatever it says."""
CALM_INTERVAL = 60.0
"""Seconds: nobody reads and acts faster; below it `check` warns."""


def _calm(interval: float) -> float:
    if interval < MIN_INTERVAL:
        raise Wrong(
            f"repeats a message every {format_duration(interval)}, which floods people",
            f"write 5m, or at the very least {format_duration(MIN_INTERVAL)}; leave the severity out for no repetition",
        )
    return interval


Interval = Annotated[Duration, AfterValidator(_calm)]
"""Seconds between two messages about the same thing."""
Intervals = Mapping[Severity, Interval]
"""Severity to the interval at which a message repeats; a severity that is left out is told once."""


class LevelSpec(Section):
    """One level. `after` counts from the commit of the L1 page; L1 itself follows at once by severity's clock.

    `repeat`: tell this level again every so often until the incident ends.
    """

    level: Level
    notify: Notify
    after: PerSeverity = Field(default_factory=dict)
    repeat: Intervals = Field(default_factory=dict)


def _in_order(levels: tuple[LevelSpec, ...]) -> tuple[LevelSpec, ...]:
    names = [entry.level for entry in levels]
    if names != ["L1", "L2", "L3"][: len(names)]:
        raise Wrong(f"levels are {', '.join(names)}", "list L1, then L2, then L3, none left out")
    if levels[0].after:
        raise Wrong("L1 takes no 'after'", "L1 is told when its severity's clock says so")
    for lower, higher in pairwise(levels):
        for severity, after in higher.after.items():
            if after <= lower.after.get(severity, 0):
                raise Wrong(
                    f"{higher.level} comes no later than {lower.level} for {severity}",
                    "give it a longer 'after'",
                )
    return levels


Policy = Annotated[tuple[LevelSpec, ...], Field(min_length=1, max_length=3), AfterValidator(_in_order)]
"""One entry of `escalation:`."""


class HeadsUpSpec(Section):
    """Told, without paging, when the first action of a critical incident starts."""

    notify: Notify


class DigestSpec(Section):
    """Told once a day about what is low and what was transient. `at`: time of day in the zone of working hours."""

    notify: Notify
    at: TimeOfDay = Field(default=TimeOfDay(8, 30), json_schema_extra={"default": "08:30"})


class PageTestSpec(Section):
    """A test page to every channel once a day, or a week, so that one that stopped working is known before it is needed.

    `at`: in the zone of working hours. `notify`: whose channels; everybody's when left out. `skip`: kinds that are left
    out. `within`: how long a test may take to be accepted, and delivered where its provider tells; then people are told
    by another channel.
    """

    at: Weekly = Field(default=Weekly(None, TimeOfDay(10, 0)), json_schema_extra={"default": "10:00"})
    notify: tuple[Target, ...] = ()
    skip: tuple[str, ...] = ()
    within: Annotated[Duration, Field(ge=30, le=3600)] = 300.0


class PagingSpec(Section):
    """How many messages a person gets by one channel when much happens at once: `burst` at once, then one each `every`.

    What is owed beyond that goes together in the next one. `alone`: channels that get a message for each incident,
    however many: for programs that read them. Text messages and calls have the limits of their carriers besides.
    """

    burst: Annotated[int, Field(ge=1, le=20)] = 2
    every: Annotated[Duration, Field(ge=10, le=900)] = 80.0
    alone: tuple[Literal["email", "ntfy", "slack", "teams", "webhook"], ...] = ()


class WorkingHours(Section):
    """When medium incidents page. `from` up to `to`; `00:00` to `24:00` on all days is always."""

    timezone: TimeZone = "UTC"
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")
    from_: Annotated[TimeOfDay, Field(alias="from", json_schema_extra={"default": "09:00"})] = TimeOfDay(9, 0)
    to: TimeOfDay = Field(default=TimeOfDay(18, 0), json_schema_extra={"default": "18:00"})

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.to <= self.from_:
            raise Wrong(
                f"working hours end at {self.to}, not after {self.from_}", 'write from: "09:00", to: "18:00"'
            )
        return self


DEFAULT_REMIND: dict[Severity, float] = {Severity.CRITICAL: 300.0, Severity.HIGH: 600.0}
"""Seconds after which an unacknowledged page goes out again, by the person's next channel."""
