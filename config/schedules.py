"""On-call schedules (`schedules:`): who is on duty when. Only the shapes; the reckoning is the daemon's.

All local times are wall-clock times of the schedule's zone: a shift that starts at 09:00 starts at 09:00 on both
sides of a change of daylight-saving time. Shifts are half-open: the end belongs to the next.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from config.people import TimeZone
from config.problems import Wrong
from config.section import Section
from config.units import Duration, shown

_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2})?", re.ASCII)
MIN_SHIFT = 3600.0


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


class ScheduleSpec(Section):
    """One entry of `schedules:`."""

    timezone: TimeZone = "UTC"
    rotation: Rotation
    overrides: tuple[Override, ...] = ()
