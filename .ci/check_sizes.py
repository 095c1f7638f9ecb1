"""Fail on a Python file of more than 400 lines or a function of more than 50, docstring not counted."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_LINES = 400
MOST_FUNCTION_LINES = 50
NOT_MEASURED = ("tests/", "daemon/store/migrations/versions/")
"""Files are, functions are not: a story test is as long as its story, and a migration is history, never edited."""


def main(root: Path) -> int:
    """Print what is too long; exit code 1 if anything is."""
    found = [line for name in tracked(root) for line in too_long(root, name)]
    for line in found:
        print(line)
    return 1 if found else 0


def tracked(root: Path) -> list[str]:
    """Names of the Python files that git knows and that are still there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return sorted(name for name in listed.stdout.splitlines() if (root / name).exists())


def too_long(root: Path, name: str) -> Iterator[str]:
    """One line per finding, in the form editors jump to."""
    text = (root / name).read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"{name}:{MOST_LINES + 1}: {lines} lines, at most {MOST_LINES}: make it a folder of the same name"
    if name.startswith(NOT_MEASURED):
        return
    for node in ast.walk(ast.parse(text, name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = function_lines(node)
            if length > MOST_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, at most {MOST_FUNCTION_LINES}"


def function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last one, without decorators and docstring."""
    last = node.end_lineno or node.lineno
    length = last - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[1]))
