"""Bodies of orders as OpenAPI shows them.

What an order takes is judged by `daemon.desk.orders` alone; a test holds these forms to its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.desk.orders import MUTES, RULES, VERDICTS

_TEXT = {"type": "string", "maxLength": 500}
_LABELS = {
    "description": "Labels as a map, or as `provider=navixy,tier=hot`; `*` is everything.",
    "anyOf": [
        {
            "type": "object",
            "maxProperties": 10,
            "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,63}$"},
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 200},
        },
        {"type": "string", "maxLength": 2000},
    ],
}
_LENGTH = {
    "description": "Seconds, or a length such as `30m`.",
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": "^[0-9]{1,6}(\\.[0-9]{1,3})?(ms|s|m|h|d)$"},
    ],
}
_NAME = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"}

_FIELDS: Mapping[str, Any] = {
    "reason": {**_TEXT, "description": "Why; people read it later."},
    "for": _LENGTH,
    "scope": _LABELS,
    "rung": {**_NAME, "description": "Only if this rung is the proposed one."},
    "text": {"type": "string", "maxLength": 4000},
    "verdict": {"enum": [*VERDICTS]},
    "target": {"type": "string", "minLength": 1, "maxLength": 300},
    "kind": {"enum": [*MUTES]},
    "id": {"type": "string", "maxLength": 100, "description": "Only this one."},
    "at": {"type": "string", "format": "date-time"},
    "what": _TEXT,
    "who": {"type": "string", "maxLength": 200},
    "ref": {"type": "string", "maxLength": 500},
    "to": {**_NAME, "description": "The id of a person."},
    "person": _NAME,
    "channel": {**_NAME, "description": "A kind such as sms; `first` (as when left out), or `all`."},
    "playbook": _NAME,
    "for_real": {"type": "boolean", "description": "Carry rungs out, and take them back at once."},
}


def body_of(kind: str, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The `requestBody` of an order."""
    rule = RULES[kind]
    needed = sorted(rule.needed - without)
    return {
        "requestBody": {
            "required": bool(needed),
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {name: _FIELDS[name] for name in rule.takes if name not in without},
                        "required": needed,
                        "additionalProperties": False,
                    }
                }
            },
        }
    }
