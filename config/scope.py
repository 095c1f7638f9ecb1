"""Scope: the labels that say what is affected (provider, tier, endpoint, field, customer).

The one value every package shares, so it lives in the lowest of them. A scope is hashable, ordered by label
name and compares by content; the empty scope is the whole pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NewType

Scope = NewType("Scope", tuple[tuple[str, str], ...])

WHOLE = Scope(())
SEVERAL = "*"
"""The value of a label over which several scopes are joined: `{customer: *, provider: navixy}`."""


def scope_of(labels: Mapping[str, str] | Iterable[tuple[str, str]]) -> Scope:
    """Build a scope from labels in any order."""
    return Scope(tuple(sorted(dict(labels).items())))


def scope_key(scope: Scope) -> str:
    """Text form for rows, keys and logs: `provider=navixy,tier=hot`; `*` for the whole pipeline.

    Commas, equal signs and backslashes inside values are escaped, so two scopes never share a key.
    """
    if not scope:
        return "*"
    return ",".join(f"{name}={_escape(value)}" for name, value in scope)


def scope_from_key(key: str) -> Scope:
    """Invert `scope_key`."""
    if key == "*":
        return WHOLE
    part = ""
    parts: list[str] = []
    escaped = False
    for char in key:
        if escaped:
            part += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ",=":
            parts.append(part)
            part = ""
        else:
            part += char
    parts.append(part)
    return scope_of(zip(parts[::2], parts[1::2], strict=True))


def covers(general: Scope, special: Scope) -> bool:
    """Whether every label of `general` stands in `special` with the same value; the empty scope covers all.

    A label that reads `*` agrees with any value.
    """
    if set(general) <= set(special):
        return True
    if all(value != SEVERAL for _, value in general):
        return False
    labels = dict(special)
    return all(name in labels and value in {SEVERAL, labels[name]} for name, value in general)


def joins_parts(scope: Scope) -> bool:
    """Whether it stands for several scopes."""
    return any(value == SEVERAL for _, value in scope)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
