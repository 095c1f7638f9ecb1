"""Field mappings and plausibility rules. Pure: a packet and a version's content in, values and problems out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIELDS = ("latitude", "longitude", "speed", "fuel", "odometer", "ignition")


class Unmappable(Exception):
    """A field's source is there and is not what the mapping says."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where a field comes from; `scale` multiplies, `convert` names what the converter does with it afterwards."""

    source: tuple[str, ...]
    kind: str
    scale: float = 1.0
    convert: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """The bounds of a plausible value, both included."""

    low: float
    high: float


def read_mapping(content: Any) -> dict[str, FieldMapping]:
    """Raises KeyError, TypeError or ValueError for what is no mapping."""
    fields = {}
    for name, one in content["fields"].items():
        if one["type"] not in {"number", "flag"}:
            raise ValueError(f"{name}: type is number or flag")
        fields[name] = FieldMapping(
            tuple(one["from"].split(".")), one["type"], float(one.get("scale", 1)), one.get("convert", "")
        )
    return fields


def read_rules(content: Any) -> dict[str, Rule]:
    return {name: Rule(float(one["min"]), float(one["max"])) for name, one in content["fields"].items()}


def value_of(data: Mapping[str, Any], mapping: FieldMapping) -> float | None:
    """The field's value, None where the packet does not have it. Raises Unmappable."""
    found: Any = data
    for key in mapping.source:
        if not isinstance(found, Mapping):
            raise Unmappable(f"{'.'.join(mapping.source)}: no object on the way")
        if key not in found:
            return None
        found = found[key]
    if mapping.kind == "flag" and isinstance(found, (bool, int)):
        return float(bool(found))
    if mapping.kind == "number" and isinstance(found, (int, float)) and not isinstance(found, bool):
        return found * mapping.scale
    raise Unmappable(f"{'.'.join(mapping.source)}: {type(found).__name__} is no {mapping.kind}")


def plausible(value: float, rule: Rule) -> bool:
    return rule.low <= value <= rule.high


def status_of(values: Mapping[str, float | None]) -> str:
    """moving, idle or off; raises KeyError without an ignition field."""
    if not values["ignition"]:
        return "off"
    return "moving" if (values.get("speed") or 0) > 3 else "idle"
