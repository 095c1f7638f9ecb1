"""On-call schedules (`schedules:`): who is on duty when. Only the shapes; the reckoning is the daemon's.

All local times are wall-clock times of the schedule's zone: a shift that starts at 09:00 starts at 09:00 on both
sides of a change of daylight-saving time. Shifts are half-open: the end belongs to the next.

A schedule may also be kept in a calendar (`calendar:`) that others look after; whoever it names has the schedule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from config.people import TimeZone
from config.problems import Wrong
from config.secrets import Secret
from config.section import Section
from config.units import Duration, TimeOfDay, shown

_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?", re.ASCII)
MIN_SHIFT = 3600.0
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_local(text: object) -> datetime:
    """A wall-clock time without zone from `2026-01-05 09:00` (or a date: midnight). Raises `Wrong`."""
    if isinstance(text, str) and _LOCAL.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise Wrong(
        f"expected a local date and time, got {shown(text)}", 'write it as "2026-01-05 09:00", without a zone'
    )


LocalTime = Annotated[
    datetime,
    BeforeValidator(parse_local),
    PlainSerializer(lambda at: at.strftime("%Y-%m-%d %H:%M"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]


class Rotation(Section):
    """`people` take turns of `every`, the first from `starts`. Days and weeks step by the wall clock."""

    every: Annotated[Duration, Field(ge=MIN_SHIFT)]
    starts: LocalTime
    people: Annotated[tuple[str, ...], Field(min_length=1)]


class Override(Section):
    """Someone stands in from `start` up to `end`; beats the rotation. Of several, the one written last wins."""

    person: str
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise Wrong("this override ends before it starts", "swap start and end")
        return self


class Swap(Section):
    """Two people take each other's turns from `start` up to `end`."""

    between: Annotated[tuple[str, str], Field(json_schema_extra={"example": ["ana", "ben"]})]
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _of_two(self) -> Self:
        if self.end <= self.start:
            raise Wrong("this swap ends before it starts", "swap start and end")
        if self.between[0] == self.between[1]:
            raise Wrong(f"{self.between[0]} is swapped with themselves", "name two people")
        return self


class Hours(Section):
    """When a layer has the schedule: `from` up to `to` by its wall clock, on the next day where `to` is no later."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS
    from_: Annotated[TimeOfDay, Field(alias="from", json_schema_extra={"default": "00:00"})] = TimeOfDay(0, 0)
    to: TimeOfDay = Field(default=TimeOfDay(24, 0), json_schema_extra={"default": "24:00"})


class Layer(Section):
    """One rotation of several. `timezone` left out: the schedule's. `hours` left out: always."""

    timezone: TimeZone | None = None
    hours: Hours | None = None
    rotation: Rotation


class CalendarSpec(Section):
    """An iCalendar of shifts, read every so often from a `file` or a `url` (a secret: whoever has it can read it).

    Whom an event means: its attendee by mail address, else its title by the id or name of a person; `people` maps what
    else stands there. One that could not be read for `stale_after` is told of; the last good one holds meanwhile.
    """

    file: Path | None = None
    url: Secret | None = None
    every: Annotated[Duration, Field(ge=60)] = 900.0
    stale_after: Annotated[Duration, Field(ge=300)] = 86_400.0
    people: Mapping[str, str] = Field(
        default_factory=dict, json_schema_extra={"example": {"Duty phone": "ana"}}
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise Wrong(
                "a calendar is read from a file or from a url",
                "write file: /etc/fleetmend/oncall.ics, or url: {env: ONCALL_CALENDAR}",
            )
        return self


class ScheduleSpec(Section):
    """One entry of `schedules:`: a rotation, or layers of which the first whose hours it is has the schedule.

    A `calendar` has it wherever it names someone; a rotation or layers beside it have what it leaves open. An override
    beats them all; of several the one written last wins. Their times, and those of swaps, are of `timezone`.
    `handoff`: at a change of shift, tell who comes and who goes of what is open.
    """

    timezone: TimeZone = "UTC"
    calendar: CalendarSpec | None = None
    rotation: Rotation | None = None
    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    swaps: tuple[Swap, ...] = ()
    handoff: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.rotation is not None) + bool(self.layers)
        if ways > 1 or (ways == 0 and self.calendar is None):
            raise Wrong(
                "a schedule has either a rotation or layers, or a calendar",
                "write rotation: {every: 1w, starts: …, people: […]}, or a list of layers with one each",
            )
        return self

    @property
    def turns(self) -> tuple[Layer, ...]:
        """Its layers; one without hours where only a rotation was written."""
        return self.layers or ((Layer(rotation=self.rotation),) if self.rotation is not None else ())

    def zone(self, layer: Layer) -> str:
        return layer.timezone or self.timezone
