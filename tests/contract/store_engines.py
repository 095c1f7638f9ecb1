"""The engines every store test runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store.store import Store
from tests.fakes import postgres

ENGINES = ("sqlite-file", "sqlite-memory", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One server for all tests; each takes a database of its own."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("postgresql: initdb and postgres are not installed")
    with postgres.server(folder) as running:
        yield running


def _url(engine: str, request: pytest.FixtureRequest) -> str:
    if engine == "postgresql":
        running: postgres.Server = request.getfixturevalue("postgres_server")
        return running.url()
    folder: Path = request.getfixturevalue("tmp_path")
    return ":memory:" if engine == "sqlite-memory" else f"sqlite:///{folder / 'state.db'}"


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest) -> str:
    """Address of an empty store of every engine."""
    return _url(request.param, request)


@pytest.fixture(params=["sqlite-file", "postgresql"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """Address of an empty store that several processes may open."""
    return _url(request.param, request)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store of every engine, ready to use."""
    with Store.open(url) as opened:
        opened.migrate()
        yield opened
