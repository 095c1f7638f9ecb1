"""The console over a night's story, asked in this process or by a browser over loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from daemon.store.store import Store
from tests.fakes import scene
from tests.fakes.face import TOKENS, Face

HOME = "http://127.0.0.1:9876"


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store file with the whole night in it; tests take copies."""
    path = tmp_path_factory.mktemp("night") / "state.db"
    with Store.open(f"sqlite:///{path}") as opened:
        opened.migrate()
        scene.record(opened)
    return path


@pytest.fixture
def place(night: Path, tmp_path: Path) -> Path:
    """A store file of a test's own."""
    for file in night.parent.glob("state.db*"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "state.db"


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{place}") as opened:
        yield opened


@pytest.fixture
def face(store: Store) -> Face:
    return Face(store)


@pytest.fixture
def client(face: Face) -> Iterator[TestClient]:
    """On this machine, with no token and no cookie; follows no redirect."""
    with TestClient(
        face.app,
        base_url=HOME,
        client=("127.0.0.1", 50000),
        follow_redirects=False,
        raise_server_exceptions=False,
    ) as opened:
        yield opened


def bearing(role: str) -> dict[str, str]:
    """The header of a program with this role."""
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def hidden(page: str, name: str = "csrf") -> str:
    """The value of the first hidden field of this name."""
    return page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0]


def log_in(client: TestClient, role: str) -> str:
    """Log in as a person would; returns the form token of the session."""
    form = client.get("/login")
    answer = client.post("/login", data={"csrf": hidden(form.text), "token": TOKENS[role], "back": "/"})
    assert answer.status_code == 303, answer.text
    return hidden(client.get("/").text)
