"""Policy: the clock by which people are told, and its plain-data form kept on every running escalation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from config.escalation import DigestSpec, HeadsUpSpec, LevelSpec, WorkingHours
from daemon.escalate.wallclock import next_time_of_day, opens_at

MAX_EXTENSION = 3600.0
MAX_EXTENSIONS = 2
UNREACHABLE_RETRY = 300.0
"""With nobody reachable at any level, look again this often: silence is never the end of it."""
ALWAYS = WorkingHours.model_validate(
    {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}
)


@dataclass(frozen=True, slots=True)
class Level:
    """`notify`: targets as written. `after`, `repeat`: severity to seconds; `after` counts from the L1 page."""

    notify: tuple[str, ...]
    after: Mapping[str, float] = field(default_factory=dict)
    repeat: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """`levels[0]` is L1. `remind`: severity to seconds without acknowledgement.

    `external`: one event to the first paging service found at L1, whose own policy decides whom it calls and when.
    """

    levels: tuple[Level, ...]
    remind: Mapping[str, float] = field(default_factory=dict)
    heads_up: tuple[str, ...] = ()
    digest: tuple[str, ...] = ()
    digest_minutes: int = 510
    hours: WorkingHours = ALWAYS
    external: bool = False

    @property
    def top(self) -> int:
        return len(self.levels)

    def level(self, number: int) -> Level | None:
        """Level 1 to `top`; None beyond."""
        return self.levels[number - 1] if 1 <= number <= self.top else None

    def gap(self, severity: str, number: int) -> float | None:
        """Seconds from level `number` to what follows it by itself: the next level, or its own repeat; None: nothing."""
        here, after = self.level(number), self.level(number + 1)
        if after is not None and severity in after.after:
            return after.after[severity] - (here.after.get(severity, 0.0) if here else 0.0)
        return here.repeat.get(severity) if here else None

    def rises(self, severity: str, number: int) -> bool:
        """Whether what follows level `number` is the next level (else it is its own repeat)."""
        after = self.level(number + 1)
        return after is not None and severity in after.after

    def opens_at(self, now: float) -> float | None:
        """None in working hours, else when they begin."""
        return opens_at(self.hours, now)

    def digest_at(self, now: float) -> float:
        """When the next digest goes out."""
        return next_time_of_day(self.hours.timezone, self.digest_minutes, now)

    def data(self) -> dict[str, Any]:
        """Plain data for the escalation's row."""
        return {
            "levels": [
                {"notify": list(level.notify), "after": dict(level.after), "repeat": dict(level.repeat)}
                for level in self.levels
            ],
            "remind": dict(self.remind),
            "heads_up": list(self.heads_up),
            "digest": list(self.digest),
            "digest_minutes": self.digest_minutes,
            "hours": self.hours.model_dump(mode="json", by_alias=True),
            **({"external": True} if self.external else {}),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Policy:
        """Invert `data`."""
        return cls(
            levels=tuple(
                Level(tuple(level["notify"]), dict(level["after"]), dict(level["repeat"]))
                for level in data["levels"]
            ),
            remind=dict(data["remind"]),
            heads_up=tuple(data["heads_up"]),
            digest=tuple(data["digest"]),
            digest_minutes=int(data["digest_minutes"]),
            hours=_hours(json.dumps(data["hours"], sort_keys=True)),
            external=bool(data.get("external", False)),
        )


def policy_of(
    levels: Sequence[LevelSpec],
    *,
    remind: Mapping[str, float],
    heads_up: HeadsUpSpec | None = None,
    digest: DigestSpec | None = None,
    hours: WorkingHours | None = None,
) -> Policy:
    """Build a policy from its configuration sections."""
    return Policy(
        levels=tuple(
            Level(_texts(spec.notify), _seconds(spec.after), _seconds(spec.repeat)) for spec in levels
        ),
        remind=_seconds(remind),
        heads_up=_texts(heads_up.notify) if heads_up else (),
        digest=_texts(digest.notify) if digest else (),
        digest_minutes=digest.at.minutes if digest else 510,
        hours=hours or ALWAYS,
    )


def external(policy: Policy) -> Policy:
    """`escalation: external`: L1 gets its one event, and the paging service's own policy decides the rest."""
    return Policy(
        levels=(Level(policy.levels[0].notify),),
        heads_up=policy.heads_up,
        digest=policy.digest,
        digest_minutes=policy.digest_minutes,
        hours=policy.hours,
        external=True,
    )


@lru_cache(maxsize=64)
def _hours(text: str) -> WorkingHours:
    """Working hours from their text form; kept, as checking a zone's name reads the whole list of zones."""
    return WorkingHours.model_validate_json(text)


def _texts(targets: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(target) for target in targets)


def _seconds(times: Mapping[Any, float]) -> dict[str, float]:
    return {str(severity): float(seconds) for severity, seconds in times.items()}
