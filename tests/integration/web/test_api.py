"""REST: by its own description with whatever that allows and forbids, by the contract, and by the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from config.scope import Scope
from daemon.cli import questions
from daemon.cli.remote import RemoteFace
from daemon.clock import SystemClock, rfc3339
from daemon.desk import models
from daemon.desk.orders import RULES, Forbidden
from daemon.desk.queries import Wanted
from daemon.errors import NotFound, UsageError
from daemon.http.door import HttpDoor
from daemon.incidents.records import MuteKind
from daemon.store.store import Store
from daemon.web.bodies import body_of
from daemon.web.server import Server, serve
from tests.fakes import scene
from tests.fakes.face import TOKENS, Face
from tests.fakes.scene import HOT, NOW
from tests.integration.web.conftest import bearing

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PER_OPERATION = 8


@pytest.mark.long
@pytest.mark.parametrize("incident", [None, HOT], ids=["any incident", "one that is there"])
@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"]
)
def test_every_operation_keeps_to_its_description(mode: GenerationMode, incident: str | None) -> None:
    with Store.open("sqlite://") as store:
        scene.record(store)
        face = Face(store)
        schema = schemathesis.openapi.from_dict(face.app.openapi())
        schema.app = face.app
        asked = 0
        for found in schema.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]  # our own document is valid
            if incident is not None and "incident_id" not in operation.path:
                continue
            if mode is GenerationMode.NEGATIVE and operation.method == "get" and not operation.query:
                continue  # nothing about it can be wrong

            @settings(
                max_examples=PER_OPERATION,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Case[Any]) -> None:
                nonlocal asked
                asked += 1
                if incident is not None:
                    case.path_parameters["incident_id"] = incident
                case.call_and_validate(headers=bearing("admin"), checks=CHECKS)

            ask()
        assert asked > 50


def test_the_forms_of_orders_are_those_of_the_table() -> None:
    for kind, rule in RULES.items():
        if kind == "reload":
            continue
        schema = body_of(kind)["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["properties"]) == set(rule.takes), kind
        assert set(schema["required"]) == rule.needed, kind


def test_an_incident_is_the_contract_s_json(client: TestClient) -> None:
    body = client.get(f"/api/v1/incidents/{HOT}", headers=bearing("viewer")).content
    found = orjson.loads(body)
    assert list(found) == [*models.Incident.model_fields, "timeline"]
    assert found["detected_at"] == rfc3339(NOW - 210)
    assert found["run"] == {
        "state": "verifying",
        "rung": "fail-over-to-replica",
        "next_at": rfc3339(NOW + 180),
    }
    assert [attempt["verdict"] for attempt in found["attempts"]] == ["not_recovered", None]


def test_status_speaks_for_the_loop(client: TestClient) -> None:
    found = client.get("/api/v1/status", headers=bearing("viewer")).json()
    assert list(found) == [*models.Status.model_fields]
    assert found["leader"] == "stage-1:4711"
    assert found["incidents"] == {"open": 4, "worst": "critical"}
    assert found["sources"][0] == {"name": "main", "state": "ok", "age_s": 17.0}


@pytest.mark.parametrize(
    ("kind", "body", "wanted"),
    [
        ("ack", {}, {}),
        ("extend", {"reason": "on it", "for": "30m"}, {"reason": "on it", "for": 1800.0}),
        ("note", {"text": "seen"}, {"text": "seen"}),
        ("approve", {"rung": "read-only"}, {"rung": "read-only"}),
    ],
)
def test_an_order_is_202_with_its_number_once_it_is_on_disk(
    store: Store, client: TestClient, kind: str, body: dict[str, Any], wanted: dict[str, Any]
) -> None:
    answer = client.post(f"/api/v1/incidents/{HOT}/{kind}", json=body, headers=bearing("operator"))
    assert answer.status_code == 202
    with store.read() as uow:
        order = uow.inbox.order(answer.json()["order"])
    assert order is not None
    assert (order.kind, order.incident, order.who, order.via) == (kind, HOT, "operator", "api")
    assert dict(order.args) == wanted


@pytest.mark.parametrize(
    ("query", "body"),
    [("?id=pause-31", None), ("", {"id": "pause-31"}), ("?id=other", {"id": "pause-31"})],
)
def test_a_pause_is_lifted_by_body_or_query(
    face: Face, client: TestClient, query: str, body: dict[str, str] | None
) -> None:
    content = json.dumps(body).encode() if body else b""
    answer = client.request("DELETE", f"/api/v1/pauses{query}", content=content, headers=bearing("operator"))
    assert answer.status_code == 202
    assert face.record.orders[0].args == {"kind": "pause", "id": "pause-31", "scope": {}}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/api/v1/incidents/sf-nobody", None, 404, "there is no incident 'sf-nobody'"),
        ("GET", "/api/v1/incidents?limit=9999", None, 422, "limit: "),
        ("GET", "/api/v1/incidents?since=yesterday", None, 422, "since: "),
        ("GET", "/api/v1/report?since=0001-01-01T00:00:00%2B14:00", None, 422, "since: expected a time"),
        ("GET", "/api/v1/report?since=2027-01-01T00:00:00Z", None, 422, "since: later than until"),
        ("GET", "/api/v1/nothing", None, 404, "Not Found"),
        ("PATCH", "/api/v1/status", None, 405, "Method Not Allowed"),
        ("POST", f"/api/v1/incidents/{HOT}/extend", b'{"for": "30m"}', 422, "reason: extend needs it"),
        ("POST", f"/api/v1/incidents/{HOT}/ack", b'{"resaon": "x"}', 422, "resaon: ack does not take it"),
        ("POST", f"/api/v1/incidents/{HOT}/ack", b"[]", 400, "no JSON object"),
        ("POST", f"/api/v1/incidents/{HOT}/ack", b"{", 400, "not JSON"),
        ("POST", "/api/v1/incidents/sf-nobody/ack", b"{}", 404, "there is no incident"),
        ("POST", "/api/v1/changes", b"x" * 70_000, 413, "larger than 65536 bytes"),
    ],
)
def test_an_error_is_a_problem_document(
    face: Face, client: TestClient, method: str, path: str, body: bytes | None, status: int, detail: str
) -> None:
    answer = client.request(method, path, content=body, headers=bearing("operator"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = models.Problem.model_validate_json(answer.content)
    assert (problem.status, problem.instance) == (status, path.partition("?")[0])
    assert detail in problem.detail
    assert face.record.orders == []


@pytest.mark.parametrize("trouble", [{"raises": RuntimeError("full")}, {"fails": OSError("disk full")}])
def test_an_order_that_could_not_be_kept_is_503(
    face: Face, client: TestClient, trouble: dict[str, Exception]
) -> None:
    for name, error in trouble.items():
        setattr(face.record, name, error)
    answer = client.post(f"/api/v1/incidents/{HOT}/ack", json={}, headers=bearing("operator"))
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_an_error_of_ours_is_told_without_its_insides(face: Face, client: TestClient) -> None:
    def broken(detector: str, scope: Scope, since: float, until: float) -> None:
        raise ZeroDivisionError(f"secret-{detector}")

    face.app.state.parts = face.app.state.parts.__class__(
        **{name: getattr(face.app.state.parts, name) for name in face.app.state.parts.__slots__}
        | {"chart": broken}
    )
    answer = client.get(f"/incidents/{HOT}", headers=bearing("viewer"))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_readiness_is_said_with_its_reason(face: Face, client: TestClient) -> None:
    assert client.get("/-/ready").status_code == 200
    face.ready = (False, "stopping")
    answer = client.get("/-/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "stopping")
    assert client.get("/-/healthy").status_code == 200


def test_a_reload_answers_with_every_problem(face: Face, client: TestClient) -> None:
    assert client.post("/-/reload", headers=bearing("admin")).status_code == 200
    face.problems = ["a.yaml:3: x: wrong", "a.yaml:9: y: wrong"]
    answer = client.post("/-/reload", headers=bearing("admin"))
    assert answer.status_code == 422
    assert answer.json()["detail"].splitlines() == face.problems
    assert face.reloads == 2


def test_metrics_come_in_the_form_the_scraper_asks_for(client: TestClient) -> None:
    plain = client.get("/metrics")
    assert "fleetmend_build_info" in plain.text
    assert plain.headers["content-type"].startswith("text/plain")
    new = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert new.headers["content-type"].startswith("application/openmetrics-text")
    assert new.text.endswith("# EOF\n")


@pytest.fixture
def served(face: Face) -> Iterator[Server]:
    server = serve(face.app, "127.0.0.1", 0)
    yield server
    server.stop()


@pytest.mark.live
def test_the_command_line_and_this_interface_speak_the_same_language(face: Face, served: Server) -> None:
    clock = SystemClock()
    http = HttpDoor(clock)
    url = f"http://127.0.0.1:{served.port}"
    remote = RemoteFace(url, TOKENS["operator"], http, clock)
    asked: list[questions.Question[Any]] = [
        questions.status(),
        questions.incidents(Wanted(only_open=True, modes=("storage_failure",), since=NOW - 9000, until=NOW)),
        questions.incident(HOT),
        questions.explain(HOT, None),
        questions.explain(HOT, NOW),
        questions.explain_target("hot", NOW),
        questions.debts(),
        *(questions.mutes(kind) for kind in MuteKind),
        questions.oncall(),
        questions.oncall(90 * 86_400.0),
        questions.drills_of("storage-hot", 3),
        questions.drill(scene.DRILLED),
        questions.postmortem(HOT),
        questions.report(NOW - 86_400, NOW),
    ]
    for question in asked:
        assert isinstance(remote.ask(question), question.model), question.path
    for kind, rule in RULES.items():
        if kind == "reload":
            continue
        args = {name: ARGS[name] for name in rule.needed}
        taken = remote.order(
            kind,
            HOT if rule.about_incident else None,
            {"reason": "x", **args} if "reason" in rule.takes else args,
        )
        assert taken.order is not None, kind
    assert [order.kind for order in face.record.orders] == [kind for kind in RULES if kind != "reload"]
    with pytest.raises(NotFound, match="sf-nobody"):
        remote.ask(questions.incident("sf-nobody"))
    with pytest.raises(UsageError, match="extend needs it"):
        remote.order("extend", HOT, {"for": "30m"})
    with pytest.raises(Forbidden, match="operator"):
        RemoteFace(url, TOKENS["viewer"], http, clock).order("ack", HOT, {})
    with pytest.raises(Forbidden, match="takes a token"):
        RemoteFace(url, None, http, clock).ask(questions.status())


ARGS = {
    "reason": "x", "for": "30m", "text": "t", "verdict": "real", "target": "db", "scope": "tier=hot", "what": "deployed",
    "person": "ana", "to": "ana", "playbook": "storage-hot",
}  # fmt: skip
