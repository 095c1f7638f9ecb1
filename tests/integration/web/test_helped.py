"""The pages say whether a rung helped, where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient

from remediations.counterfactual import Counterfactual
from tests.fakes.face import Face
from tests.integration.web.conftest import log_in
from tests.unit.desk.test_healing import left_alone, restarted


def test_an_incident_s_page_and_the_week_say_whether_its_rung_helped(face: Face, client: TestClient) -> None:
    for number in range(8):
        restarted(face.store, number, now=face.clock.now())
        left_alone(face.store, number, 3_600.0, now=face.clock.now())
    log_in(client, "viewer")
    said = "recovered 8 of 8; of 8 left alone for as long 0 healed by themselves"
    left_out = client.get("/incidents/po-3")
    assert left_out.status_code == 200
    assert said not in left_out.text, "off when left out"
    face.known = replace(face.known, counterfactual=Counterfactual())
    assert f"Did restart help? Of faults of this kind it {said}" in client.get("/incidents/po-3").text
    assert f"provider-outage: restart {said}" in client.get("/history").text
