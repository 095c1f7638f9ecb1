"""Every row type comes back from its row as it went in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.scope import Scope, scope_of
from daemon.incidents.events import Event
from daemon.incidents.records import Attempt
from daemon.store import (
    attempts,
    debts,
    deliveries,
    escalations,
    inbox,
    incidents,
    locks,
    mutes,
    pipeline,
    runs,
    timeline,
)
from daemon.store.mapping import Mapper, dumps
from tests.fakes import rows

MAPPERS: tuple[Mapper[Any], ...] = (
    incidents.MAPPER,
    runs.MAPPER,
    escalations.MAPPER,
    attempts.MAPPER,
    debts.MAPPER,
    deliveries.MAPPER,
    timeline.MAPPER,
    mutes.MAPPER,
    locks.MAPPER,
    inbox.ORDERS,
    inbox.ALERTS,
    pipeline.MAPPER,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
INTEGER = st.integers(-(2**53), 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGER | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SCOPES = st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), TEXT, max_size=3).map(scope_of)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    Scope: SCOPES,
    str: TEXT,
    float: NUMBER,
    int: INTEGER,
    bool: st.booleans(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, whatever the row types declare."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return st.none() | values(next(arg for arg in args if arg is not NoneType))
    if origin is tuple:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(TEXT, values(args[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    hints = get_type_hints(hint)
    return st.builds(hint, **{field.name: values(hints[field.name]) for field in dataclasses.fields(hint)})


def through_row(mapper: Mapper[Any], value: Any) -> Any:
    row = mapper.row(value)
    return mapper.value([row[column.name] for column in mapper.columns])


@pytest.mark.parametrize("mapper", MAPPERS, ids=lambda mapper: mapper.kind.__name__)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_row_type_comes_back_as_it_went_in(mapper: Mapper[Any], data: st.DataObject) -> None:
    value = data.draw(values(mapper.kind))
    back = through_row(mapper, value)
    assert back == value
    assert {type(getattr(back, field.name)) for field in dataclasses.fields(back)} == {
        type(getattr(value, field.name)) for field in dataclasses.fields(value)
    }


@pytest.mark.parametrize("mapper", MAPPERS, ids=lambda mapper: mapper.kind.__name__)
def test_every_field_has_a_column_or_stands_in_the_document(mapper: Mapper[Any]) -> None:
    names = {field.name for field in dataclasses.fields(mapper.kind)}
    columns = {column.name for column in mapper.columns}
    assert "doc" not in names
    assert columns - {"doc"} <= names


@pytest.mark.parametrize("mapper", MAPPERS, ids=lambda mapper: mapper.kind.__name__)
def test_every_column_without_a_default_is_written(mapper: Mapper[Any]) -> None:
    given_elsewhere = {"seq", "id", "inbox", "note"}
    value = {Attempt: rows.attempt(), Event: rows.event()}.get(mapper.kind)
    if value is not None:
        assert set(mapper.table.c.keys()) - given_elsewhere <= set(mapper.row(value))


def test_a_field_that_an_older_row_lacks_takes_its_default_and_one_it_has_too_many_is_ignored() -> None:
    row = runs.MAPPER.row(rows.run())
    doc = orjson.loads(row["doc"])
    del doc["climb"]
    row["doc"] = dumps(doc | {"of_a_later_version": 1})
    back = runs.MAPPER.value([row[column.name] for column in runs.MAPPER.columns])
    assert back == rows.run()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"n": 2**70}, f'{{"n":"{2**70}"}}', id="a number above 64 bits becomes text"),
        pytest.param({"s": "a\ud800b"}, '{"s":"a?b"}', id="half a surrogate pair is replaced"),
        pytest.param({1: "x", None: "y"}, '{"1":"x","None":"y"}', id="keys become text"),
        pytest.param({"x": float("nan"), "y": float("inf")}, '{"x":null,"y":null}', id="not finite: null"),
        pytest.param({1: float("nan")}, '{"1":null}', id="not finite, on the slow way"),
        pytest.param({"x": np.float64(1.5), "y": np.int64(2)}, '{"x":1.5,"y":2}', id="numpy scalars"),
        pytest.param({"x": {3}}, '{"x":[3]}', id="a set becomes a list"),
        pytest.param({"x": b"raw"}, '{"x":"b\'raw\'"}', id="anything else becomes its text"),
        pytest.param({"x": "\x00"}, '{"x":"\\u0000"}', id="a NUL is escaped, so every engine takes it"),
    ],
)
def test_what_json_cannot_hold_is_replaced_and_never_refused(value: Any, text: str) -> None:
    assert dumps(value) == text
