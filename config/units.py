"""Units people write (`5m`, `1%`, `64MB`, `5 of 10`, `3 per 6h`, `08:30`) and the values the code reckons with.

`parse_*` raise `Wrong` with a remedy. The annotated types `Duration`, `Share`, `Size` and `Threshold` are plain
numbers in the models (seconds, 0..1, bytes, a number); `OfLast`, `Budget` and `TimeOfDay` are small values.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from config.problems import Wrong

UNIT_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
MAX_DURATION = 10 * 366 * UNIT_SECONDS["d"]
"""Ten years: longer is a slip of the unit, and arithmetic on instants stays in range."""
SIZE_BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
MAX_SLOTS = 1000

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])", re.ASCII)
_SHARE = re.compile(r"([+-]?\d+(?:\.\d+)?)\s?%", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([A-Za-z]+)", re.ASCII)
_OF_LAST = re.compile(r"(\d{1,6})\s+of\s+(\d{1,6})", re.ASCII)
_BUDGET = re.compile(r"(\d{1,6})\s+per\s+(\S+)", re.ASCII)
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_SHOWN = 40


def parse_duration(text: object) -> float:
    """Seconds from `15s`, `5m`, `1h30m`, `500ms`, `7d`, `1w`; a bare `0` needs no unit.

    Units go from large to small, each at most once. Raises `Wrong`.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise Wrong(f"expected a length of time, got {shown(text)}", "write it as 15s, 5m, 1h30m or 7d")
    if isinstance(text, int | float):
        if text == 0:
            return 0.0
        raise Wrong(f"a length of time needs a unit, got {shown(text)}", f"write {text:g}s for seconds")
    parts = _DURATION_PART.findall(text)
    units = [unit for _, unit in parts]
    if text == "0":
        return 0.0
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Wrong(f"not a length of time: {shown(text)}", "write it as 15s, 5m, 1h30m or 7d")
    if units != sorted(set(units), key=list(UNIT_SECONDS).index):
        raise Wrong(f"units out of order or repeated in {shown(text)}", "go from large to small, as in 1h30m")
    seconds = math.fsum(float(number) * UNIT_SECONDS[unit] for number, unit in parts)
    if seconds > MAX_DURATION:
        raise Wrong(f"{shown(text)} is longer than ten years", "check the unit")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest exact text down to a millisecond: 5400.0 -> `1h30m`, 0.5 -> `500ms`, 0 -> `0s`."""
    rest = round(abs(seconds) * 1000)
    if rest == 0:
        return "0s"
    text = "-" if seconds < 0 else ""
    for unit, length in UNIT_SECONDS.items():
        if unit == "w" and rest % round(length * 1000):
            continue  # 8d reads better than 1w1d
        count, rest = divmod(rest, round(length * 1000))
        if count:
            text += f"{count}{unit}"
    return text


def parse_share(text: object) -> float:
    """0..1 from `34%`, or from a fraction written as such (`0.34`); a bare 34 is refused. Raises `Wrong`."""
    hint = "write a percentage such as 5%"
    if isinstance(text, str) and (found := _SHARE.fullmatch(text)):
        value = float(found[1]) / 100
    elif isinstance(text, float) or (isinstance(text, int) and not isinstance(text, bool) and text == 0):
        value = float(text)
    else:
        raise Wrong(f"not a share: {shown(text)}", hint)
    if not 0 <= value <= 1:
        raise Wrong(f"{shown(text)} is not between 0% and 100%", hint)
    return value


def format_share(share: float) -> str:
    return f"{round(share * 100, 6):g}%"


def parse_size(text: object) -> int:
    """Bytes from `64MB` (powers of ten), `1GiB` (powers of two) or a whole number of bytes. Raises `Wrong`."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if not found or found[2] not in SIZE_BYTES:
        raise Wrong(f"not a size: {shown(text)}", "write it as 64kB, 64MB or 1GiB")
    return round(float(found[1]) * SIZE_BYTES[found[2]])


def format_size(size: int) -> str:
    """The largest unit that divides the size exactly: 64000000 -> `64MB`, 1024 -> `1KiB`."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB"):
        if size and size % SIZE_BYTES[unit] == 0:
            return f"{size // SIZE_BYTES[unit]}{unit}"
    return f"{size}B"


def parse_threshold(text: object) -> float:
    """A number to compare a signal with: `5`, `0.5`, `1%` (0.01), `30s` (30.0). Raises `Wrong`."""
    if isinstance(text, int | float) and not isinstance(text, bool) and math.isfinite(text):
        return float(text)
    if isinstance(text, str) and (found := _SHARE.fullmatch(text)):
        return float(found[1]) / 100
    if isinstance(text, str) and _DURATION_PART.match(text):
        return parse_duration(text)
    raise Wrong(
        f"not a threshold: {shown(text)}", "write a number, a percentage (1%) or a length of time (30s)"
    )


@dataclass(frozen=True, slots=True)
class Text(ABC):
    """Base of the values written as one short text; gives pydantic their parser and their text form.

    `FORM`: a regular expression for editors, None where none tells more than "a text".
    """

    FORM: ClassVar[str | None] = None

    @classmethod
    @abstractmethod
    def parse(cls, text: object) -> Self:
        """Read the text. Raises `Wrong`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(when_used="json"),
            json_schema_input_schema=core_schema.str_schema(pattern=cls.FORM),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        del schema, handler
        return {"type": "string"} | ({"pattern": cls.FORM} if cls.FORM else {})


@dataclass(frozen=True, slots=True)
class OfLast(Text):
    """`5 of 10`: `for` is cut into `slots` equal slots, of which `hits` must be in breach."""

    hits: int
    slots: int

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises `Wrong` unless 1 <= hits <= slots <= 1000."""
        found = _OF_LAST.fullmatch(text) if isinstance(text, str) else None
        if not found:
            raise Wrong(f"expected M of N, got {shown(text)}", 'write it as "5 of 10"')
        hits, slots = int(found[1]), int(found[2])
        if not 1 <= hits <= slots <= MAX_SLOTS:
            raise Wrong(f"{shown(text)} cannot be met", f"M of N needs 1 <= M <= N <= {MAX_SLOTS}")
        return cls(hits, slots)

    def __str__(self) -> str:
        return f"{self.hits} of {self.slots}"


@dataclass(frozen=True, slots=True)
class Budget(Text):
    """`3 per 6h`: at most `count` within any `per` seconds."""

    count: int
    per: float

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises `Wrong` unless count >= 1 and per > 0."""
        found = _BUDGET.fullmatch(text) if isinstance(text, str) else None
        if not found:
            raise Wrong(f"expected N per time, got {shown(text)}", 'write it as "3 per 6h"')
        count, per = int(found[1]), parse_duration(found[2])
        if count < 1 or per <= 0:
            raise Wrong(f"{shown(text)} allows nothing", "use autonomy: observe to forbid an action")
        return cls(count, per)

    def __str__(self) -> str:
        return f"{self.count} per {format_duration(self.per)}"


@dataclass(frozen=True, slots=True, order=True)
class TimeOfDay(Text):
    """A wall-clock time, `00:00` to `24:00`; the latter only makes sense as an end."""

    hour: int
    minute: int

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises `Wrong` unless the text is HH:MM within a day."""
        found = _TIME_OF_DAY.fullmatch(text) if isinstance(text, str) else None
        if not found:
            raise Wrong(f"expected a time of day, got {shown(text)}", 'write it quoted, as "08:30"')
        hour, minute = int(found[1]), int(found[2])
        if minute > 59 or hour > 24 or (hour == 24 and minute):
            raise Wrong(f"{shown(text)} is no time of day", 'times go from "00:00" to "24:00"')
        return cls(hour, minute)

    @property
    def minutes(self) -> int:
        """Minutes since midnight, 0..1440."""
        return self.hour * 60 + self.minute

    def __str__(self) -> str:
        return f"{self.hour:02d}:{self.minute:02d}"


def shown(value: object) -> str:
    """A value as an error message may show it: quoted, on one line, at most 40 characters."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        # What stands before the host of an address may be a password.
        value = re.sub(r"://[^/?#\s]*@", "://…@", value)
    text = (
        repr(value)
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _texts(format_value: Callable[[Any], str], pattern: str) -> tuple[PlainSerializer, WithJsonSchema]:
    return (
        PlainSerializer(format_value, return_type=str, when_used="json"),
        WithJsonSchema({"type": "string", "pattern": pattern}),
    )


_DURATION_TEXT = _texts(format_duration, r"^(0|(\d+(\.\d+)?(ms|[wdhms]))+)$")
_SHARE_TEXT = _texts(format_share, r"^\d+(\.\d+)?\s?%$")

Duration = Annotated[float, BeforeValidator(parse_duration), *_DURATION_TEXT]
"""A length of time in seconds, written with a unit."""
Share = Annotated[float, BeforeValidator(parse_share), *_SHARE_TEXT]
"""A fraction 0..1, written as a percentage."""
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"]}),
]
"""A number of bytes, written with a unit."""
Threshold = Annotated[float, BeforeValidator(parse_threshold), WithJsonSchema({"type": ["string", "number"]})]
"""A number a signal is compared with; `1%` and `30s` are numbers too."""
