"""The Playbooks page says of each playbook how its newest drill went, and how to hold one where there was none."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

from tests.fakes import scene
from tests.fakes.face import Face
from tests.integration.web.conftest import bearing


def section(page: str, playbook: str) -> str:
    """The text of one playbook's part of the page."""
    found = re.search(rf'<section aria-labelledby="{playbook}".*?</section>', page, re.DOTALL)
    assert found, playbook
    return re.sub(r"<[^>]+>|\s+", " ", found[0])


def test_the_page_tells_the_newest_drill_and_what_failed(client: TestClient, face: Face) -> None:
    page = client.get("/playbooks", headers=bearing("viewer")).text
    hot = section(page, "storage-hot")
    assert "last drill" in hot
    assert "1 of 2 checks" in hot
    assert "BAD_NAME" in hot
    others = [
        name for name in face.known.playbooks if name != "storage-hot" and face.known.playbooks[name].enabled
    ]
    assert all("never drilled" in section(page, name) for name in others)


def test_a_drill_is_read_back_by_its_id_and_by_its_playbook(client: TestClient) -> None:
    one = client.get(f"/api/v1/drills/{scene.DRILLED}", headers=bearing("viewer")).json()
    assert (one["state"], one["score"], one["scheduled"]) == ("failed", {"passed": 1, "asked": 2}, True)
    listed = client.get("/api/v1/drills?playbook=storage-hot", headers=bearing("viewer")).json()["drills"]
    assert listed == [one]
    assert client.get("/api/v1/drills?playbook=api-degradation", headers=bearing("viewer")).json() == {
        "drills": []
    }
    assert client.get("/api/v1/drills/dr-0", headers=bearing("viewer")).status_code == 404
