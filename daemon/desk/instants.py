"""Instants of the JSON models: unix seconds in Python, `2026-01-05T09:00:00.000Z` in JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from daemon.clock import parse_rfc3339, rfc3339


def _instant(value: Any) -> Any:
    return parse_rfc3339(value) if isinstance(value, str) else value


Instant = Annotated[
    float,
    BeforeValidator(_instant),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
