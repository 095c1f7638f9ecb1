"""The JSON that scripts rely on, compared with the contract's own field lists."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from daemon.desk import models

CONTRACT: list[tuple[type[BaseModel], str]] = [
    (
        models.Incident,
        (
            "id, failure_mode, scope{}, severity, state, flags[], sentence, detected_at, recovered_at, resolved_at,"
            " resolved_by, impact{scopes, of, text}, findings[{detector, value, threshold, since, state}],"
            " run{state, rung, next_at}, attempts[{rung, kind, action, started_at, ended_at, outcome, verdict, output}],"
            " refusals[{rung, gate, reason, until, at}], escalation{level, acked_by, next_at},"
            " pages[{level, person, channel, event, state, at, receipt, receipts{}}],"
            " debts[{id, kind, due_at, state}]"
        ),
    ),
    (models.Moment, "at, kind, text, data{}"),
    (
        models.Status,
        (
            "version, autonomy, paused[], leader, sources[{name, state, age_s}], detectors{total, firing, blind},"
            " incidents{open, worst}, last_cycle{at, ms}, channels{tested, failing, proved_at}"
        ),
    ),
    (models.Explanation, "at, rung, allowed, gates[{name, allowed, reason, until, inputs{}}]"),
    (models.OrderTaken, "order"),
    (models.Problem, "type, title, status, detail, instance"),
]


def shape(model: type[BaseModel]) -> str:
    """A model in the contract's notation."""
    return ", ".join(name + _nested(field.annotation) for name, field in model.model_fields.items())


def _nested(annotation: Any) -> str:
    origin = getattr(annotation, "__origin__", None)
    if origin is list:
        inner = get_args(annotation)[0]
        return f"[{{{shape(inner)}}}]" if _is_model(inner) else "[]"
    if origin is dict:
        return "{}"
    found = next((kind for kind in (annotation, *get_args(annotation)) if _is_model(kind)), None)
    return f"{{{shape(found)}}}" if found else ""


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


@pytest.mark.parametrize(("model", "fields"), CONTRACT, ids=lambda value: getattr(value, "__name__", ""))
def test_fields_and_their_order_are_the_contracts(model: type[BaseModel], fields: str) -> None:
    assert shape(model) == re.sub(r"\s+", " ", fields)


def test_an_incident_with_its_timeline_only_adds_the_timeline() -> None:
    assert [*models.IncidentWithTimeline.model_fields] == [*models.Incident.model_fields, "timeline"]


def test_instants_are_rfc_3339_in_utc_and_read_back() -> None:
    run = models.Run(state="acting", rung="fail-over", next_at=1_767_603_600.25)
    text = run.json_text()
    assert json.loads(text)["next_at"] == "2026-01-05T09:00:00.250Z"
    assert models.Run.model_validate_json(text) == run
    assert models.Run.model_validate_json('{"state":"done","rung":null,"next_at":null}').next_at is None


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError):
        models.Run.model_validate({"state": "acting", "rung": None, "next_at": "2026-01-05T09:00:00"})


def test_schemas_call_instants_dates() -> None:
    schema = models.Moment.model_json_schema(mode="serialization")
    assert schema["properties"]["at"] == {"type": "string", "format": "date-time", "title": "At"}
