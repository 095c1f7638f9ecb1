"""The shortcut of alerts: what a sender sees is what the framework's own route would have said."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from daemon.store.store import Store
from daemon.web.guard import HEADERS as GUARDED
from tests.fakes.face import INBOX, Face

PATHS = ("/api/v2/alerts", "/api/v1/inbox/alertmanager")
SENDER = {"Authorization": f"Bearer {INBOX}"}
ALERT = {"labels": {"alertname": "StorageWriteErrors"}}


@pytest.mark.parametrize("path", PATHS)
def test_openapi_lists_what_is_answered_before_the_framework(client: TestClient, path: str) -> None:
    operation = client.app.openapi()["paths"][path]["post"]  # type: ignore[attr-defined]  # a FastAPI
    assert operation["requestBody"]["required"]
    assert {"400", "401", "413", "503"} <= set(operation["responses"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        ({"json": [ALERT], "headers": SENDER}, 200, "taken"),
        ({"json": [ALERT]}, 401, "no token"),
        ({"content": b"{", "headers": SENDER}, 400, "no JSON"),
        ({"content": b" " * 300, "headers": SENDER}, 413, "longer than the limit"),
    ],
)
def test_every_answer_wears_the_guards_headers(
    store: Store, path: str, asked: dict[str, Any], status: int, why: str
) -> None:
    with TestClient(
        Face(store, intake=200).app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)
    ) as client:
        answer = client.post(path, **asked)
    assert answer.status_code == status, why
    assert {name: answer.headers.get(name) for name in GUARDED} == GUARDED
    assert answer.headers["cache-control"] == "no-store"
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["instance"] == path


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_told_what_is_allowed(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=SENDER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_mistake_of_ours_is_told_without_its_text(store: Store) -> None:
    face = Face(store)

    def broken() -> Any:
        raise ZeroDivisionError("secret-of-ours")

    with TestClient(face.app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        face.clock.now = broken  # type: ignore[method-assign]  # a fake that breaks
        answer = client.post(PATHS[0], json=[ALERT], headers=SENDER)
    assert answer.status_code == 500
    assert "secret-of-ours" not in answer.text
