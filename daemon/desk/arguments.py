"""Arguments of orders: from what a face received to a bounded value, or `BadOrder` with the argument's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from config.problems import Wrong, did_you_mean
from config.units import format_duration, parse_duration
from daemon.clock import parse_rfc3339
from daemon.errors import UsageError

DAY = 86_400.0
MAX_LABELS = 10
MAX_VALUE = 200

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that change the direction or the line of what follows; tab and newline stay."""


class BadOrder(UsageError):
    """An argument is missing, unknown or out of bounds; `argument` names it."""

    def __init__(self, argument: str, problem: str) -> None:
        self.argument = argument
        super().__init__(f"{argument}: {problem}")


Parse = Callable[[str, Any], Any]
"""(name of the argument, value as received) -> value. Raises `BadOrder`."""


def text(limit: int) -> Parse:
    """Plain text of at most `limit` characters, without control characters."""

    def parse(argument: str, value: Any) -> str:
        if not isinstance(value, str):
            raise BadOrder(argument, "expected a text")
        if len(value) > limit:
            raise BadOrder(argument, f"longer than {limit} characters")
        return _CONTROL.sub(" ", value.replace("\r\n", "\n")).strip()

    return parse


def name(argument: str, value: Any) -> str:
    """The name of a rung, person or the like."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BadOrder(argument, "expected a name")
    return value


def flag(argument: str, value: Any) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise BadOrder(argument, "expected true or false")


def length(least: float, most: float) -> Parse:
    """A length of time: `15m`, or a number of seconds; within bounds."""

    def parse(argument: str, value: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
        else:
            try:
                seconds = parse_duration(value)
            except Wrong as wrong:
                raise BadOrder(argument, str(wrong)) from None
        if not least <= seconds <= most:
            raise BadOrder(argument, f"not between {format_duration(least)} and {format_duration(most)}")
        return seconds

    return parse


def choice(words: Sequence[str]) -> Parse:
    """One of a few words."""

    def parse(argument: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            near = did_you_mean(str(value)[:50], words)
            raise BadOrder(argument, near or f"expected one of {', '.join(words)}")
        return value

    return parse


LAST_INSTANT = 253_370_764_800.0
"""The year 9999: what lies beyond cannot be written back as text."""


def instant(argument: str, value: Any) -> float:
    """Unix seconds of an RFC 3339 text between 1970 and 9999."""
    try:
        at = parse_rfc3339(value)
    except (ValueError, TypeError, OverflowError):
        raise BadOrder(argument, "expected a time such as 2026-01-05T09:00:00Z") from None
    if not 0 <= at < LAST_INSTANT:
        raise BadOrder(argument, "expected a time between 1970 and 9999")
    return at


def labels(argument: str, value: Any) -> dict[str, str]:
    """Labels as a map, or as text `provider=navixy,tier=hot`; `*` is the whole pipeline."""
    pairs = _pairs(argument, value) if isinstance(value, str) else value
    if not isinstance(pairs, Mapping):
        raise BadOrder(argument, "expected labels such as provider=navixy")
    if len(pairs) > MAX_LABELS:
        raise BadOrder(argument, f"more than {MAX_LABELS} labels")
    for label, wanted in pairs.items():
        if not isinstance(label, str) or not _LABEL.fullmatch(label):
            raise BadOrder(argument, "a label's name has letters, digits and underscores")
        if not isinstance(wanted, str) or not wanted or len(wanted) > MAX_VALUE or _CONTROL.search(wanted):
            raise BadOrder(argument, f"the value of {label} is no text of 1 to {MAX_VALUE} characters")
    return dict(sorted(pairs.items()))


def _pairs(argument: str, value: str) -> dict[str, str]:
    if value == "*":
        return {}
    pairs: dict[str, str] = {}
    for part in value.split(","):
        label, equals, wanted = part.strip().partition("=")
        if not equals:
            raise BadOrder(argument, "expected labels such as provider=navixy,tier=hot")
        if label in pairs:
            raise BadOrder(argument, f"{label} is given twice")
        pairs[label] = wanted
    return pairs
