"""Real daemon processes against a plant on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.living import Nursery, Site, living
from tests.fakes.plant import Plant, running


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def plant() -> Iterator[Plant]:
    with running(Plant()) as served:
        yield served


@pytest.fixture
def site(tmp_path: Path, plant: Plant, nursery: Nursery) -> Iterator[Site]:
    with living(tmp_path, plant, nursery) as made:
        yield made
