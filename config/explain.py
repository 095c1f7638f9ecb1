"""Turns pydantic's errors into problems at a place of the file, in the words of someone who writes configuration."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.problems import Problem, Wrong, did_you_mean
from config.units import shown
from config.yamlfile import Node, Path, dotted

_MAP = "write {key: value}, or indented 'key: value' lines"
_LIST = "write [a, b], or one '- item' a line"
_EXPECTED = {
    "path_type": ("the path of a file", "put it in quotes"),
    "none_required": ("nothing", "leave the key out"),
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", ""),
    "int_parsing": ("a whole number", ""),
    "int_from_float": ("a whole number", ""),
    "float_type": ("a number", ""),
    "float_parsing": ("a number", ""),
    "finite_number": ("a finite number", ""),
    "bool_type": ("true or false", ""),
    "bool_parsing": ("true or false", ""),
    "list_type": ("a list", _LIST),
    "tuple_type": ("a list", _LIST),
    "set_type": ("a list", _LIST),
    "frozen_set_type": ("a list", _LIST),
    "dict_type": ("a map", _MAP),
    "mapping_type": ("a map", _MAP),
    "model_type": ("a map", _MAP),
    "model_attributes_type": ("a map", _MAP),
    "dataclass_type": ("a map", _MAP),
}

_LIMITS = ("min_length", "max_length", "gt", "ge", "lt", "le", "multiple_of")
_BOUNDS = {
    "too_short": ("expected at least {} of them", "add one to the list"),
    "too_long": ("expected at most {} of them", "split it, or leave some out"),
    "string_too_short": ("expected a text of at least {} characters", "write one"),
    "string_too_long": ("expected a text of at most {} characters", "make it shorter"),
    "greater_than": ("expected more than {}", "write a larger value"),
    "greater_than_equal": ("expected at least {}", "write {} or more"),
    "less_than": ("expected less than {}", "write a smaller value"),
    "less_than_equal": ("expected at most {}", "write {} or less"),
    "multiple_of": ("expected a multiple of {}", "write one"),
}


def problems_of(
    error: ValidationError, tree: Node, root: type[BaseModel], prefix: Path = ()
) -> list[tuple[Path, Problem]]:
    """Every error with the path it concerns; errors of several alternatives at one place become one problem.

    `tree` is what `root` was validated on; it stands at `prefix` of the whole configuration.
    """
    found: dict[Path, list[tuple[str, str]]] = {}
    for details in error.errors(include_url=False):
        path = _path_in(tree, details)
        entry = _words(details, path, root)
        if entry not in found.setdefault(path, []):
            found[path].append(entry)
    for path in [*found]:
        # one alternative of a union complaining deeper explains more than another complaining about the whole
        if _has_deeper(path, found) and all(text.startswith("expected ") for text, _ in found[path]):
            del found[path]
    return [((*prefix, *path), _problem(path, tree, entries, prefix)) for path, entries in found.items()]


def reference_hint(path: Path) -> str:
    """Where to read on about the key at the path, when nothing better is known."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return f"see {key} in the configuration reference" if key else "see the configuration reference"


def place_of(tree: Node, path: Path) -> Node:
    """The node at the path, or its nearest ancestor that is written in a file."""
    node = tree
    for part in path:
        child = node.child(part)
        if child is None:
            break
        node = child
    return node


def _problem(path: Path, tree: Node, entries: list[tuple[str, str]], prefix: Path) -> Problem:
    node = place_of(tree, path)
    entries = [entry if entry[1] else (entry[0], reference_hint((*prefix, *path))) for entry in entries]
    text = _joined([*dict.fromkeys(text for text, _ in entries)])
    hint = next((hint for _, hint in entries if hint), "")
    return Problem(node.file, node.line, dotted((*prefix, *path)), text, hint)


def _joined(texts: Sequence[str]) -> str:
    """`expected A, got V` and `expected B, got V` as `expected A or B, got V`."""
    _, _, got = texts[0].partition(", got ")
    if len(texts) > 1 and all(
        text.startswith("expected ") and text.endswith(f", got {got}") for text in texts
    ):
        wanted = [text.removeprefix("expected ").removesuffix(f", got {got}") for text in texts]
        return f"expected {' or '.join(wanted)}, got {got}"
    return ", or ".join(texts)


def _has_deeper(path: Path, found: Mapping[Path, object]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in found)


def _path_in(tree: Node, details: ErrorDetails) -> Path:
    """The location in the file: pydantic's, without the labels of unions and validators it contains."""
    path: list[str | int] = []
    node: Node | None = tree
    parts = details["loc"]
    for index, part in enumerate(parts):
        child = node.child(part) if node is not None else None
        if child is not None:
            path.append(part)
            node = child
        elif index == len(parts) - 1 and details["type"] == "missing":
            path.append(part)
    return tuple(path)


def _words(details: ErrorDetails, path: Path, root: type[BaseModel]) -> tuple[str, str]:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, Wrong):
        return cause.problem, cause.hint
    if kind == "missing":
        return "is required", f"add {path[-1]}: …" if path else ""
    if kind == "extra_forbidden":
        known = sorted(_keys_at(root, path[:-1]))
        name = str(path[-1]) if path else ""
        return "unknown key", did_you_mean(name, known) or (f"known are {', '.join(known)}" if known else "")
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        return _choice(kind, value, context)
    return _bound(details)


def _bound(details: ErrorDetails) -> tuple[str, str]:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind in _EXPECTED:
        expected, hint = _EXPECTED[kind]
        return f"expected {expected}, got {shown(value)}", hint
    if kind in _BOUNDS:
        said, remedy = _BOUNDS[kind]
        bound = next((context[key] for key in _LIMITS if key in context), "")
        bound = f"{bound:g}" if isinstance(bound, float) else bound
        return f"{said.format(bound)}, got {shown(value)}", remedy.format(bound)
    if kind == "string_pattern_mismatch":
        return f"{shown(value)} is not of the right form", f"the form is {context.get('pattern', '')}"
    if kind == "union_tag_not_found":
        key = str(context.get("discriminator", "type")).strip("'")
        return f"has no {key}, which says what kind it is", f"add {key}: …"
    return f"does not understand {shown(value)}", ""


def _choice(kind: str, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    expected = str(context.get("expected_tags" if kind == "union_tag_invalid" else "expected", ""))
    if kind == "union_tag_invalid":
        value = context.get("tag")
    known = [word.strip("' ") for word in expected.replace(" or ", ",").split(",") if word.strip("' ")]
    return f"expected {expected}, got {shown(value)}", did_you_mean(str(value), known)


def _keys_at(annotation: Any, path: Sequence[str | int]) -> set[str]:
    """The keys the models at the path accept, as far as their annotations tell."""
    models = {*_models(annotation)}
    if path:
        keys: set[str] = set()
        for inner in _step(annotation, path[0]):
            keys |= _keys_at(inner, path[1:])
        return keys
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """The annotations of what stands under `part` of a value annotated so."""
    for choice in _choices(annotation):
        origin = get_origin(choice)
        arguments = get_args(choice)
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            for name, info in choice.model_fields.items():
                if part in {name, info.alias}:
                    yield info.annotation
        elif isinstance(origin, type) and arguments:
            if issubclass(origin, Mapping) and isinstance(part, str):
                yield arguments[-1]
            elif issubclass(origin, Sequence) and isinstance(part, int):
                yield arguments[0]


def _choices(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _choices(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for argument in get_args(annotation):
            yield from _choices(argument)
    else:
        yield annotation


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for choice in _choices(annotation):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            yield choice
