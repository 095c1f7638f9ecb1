"""Between the frozen dataclasses and rows: a field with a column of its name goes there, all others into `doc`.

Reading ignores what the class does not know and takes the class's default for what the row does not hold, so a field
may be added without a migration. Inside `doc` a number that is not finite becomes null, a sequence comes back as the
tuple its field declares, and what JSON cannot hold (in free-form fields) becomes its text.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson
from sqlalchemy import Column, Table

from config.scope import Scope, scope_from_key, scope_key

T = TypeVar("T")
Decoder = Callable[[Any], Any]

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Mapper(Generic[T]):
    """Rows of `table` as values of `kind`; `derived` columns are computed on writing and not read back."""

    def __init__(
        self, kind: type[T], table: Table, *, derived: Mapping[str, Callable[[T], Any]] | None = None
    ) -> None:
        hints = get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # kind is a dataclass
        typed = [name for name in names if name in table.c]
        self.kind = kind
        self.table = table
        self.columns: tuple[Column[Any], ...] = (*(table.c[name] for name in typed), table.c.doc)
        """What a select must name, in this order, for `value` to read its rows."""
        self._rest = tuple(name for name in names if name not in table.c)
        self._encoders = tuple((name, _encoder(hints[name])) for name in typed)
        self._decoders = tuple((name, _column_decoder(hints[name])) for name in typed)
        self._rest_decoders = tuple((name, decoder(hints[name])) for name in self._rest)
        self._derived = tuple((derived or {}).items())

    def row(self, value: T) -> dict[str, Any]:
        """Column name -> parameter."""
        row = {
            name: getattr(value, name) if encode is None else encode(getattr(value, name))
            for name, encode in self._encoders
        }
        for name, compute in self._derived:
            row[name] = compute(value)
        row["doc"] = dumps({name: getattr(value, name) for name in self._rest})
        return row

    def value(self, row: Sequence[Any]) -> T:
        """The value of a row that was selected by `columns`."""
        fields: dict[str, Any] = {
            name: cell if decode is None else decode(cell)
            for (name, decode), cell in zip(self._decoders, row, strict=False)
        }
        doc = orjson.loads(row[len(self._decoders)])
        for name, decode in self._rest_decoders:
            if name in doc:
                fields[name] = doc[name] if decode is None else decode(doc[name])
        return self.kind(**fields)

    def values(self, rows: Sequence[Sequence[Any]], known: Mapping[str, T]) -> tuple[T, ...]:
        """The values of many rows. One of `known`, by id, stands for its row while it has the row's version."""
        id_at, version_at = self._place("id"), self._place("version")
        found: list[T] = []
        for row in rows:
            same = known.get(row[id_at])
            stands = same is not None and getattr(same, "version", None) == row[version_at]
            found.append(same if stands and same is not None else self.value(row))
        return tuple(found)

    def _place(self, name: str) -> int:
        return next(place for place, (column, _) in enumerate(self._decoders) if column == name)


def dumps(value: Any) -> str:
    """JSON text of plain data, dataclasses and enums; what does not fit is replaced, never refused."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError:
        return orjson.dumps(plain(value)).decode()


def plain(value: Any) -> Any:
    """The nearest thing JSON can hold: text keys, 64-bit numbers, no lone surrogates; else the value's text."""
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return _scalar(value.value if isinstance(value, Enum) else value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and _INT_MIN <= value <= _INT_MAX:
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _text(str(value))


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def decoder(hint: Any) -> Decoder | None:
    """How to make a field of this type from its JSON; None when it is the same."""
    if hint is Scope:
        return lambda pairs: Scope(tuple((name, value) for name, value in pairs))
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _optional(decoder(next(arg for arg in args if arg is not NoneType)))
    if origin is tuple:
        return _tuple_of(decoder(args[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_of(decoder(args[1]))
    return _plain_type(hint)


def _plain_type(hint: Any) -> Decoder | None:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return _dataclass_of(hint) if dataclasses.is_dataclass(hint) else None


def _encoder(hint: Any) -> Decoder | None:
    if hint is Scope:
        return scope_key
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return lambda member: member.value
    return None


def _column_decoder(hint: Any) -> Decoder | None:
    return scope_from_key if hint is Scope else decoder(hint)


def _optional(decode: Decoder | None) -> Decoder | None:
    if decode is None:
        return None
    return lambda value: None if value is None else decode(value)


def _tuple_of(decode: Decoder | None) -> Decoder:
    return tuple if decode is None else lambda items: tuple(map(decode, items))


def _mapping_of(decode: Decoder | None) -> Decoder | None:
    if decode is None:
        return None
    return lambda items: {key: decode(item) for key, item in items.items()}


def _dataclass_of(hint: Any) -> Decoder:
    hints = get_type_hints(hint)
    decoders = {field.name: decoder(hints[field.name]) for field in dataclasses.fields(hint)}

    def build(doc: Mapping[str, Any]) -> Any:
        fields = {}
        for name, decode in decoders.items():
            if name in doc:
                fields[name] = doc[name] if decode is None else decode(doc[name])
        return hint(**fields)

    return build
