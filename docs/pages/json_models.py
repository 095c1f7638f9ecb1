"""`reference/json.md`: every model that a face shows, field by field."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

from daemon.desk import drills, ladders, models, postmortems, reports
from daemon.desk.models import Model
from pages.text import code, doc, member_docs, table

INTRO = """# JSON

What `--json` prints and what `/api/v1` answers, in this order of fields. Instants are RFC 3339 texts in UTC with
milliseconds; lengths of time end in `_s` (seconds) or `ms`. A field that may be `null` says so. Nothing is left out
when empty: a list is `[]`. Unknown fields never appear: a script may rely on these, and on no others.

| read | model |
| --- | --- |
| `incidents --json`, `GET /api/v1/incidents` | [Incidents](#incidents) |
| `incident ID --json`, `GET /api/v1/incidents/ID` | [IncidentWithTimeline](#incidentwithtimeline) |
| `explain ID --json`, `GET /api/v1/incidents/ID/explain` | [Explanation](#explanation) |
| `postmortem ID --json`, `GET /api/v1/incidents/ID/postmortem` | [Postmortem](#postmortem) |
| `status --json`, `GET /api/v1/status` | [Status](#status) |
| `report --json` | [Report](#report) |
| `drill PLAYBOOK --json`, `GET /api/v1/drills/ID` | [Drill](#drill) |
| `drill --last --json`, `GET /api/v1/drills` | [Drills](#drills) |
| `GET /api/v1/{detectors,playbooks,pages,debts,config,oncall}` | [Detectors](#detectors), [Playbooks](#playbooks), [Pages](#pages), [Debts](#debts), [Config](#config), [Oncall](#oncall) |
| orders, answer 202 | [OrderTaken](#ordertaken) |
| errors (`application/problem+json`) | [Problem](#problem) |
"""

WORDS = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "true or false",
    "null": "`null`",
}


def page() -> str:
    """The whole page."""
    return "\n".join([INTRO, *(_section(model) for model in _all())])


def _all() -> list[type[Model]]:
    return [model for module in (models, postmortems, ladders, reports, drills) for model in _of(module)]


def _of(module: ModuleType) -> list[type[Model]]:
    """Its own models, in the order in which they stand there."""
    found = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Model) and thing.__module__ == module.__name__
    ]
    return sorted(
        (model for model in found if model is not Model), key=lambda model: inspect.getsourcelines(model)[1]
    )


def _section(model: type[Model]) -> str:
    said = member_docs(model)
    properties = model.model_json_schema(mode="serialization")["properties"]
    rows = [(code(name), kind(shape), said.get(name, "")) for name, shape in properties.items()]
    text = doc(model)
    return f"## {model.__name__}\n\n{text}{chr(10) * 2 if text else ''}{table(('field', 'type', ''), rows)}"


def kind(shape: dict[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in shape:
        return " or ".join(kind(one) for one in shape["anyOf"])
    if shape.get("format") == "date-time":
        return "instant"
    if shape.get("type") == "array":
        return f"list of {kind(shape['items'])}"
    if shape.get("type") == "object":
        inner = shape.get("additionalProperties")
        return f"map to {kind(inner)}" if isinstance(inner, dict) else "map"
    return WORDS.get(shape.get("type", ""), "any")
