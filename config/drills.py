"""Game days (`drills:`): which playbooks are drilled when, and whether anything may be carried out; only the shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field

from config.people import TimeZone
from config.problems import Wrong, did_you_mean
from config.section import Section
from config.units import Text, TimeOfDay, shown

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AT = re.compile(r"(?:([A-Za-z]+)\s+)?(\d{1,2}:\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Weekly(Text):
    """`Tue 10:00` once a week, `10:00` once a day; by the wall clock. `day`: 0 is Monday, None every day."""

    FORM: ClassVar[str | None] = r"^([A-Za-z]+ )?\d{1,2}:\d{2}$"
    day: int | None
    time: TimeOfDay

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises `Wrong`."""
        found = _AT.fullmatch(text.strip()) if isinstance(text, str) else None
        if not found:
            raise Wrong(
                f"expected a day and a time, got {shown(text)}", 'write "Tue 10:00", or "10:00" for every day'
            )
        word = (found[1] or "").lower()[:3]
        if found[1] and word not in WEEKDAYS:
            raise Wrong(
                f"no day of the week is called {found[1]}", did_you_mean(word, WEEKDAYS) or "write Mon to Sun"
            )
        time = TimeOfDay.parse(found[2].zfill(5))
        if time.minutes >= 1440:
            raise Wrong("a day ends before 24:00", 'write the next day, such as "Wed 00:00"')
        return cls(WEEKDAYS.index(word) if word else None, time)

    def __str__(self) -> str:
        return f"{WEEKDAYS[self.day].title()} {self.time}" if self.day is not None else str(self.time)


class DrillPlan(Section):
    """One drill that the daemon does by itself, dry. `scope`: where; left out: everywhere the playbook is for."""

    playbook: str
    at: Weekly
    scope: dict[str, str] = Field(default_factory=dict)


class DrillsSpec(Section):
    """`for_real`: a person may have rungs carried out and taken back at once; only where nobody depends on it."""

    for_real: bool = False
    timezone: TimeZone = "UTC"
    """Of every `at`."""
    schedule: tuple[DrillPlan, ...] = ()
