"""A house with one incident whose ladder is exhausted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.store.store import Store
from tests.unit.escalate.house import House


@pytest.fixture
def house() -> Iterator[House]:
    with Store.open(":memory:") as store:
        made = House(store)
        made.open()
        yield made
