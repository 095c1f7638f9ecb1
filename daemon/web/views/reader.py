"""The reader's clock and plain formats; the filters of the templates come from here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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

    def ago(self, at: float) -> str:
        """`12 s ago`; `now` for what is not past."""
        passed = self.now - at
        return f"{length(passed)} ago" if passed >= 1 else "now"

    def until(self, at: float) -> str:
        """`in 12 min`; `due` once it has come."""
        left = at - self.now
        return f"in {length(left)}" if left >= 1 else "due"


def machine(at: float) -> str:
    """What stands in a `datetime` attribute."""
    return rfc3339(at)


def human(word: str) -> str:
    """`provider_outage` -> `Provider outage`."""
    text = word.replace("_", " ")
    return text[:1].upper() + text[1:]


def labels(scope: Mapping[str, str]) -> str:
    """`navixy`, `navixy / speed`; the whole pipeline for none."""
    return " / ".join(scope.values()) or "whole pipeline"


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
