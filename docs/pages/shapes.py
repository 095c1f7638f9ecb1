"""Types of configuration keys in words: what a person writes, in which unit, and which sections stand inside."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from config import units
from config.drills import Weekly
from config.escalation import Target
from config.secrets import Secret
from config.templates import ExpressionText, TemplateText

PARSED = {
    units.parse_duration: ("length of time", "seconds inside; written `15s 5m 1h 7d`"),
    units.parse_share: ("share", "0 to 1 inside; written `34%`"),
    units.parse_size: ("size", "bytes inside; written `64MB`"),
    units.parse_threshold: ("number", "a number, `1%` or `30s`"),
}
PLAIN: Mapping[Any, tuple[str, str]] = {
    str: ("text", ""),
    bool: ("`true` or `false`", ""),
    int: ("whole number", ""),
    float: ("number", ""),
    Any: ("anything", ""),
    Path: ("path", ""),
    datetime: ("local time", 'written `"2026-01-05 09:00"`'),
    Secret: ("secret", "`{env: NAME}` or `{file: PATH}`"),
    Target: ("whom to tell", "`schedule:NAME`, `team:NAME` or `person:NAME`"),
    units.OfLast: ("M of N", 'written `"5 of 10"`'),
    units.Budget: ("N per time", 'written `"3 per 6h"`'),
    units.TimeOfDay: ("time of day", 'written `"08:30"`'),
    Weekly: ("day and time", 'written `"Tue 10:00"`, or `"10:00"` for every day'),
}
SAME_AS = {
    TemplateText: ("text", "may hold `{{ … }}`"),
    ExpressionText: ("condition", "true, false or unknown"),
}


def hints(model: type[BaseModel]) -> dict[str, Any]:
    """Field -> its annotation with everything that was said about it."""
    return typing.get_type_hints(model, include_extras=True)


def key(name: str, field: FieldInfo) -> str:
    """The key as it is written (`for`, not `for_`)."""
    return field.alias or name


def words(shape: Any) -> tuple[str, str]:
    """(type, unit or form) of an annotation."""
    origin, inner = get_origin(shape), get_args(shape)
    if said := _known(shape):
        return said
    if origin is Annotated:
        return words(inner[0])
    if origin is Literal:
        return " | ".join(f"`{one}`" for one in inner), ""
    if origin in {Union, types.UnionType}:
        told = [words(one) for one in inner if one is not type(None)]
        kinds, units = (
            list(dict.fromkeys(part for part in parts if part)) for parts in zip(*told, strict=True)
        )
        return " or ".join(kinds), "; ".join(units)
    name, unit = words(inner[0] if origin is tuple else inner[1])
    return f"{'list of' if origin is tuple else 'map to'} {name}", unit


def _known(shape: Any) -> tuple[str, str] | None:
    """What has words of its own."""
    said = next((words for known, words in SAME_AS.items() if shape == known), None)
    if said is None and get_origin(shape) is Annotated:
        parsers = [extra.func for extra in shape.__metadata__ if isinstance(extra, BeforeValidator)]
        said = next((PARSED[parser] for parser in parsers if parser in PARSED), None)
    if said is None and isinstance(shape, type) and issubclass(shape, StrEnum):
        said = " | ".join(f"`{one}`" for one in shape), ""
    if said is None and isinstance(shape, type) and issubclass(shape, BaseModel):
        said = f"[{shape.__name__}](#{shape.__name__.lower()})", ""
    return said or (PLAIN[shape] if shape is Any or (isinstance(shape, type) and shape in PLAIN) else None)


def sections(shape: Any) -> Iterator[type[BaseModel]]:
    """Every section an annotation leads to, in order."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        yield shape
        return
    for inner in get_args(shape):
        if not isinstance(inner, str | int | float):
            yield from sections(inner)
