"""The reader's clock and plain formats; the filters of the templates come from here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from daemon.clock import rfc3339
from daemon.document.words import Clockface, length

ZONE_COOKIE = "fleetmend_zone"


@lru_cache(maxsize=64)
def zone_of(name: str | None) -> str:
    """An IANA zone that exists, `UTC` otherwise: the name comes from a cookie."""
    if not name or len(name) > 64:
        return "UTC"
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return "UTC"
    return name


@dataclass(frozen=True, slots=True)
class Reader:
    """One look at one page: when, and in whose time zone."""

    now: float
    zone: str = "UTC"

    @property
    def clock(self) -> Clockface:
        return Clockface(self.now, self.zone)

    def both(self, at: float) -> str:
        """The reader's clock and UTC."""
        return self.clock.both(at)

    def short(self, at: float) -> str:
        return self.clock.short(at)

    def exact(self, at: float) -> str:
        """To the second, for rows that follow each other closely: `03:12:05`, with the day when it is not today's."""
        local = datetime.fromtimestamp(at, ZoneInfo(self.zone))
        day = "" if len(self.short(at)) == len("03:12") else f"{local.day} {local.strftime('%b')} "
        return f"{day}{local.strftime('%H:%M:%S')}"

    def ago(self, at: float) -> str:
        """`12 s ago`; `now` for what is not past."""
        passed = self.now - at
        return f"{length(passed)} ago" if passed >= 1 else "now"

    def until(self, at: float) -> str:
        """`in 12 min`; `now` once it has come."""
        left = at - self.now
        return f"in {length(left)}" if left >= 1 else "now"


_MESSAGES = {
    "trigger": "page",
    "remind": "reminder",
    "escalate": "escalation",
    "heads_up": "heads-up",
    "status": "status note",
    "resolve": "all clear",
    "test": "test page",
}


def message(event: str) -> str:
    """What a delivery is, in a word."""
    return _MESSAGES.get(event, event.replace("_", " "))


def machine(at: float) -> str:
    """What stands in a `datetime` attribute."""
    return rfc3339(at)


_FIRST = ("provider", "tier", "endpoint", "customer")
"""Labels in the order people say them: the field of a provider, not the provider of a field."""


def human(word: str) -> str:
    """`provider_outage` -> `Provider outage`, `api_probe` -> `API probe`."""
    text = " ".join("API" if part == "api" else part for part in word.split("_"))
    return text[:1].upper() + text[1:]


def labels(scope: Mapping[str, str]) -> str:
    """`navixy`, `navixy / speed`; the whole pipeline for none."""
    order = sorted(scope, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    return " / ".join(scope[name] for name in order) or "whole pipeline"


def named_labels(scope: Mapping[str, str]) -> str:
    """`provider=navixy, tier=hot`, as the terminal takes it; `*` for none."""
    return ",".join(f"{name}={value}" for name, value in sorted(scope.items())) or "*"


def value(number: float | None, *, percent: bool = False) -> str:
    """Three significant digits; nothing known is said, not drawn as zero."""
    if number is None or not math.isfinite(number):
        return "unknown"
    if percent:
        return f"{number * 100:.3g} %"
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}".replace(",", " ")
