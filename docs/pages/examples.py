"""Examples for configuration keys: found in the shipped files, so that each is one that loads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from ruamel.yaml import YAML

import config
from daemon.settings.model import Settings
from pages.shapes import hints, key, sections

PLACE = Path(config.__file__).parent
FILES = (
    "examples/example.yaml",
    "pack/playbooks.yaml",
    "pack/detectors.yaml",
    "pack/probes.yaml",
    "pack/topology.yaml",
)
LONGEST = 90
PLAIN_TEXT = re.compile(r"(?![-+]?[0-9.]+$)[A-Za-z0-9_./%+-][A-Za-z0-9_./%+ -]*|[a-z]+:[a-z0-9/][^ ,\]}\"']*")
"""Texts that mean the same with and without quotes."""
UNSHIPPED = Path(__file__).with_name("examples.yaml")


@cache
def unshipped() -> Mapping[str, Mapping[str, Any]]:
    """Section -> key -> value, for keys that no shipped file shows on one line."""
    loaded: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(UNSHIPPED.read_text(encoding="utf-8"))
    return loaded


@cache
def _found() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    yaml = YAML(typ="safe")
    for name in FILES:
        _visit(Settings, yaml.load((PLACE / name).read_text(encoding="utf-8")), found)
    return found


def example(model: type[BaseModel], name: str) -> str:
    """One way to write the key, as one line of YAML."""
    shipped = _found().get((model.__name__, name))
    if shipped is not None:
        return shipped
    own = unshipped().get(model.__name__, {})
    return flow(own[name]) if name in own else ""


def _visit(model: type[BaseModel], data: Any, found: dict[tuple[str, str], str]) -> None:
    if not isinstance(data, dict):
        return
    shapes = hints(model)
    for name, field in model.model_fields.items():
        written = key(name, field)
        if written not in data:
            continue
        text = flow(data[written])
        if len(text) <= LONGEST:
            found.setdefault((model.__name__, written), text)
        for inner, value in _below(shapes[name], data[written]):
            _visit(inner, value, found)


def _below(shape: Any, data: Any) -> Iterator[tuple[type[BaseModel], Any]]:
    """The sections inside a value, each with its part of it; of several kinds the one whose keys fit."""
    candidates = list(sections(shape))
    if not candidates:
        return
    parts = [data] if _fits(candidates, data) else []
    if not parts and isinstance(data, dict):
        parts = list(data.values())
    elif isinstance(data, list):
        parts = list(data)
    for part in parts:
        for one in part if isinstance(part, list) else [part]:
            if fit := _fits(candidates, one):
                yield fit, one


def _fits(candidates: list[type[BaseModel]], data: Any) -> type[BaseModel] | None:
    for model in candidates:
        known = {key(name, field): field for name, field in model.model_fields.items()}
        if not isinstance(data, dict) or not data or not set(data) <= set(known):
            continue
        kind = known.get("type")
        if kind is None or data.get("type") in get_args(kind.annotation):
            return model
    return None


def flow(value: Any) -> str:
    """YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        return value if PLAIN_TEXT.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return str(value)
