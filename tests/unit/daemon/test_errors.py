from __future__ import annotations

import inspect

import pytest

from config.problems import ConfigError
from daemon import errors


@pytest.mark.parametrize(
    ("error", "code", "why"),
    [
        (ConfigError([]), 2, "a configuration that cannot be used"),
        (errors.UsageError("x"), 2, "a command line that makes no sense"),
        (errors.AlreadyRunning("x"), 2, "a second daemon on one store"),
        (errors.NotFound("x"), 1, "the answer is no"),
        (errors.Stale("x"), 1, "a store that could not"),
        (ZeroDivisionError(), 1, "nobody foresaw it: never good"),
    ],
)
def test_every_error_has_an_exit_code(error: Exception, code: int, why: str) -> None:
    assert errors.exit_code(error) == code, why


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = errors.__doc__ or ""
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.FleetmendError):
            line = next(line for line in drawn.splitlines() if f"─ {name} " in line)
            assert line.rstrip().endswith(str(errors.exit_code(kind("x")))), name
            depth = len(kind.__mro__) - len(errors.FleetmendError.__mro__)
            assert line.index("── ") == 8 + 4 * depth - 3, f"{name} is drawn at the wrong depth"
