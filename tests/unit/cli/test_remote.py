"""A remote daemon: what is asked, with what, and what its refusals become."""

from __future__ import annotations

import json

import pytest

from daemon.cli import questions
from daemon.cli.remote import RemoteFace
from daemon.desk import models
from daemon.desk.arguments import BadOrder
from daemon.desk.orders import Forbidden
from daemon.desk.queries import Wanted
from daemon.errors import DaemonUnreachable, FleetmendError, NotFound, UsageError, exit_code
from remediations.ports import Unreachable
from tests.fakes.ports import FakeClock, FakeHttp, answer

URL = "http://daemon:9876"
DEBTS = models.Debts(debts=[]).json_text()


def face(http: FakeHttp, token: str | None = "fm_secret") -> RemoteFace:
    return RemoteFace(f"{URL}/", token, http, FakeClock())


def test_a_question_goes_to_its_path_with_the_token() -> None:
    http = FakeHttp().on("GET", f"{URL}/api/v1/debts", answer(200, DEBTS))
    assert face(http).ask(questions.debts()) == models.Debts(debts=[])
    (request,) = http.sent("GET")
    assert request.headers["Authorization"] == "Bearer fm_secret"


def test_filters_travel_as_parameters() -> None:
    http = FakeHttp().on("GET", f"{URL}/api/v1/incidents", answer(200, '{"incidents": []}'))
    wanted = Wanted(only_open=True, modes=("storage_failure",), since=1_767_603_600.0, limit=5)
    face(http, None).ask(questions.incidents(wanted))
    (request,) = http.sent("GET")
    assert request.url.endswith(
        "/incidents?limit=5&open=true&mode=storage_failure&since=2026-01-05T09%3A00%3A00.000Z"
    )
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("kind", "incident", "args", "method", "path", "body"),
    [
        ("ack", "sf-1", {}, "POST", "/api/v1/incidents/sf-1/ack", {}),
        ("extend", "sf-1", {"for": "30m", "reason": "x"}, "POST", "/api/v1/incidents/sf-1/extend", None),
        ("pause", None, {"scope": "tier=hot"}, "POST", "/api/v1/pauses", None),
        ("silence", None, {"scope": "tier=hot"}, "POST", "/api/v1/silences", None),
        ("maintenance", None, {"for": "1h"}, "POST", "/api/v1/maintenance", None),
        ("unlock", None, {"target": "t", "reason": "r"}, "POST", "/api/v1/unlock", None),
        ("unpause", None, {"kind": "silence", "id": "m1"}, "DELETE", "/api/v1/silences", {"id": "m1"}),
        ("unpause", None, {"kind": "pause"}, "DELETE", "/api/v1/pauses", {}),
        ("page_test", None, {"person": "ana"}, "POST", "/api/v1/pages/test", None),
        ("change", None, {"what": "v7"}, "POST", "/api/v1/changes", None),
    ],
)
def test_an_order_goes_where_the_contract_says(
    kind: str,
    incident: str | None,
    args: dict[str, object],
    method: str,
    path: str,
    body: dict[str, object] | None,
) -> None:
    http = FakeHttp().on(method, f"{URL}{path}", answer(202, '{"order": 7}'))
    assert face(http).order(kind, incident, args).order == 7
    (request,) = http.sent(method)
    assert json.loads(request.body or b"") == (args if body is None else body)
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, Forbidden, 1),
        (403, Forbidden, 1),
        (404, NotFound, 1),
        (409, UsageError, 2),
        (422, UsageError, 2),
        (503, FleetmendError, 1),
    ],
)
def test_a_refusal_keeps_its_reason_and_its_exit_code(
    status: int, kind: type[FleetmendError], code: int
) -> None:
    problem = json.dumps({"title": "no", "status": status, "detail": "because of this"})
    http = FakeHttp().on("GET", f"{URL}/api/v1/debts", answer(status, problem))
    with pytest.raises(kind, match="because of this") as refusal:
        face(http).ask(questions.debts())
    assert exit_code(refusal.value) == code


def test_a_bad_argument_is_named_as_it_would_be_here() -> None:
    http = FakeHttp().on(
        "POST", f"{URL}/api/v1/pauses", answer(422, '{"detail": "for: not between 1s and 30d"}')
    )
    with pytest.raises(BadOrder) as refusal:
        face(http).order("pause", None, {"for": "60d"})
    assert refusal.value.argument == "for"


@pytest.mark.parametrize("body", ["<html>", "[1]", '{"debts": 1}'])
def test_an_answer_in_another_form_is_no_answer(body: str) -> None:
    http = FakeHttp().on("GET", f"{URL}/api/v1/debts", answer(200, body))
    with pytest.raises(FleetmendError, match="in a form this version does not know"):
        face(http).ask(questions.debts())


def test_a_daemon_that_does_not_answer_is_unreachable() -> None:
    http = FakeHttp().on("GET", f"{URL}/api/v1/debts", Unreachable("connection refused"))
    with pytest.raises(DaemonUnreachable, match="connection refused"):
        face(http).ask(questions.debts())


@pytest.mark.parametrize("url", ["daemon:9876", "ftp://daemon", "http://", ""])
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="--url"):
        RemoteFace(url, None, FakeHttp(), FakeClock())


def test_the_token_is_in_no_text_form() -> None:
    assert "fm_secret" not in repr(face(FakeHttp()))
