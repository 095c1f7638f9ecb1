"""What the page of an incident says of its ladder."""

from __future__ import annotations

from dataclasses import replace

from starlette.testclient import TestClient

from tests.fakes import scene_beside
from tests.fakes.face import Face
from tests.integration.web.conftest import log_in


def test_one_that_was_explained_from_the_start_lacks_no_playbook(face: Face, client: TestClient) -> None:
    """Its ladder was never begun: that is no fault of the configuration."""
    told = scene_beside.api()
    assert told.incident is not None
    with face.store.write() as uow:
        uow.apply(
            replace(
                told, incident=replace(told.incident, id="ad-alone"), run=None, escalation=None, events=()
            )
        )
    log_in(client, "viewer")
    page = client.get("/incidents/ad-alone").text
    assert "No ladder was begun" in page
    assert "No playbook matches" not in page
