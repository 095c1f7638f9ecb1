"""The longest stories first: workers that take tests one by one then end at nearly the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

LONGEST_FIRST = ("test_quiet", "test_real_prometheus")
"""Modules whose single tests take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Reorder the tests of this folder; all others keep their places before them."""
    own = [item for item in items if item.path.parent == Path(__file__).parent]
    chosen = set(own)
    rest = [item for item in items if item not in chosen]
    items[:] = [*rest, *sorted(own, key=_place)]


def _place(item: pytest.Item) -> int:
    name = item.path.stem
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
