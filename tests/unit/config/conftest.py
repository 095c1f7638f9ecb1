"""The fleet pack, read once a module under a file that changes nothing."""

from __future__ import annotations

import pytest

from config.loader import load
from tests.unit.config.fleet import Sections


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Sections:
    path = tmp_path_factory.mktemp("pack") / "empty.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    return load([path], Sections, environment={}).model
