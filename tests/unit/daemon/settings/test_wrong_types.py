"""Whatever stands where something else belongs is told in our own words, at its line, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml

from config.problems import ConfigError, Gravity
from daemon.settings.load import load
from tests.unit.daemon.settings.fixed import Given

EXAMPLE = Path(__file__).with_name("whole.yaml")
FOREIGN = re.compile(
    r"input should|instance of|validation|discriminator|<class|function-|\[_|valid dictionary|Traceback|tuple",
    re.IGNORECASE,
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key and item of nested data."""
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in below:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at the path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = changed(data[path[0]], path[1:], value)  # type: ignore[index]  # a key of either
    return copy


def parsed() -> Any:
    return ruamel.yaml.YAML(typ="safe", pure=True).load(EXAMPLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "a truth value"),
        (-7, "a number"),
        ("a b\u00a0c", "a text"),
        ([], "an empty list"),
        ({}, "an empty map"),
        ({"zzz": [1]}, "a map"),
    ],
)
def test_every_problem_has_a_hint_and_is_in_our_own_words(value: Any, why: str, tmp_path: Path) -> None:
    data, wrong = parsed(), 0
    file = tmp_path / "main.yaml"
    for path in [*places(data)]:
        with file.open("w", encoding="utf-8") as stream:
            ruamel.yaml.YAML(typ="safe", pure=True).dump(changed(data, path, value), stream)
        try:
            problems = load([file], environment=Given()).problems
        except ConfigError as error:
            problems = [*error.problems]
            wrong += 1
        for problem in problems:
            assert problem.hint, (why, path, str(problem))
            assert not FOREIGN.search(str(problem)), (why, path, str(problem))
            assert problem.severity is Gravity.WARNING or problem.line > 0, (why, path, str(problem))
    assert wrong > 60, "most keys take no such value"
