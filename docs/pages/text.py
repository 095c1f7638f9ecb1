"""Markdown, and reading what the source says beside the code."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells may hold anything but line ends."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in line)} |\n" for line in lines)


def cell(text: str) -> str:
    """A text that stays within its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Text as code; backticks in it are kept by a longer fence."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else ""


def doc(thing: object) -> str:
    """The docstring as running text, empty where there is none of its own."""
    own = vars(thing).get("__doc__") if isinstance(thing, type) else inspect.getdoc(thing)
    return " ".join(inspect.cleandoc(own).split()) if own else ""


def member_docs(cls: type[Any]) -> dict[str, str]:
    """Attribute -> the text right below it (or, for a one-line comment, right of it), bases included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] in {"builtins", "pydantic", "enum", "typing", "abc"}:
            continue
        source = textwrap.dedent(inspect.getsource(base))
        body = ast.parse(source).body[0]
        assert isinstance(body, ast.ClassDef)
        comments = source.splitlines()
        for statement, after in zip(body.body, [*body.body[1:], None], strict=True):
            name = assigned(statement)
            if name is None:
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[name] = " ".join(str(after.value.value).split())
            elif "  # " in comments[(statement.end_lineno or 1) - 1]:
                found[name] = comments[(statement.end_lineno or 1) - 1].split("  # ", 1)[1]
    return found


def assigned(statement: ast.stmt) -> str | None:
    """The name that an assignment in a class or module binds."""
    target = (
        statement.target
        if isinstance(statement, ast.AnnAssign)
        else statement.targets[0]
        if isinstance(statement, ast.Assign)
        else None
    )
    return target.id if isinstance(target, ast.Name) else None
