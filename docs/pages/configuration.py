"""`reference/configuration.md`: every key with type, unit, default and example."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from daemon.escalate.channels.registry import CHANNELS
from daemon.escalate.channels.shared import Shared
from daemon.settings.model import Settings
from pages.examples import example, flow
from pages.shapes import hints, key, sections, words
from pages.text import code, doc, member_docs, table
from remediations.actions.registry import KINDS

INTRO = """# Configuration

One or more YAML files: `fleetmend run --config base.yaml --config site.yaml`, later ones override earlier ones by
name: maps merge deeply, lists replace, `enabled: false` removes. `pack: fleet` (the default) puts the shipped
detectors, probes, playbooks, topology and escalation beneath. Unknown keys are errors with a suggestion; every problem
is told at once as `file:line: path: problem; hint` (`fleetmend check`). `fleetmend schema` prints a JSON Schema for
editors.

Lengths of time are written `15s 5m 1h 7d`, shares `34%`, sizes `64MB`; secrets only as `{env: NAME}` or `{file: PATH}`.
Conditions (`when`, `require`, `ok`) and texts with `{{ … }}` are Jinja2 in a sandbox over `scope`, `facts` and `vars`;
a name that does not exist is an error, and a condition that reads one is *unknown*, never true.
"""


def page() -> str:
    """The whole page."""
    seen: dict[str, tuple[type[BaseModel], str]] = {}
    _collect(Settings, "", seen)
    actions = [(f"action `{kind}`", entry.args) for kind, entry in KINDS.items()]
    channels = [(f"channel `{one.kind}`", one.spec) for one in CHANNELS if one.available]
    parts = [INTRO, _section("The file", Settings)]
    parts += [_section(name, model, at) for name, (model, at) in seen.items() if model is not Settings]
    parts += ["# Actions\n\nWhat stands under `do`, `undo` and `return.do`, one kind each.\n", *_all(actions)]
    parts += ["# Channels\n\nHow a person is reached (`people.NAME.channels`), and what all uses share.\n"]
    parts += _all([*channels, ("channels", Shared)])
    return "\n".join(parts)


def _all(named: Iterable[tuple[str, type[BaseModel]]]) -> list[str]:
    """Sections with those inside them that are not told elsewhere."""
    parts = []
    for title, model in named:
        inside: dict[str, tuple[type[BaseModel], str]] = {}
        _collect(model, "", inside)
        parts.append(_section(title, model))
        parts += [_section(name, one, at) for name, (one, at) in inside.items() if one is not model]
    return parts


def _collect(model: type[BaseModel], at: str, seen: dict[str, tuple[type[BaseModel], str]]) -> None:
    """Every section below, each with the first place it is written at."""
    if model.__name__ in seen:
        return
    seen[model.__name__] = model, at
    shapes = hints(model)
    for name, field in model.model_fields.items():
        inside = f"{at}.{key(name, field)}" if at else key(name, field)
        for inner in sections(shapes[name]):
            _collect(inner, inside + entry(shapes[name]), seen)


def entry(shape: Any) -> str:
    """What stands between a key and the section inside it: a name of one's own, or a place in a list."""
    while get_origin(shape) is Annotated:
        shape = get_args(shape)[0]
    origin, inner = get_origin(shape), get_args(shape)
    if origin is dict:
        return f".NAME{entry(inner[1])}"
    if origin is tuple:
        return f"[]{entry(inner[0])}"
    return ""


def _section(title: str, model: type[BaseModel], at: str = "") -> str:
    shapes, said = hints(model), member_docs(model)
    rows = [
        _row(model, name, field, shapes[name], said.get(name, ""))
        for name, field in model.model_fields.items()
    ]
    body = table(("key", "type", "unit or form", "default", "example", ""), rows) if rows else ""
    place = f"At {code(at)}. " if at else ""
    return f"## {title}\n\n{place}{doc(model)}\n\n{body}"


def _row(model: type[BaseModel], name: str, field: FieldInfo, shape: Any, said: str) -> tuple[str, ...]:
    written = key(name, field)
    kind, unit = words(shape)
    return code(written), kind, unit, _default(model, name, field), code(example(model, written)), said


def _default(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """As it would be written; `required` where there is none."""
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ((), {}):
        return ""
    if isinstance(value, BaseModel):
        return "its own defaults"
    whole = model.model_construct(**{name: value})
    text = flow(json.loads(whole.model_dump_json(include={name}))[name])
    return code(text)
