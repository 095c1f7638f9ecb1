"""What a browser is told to forbid, what a page may hold, and that looking never changes anything."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from config.scope import scope_of
from daemon.desk.snapshot import Cell, Due, SourceView
from daemon.incidents.change import Change
from daemon.incidents.events import Event, Kind
from daemon.incidents.model import FindingRecord, Impact
from daemon.store.store import Store
from daemon.web.app import ROUTERS
from remediations.run import Evidence
from tests.fakes import rows, scene
from tests.fakes.face import Face
from tests.integration.web.conftest import bearing, log_in

PAGES = (
    "/",
    f"/incidents/{scene.HOT}",
    f"/incidents/{scene.SILENT}",
    f"/incidents/{scene.API}",
    f"/incidents/{scene.BLIND}",
    f"/incidents/{scene.MENDED}",
    f"/incidents/{scene.HOT}/postmortem",
    "/detectors",
    "/playbooks",
    "/pages",
    "/debts",
    "/history",
    "/config",
    "/login",
)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}</title></textarea>"
MOST = 100_000


def contents(store: Store) -> list[object]:
    """Every row that a face could have changed."""
    with store.read() as uow:
        return [
            uow.timeline.last_seq(),
            uow.inbox.new_orders(),
            uow.inbox.new_alerts(),
            uow.incidents.open(),
            uow.mutes.listed(),
            uow.deliveries.recent(),
            uow.debts.unpaid(),
        ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_looking_changes_nothing_on_any_route(
    face: Face, store: Store, client: TestClient, method: str
) -> None:
    log_in(client, "admin")
    before = contents(store)
    paths = {route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)}
    paths -= {"/events"}  # it never ends; its own tests watch it
    for path in sorted(paths):
        filled = path.format(
            incident_id=scene.HOT, token="x", spelled="x", kind="pause", drill_id=scene.DRILLED
        )
        answer = client.request(method, filled, headers=bearing("admin"))
        assert answer.status_code < 500, path
    assert face.record.orders == []
    assert face.record.alerts == []
    assert face.reloads == 0
    assert contents(store) == before


@pytest.mark.parametrize(
    "path", [*PAGES, "/nothing-here", "/api/v1/status", "/-/healthy", "/static/live.js", "/metrics"]
)
def test_every_answer_tells_the_browser_what_to_forbid(client: TestClient, path: str) -> None:
    log_in(client, "operator")
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    if not path.startswith("/static/"):
        assert headers["cache-control"] == "no-store"


class Reader(HTMLParser):
    """Notes what a page would fetch, run or leave without a name."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.inline: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.unlabelled: list[str] = []
        self.labels: set[str] = set()
        self.inputs: set[str] = set()
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        self.fetched += [given[name] for name in ("src", "data", "poster", "srcset") if name in given]
        if tag == "link":
            self.fetched.append(given["href"])
        self.inline += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        if tag == "style":
            self.inline.append("style")
        self._in_script = tag == "script"
        if tag == "label":
            self.labels.add(given.get("for", ""))
        if tag in {"input", "select", "textarea"} and given.get("type") != "hidden":
            self.inputs.add(given.get("id", ""))
        if tag == "a" and given.get("href", "").startswith(("javascript:", "data:")):
            self.inline.append(given["href"])

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_script = False


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_small_whole_and_self_contained(client: TestClient, path: str) -> None:
    if path != "/login":
        log_in(client, "operator")
    page = client.get(path).text
    assert len(page.encode()) < MOST
    read = Reader()
    read.feed(page)
    assert all(address.startswith("/static/") for address in read.fetched), read.fetched
    assert read.inline == []
    assert len(read.ids) == len(set(read.ids)), "an id names one thing"
    assert read.inputs <= read.labels, "every input has a label"
    assert read.tags.count("h1") == 1
    assert read.tags.count("main") == 1
    assert "<title>" in page
    assert 'lang="en"' in page
    assert "https://" not in re.sub(r"<pre.*?</pre>|<code.*?</code>", "", page, flags=re.DOTALL)


def crowded(face: Face, store: Store) -> None:
    """A very bad night: many incidents, scopes, decisions, and a long timeline."""
    gates = {"rung": "restart", "allowed": False, "gates": scene.gates("budget", "3 of 3 used " * 10)}
    for number in range(60):
        key = f"dq-{number:06d}"
        with store.write() as uow:
            uow.apply(
                Change(
                    incident=rows.incident(
                        key,
                        failure_mode="data_quality",
                        scope=scope_of({"provider": f"provider-{number}", "field": "f" * 40}),
                        began_at=scene.NOW - 500,
                        detected_at=scene.NOW - 400 + number,
                        severity="critical",
                    ),
                    run=rows.run(key, reason="why " * 50),
                    events=tuple(
                        Event(key, scene.NOW - 300 + step, Kind.GATES, "refused by budget " * 8, gates)
                        for step in range(400 if number == 0 else 3)
                    ),
                )
            )
    cells = tuple(
        Cell("values-missing", scope_of({"customer": f"customer-{number}"}), "ok", 0.1234, "> 5% for 10m", 0.05, spark=tuple(number / 7 + step / 13 for step in range(120)))
        for number in range(400)
    )  # fmt: skip
    assert face.live is not None
    face.live = replace(face.live, cells=dict.fromkeys(face.live.cells, cells))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/incidents/dq-000000",
        "/detectors",
        "/history",
        "/pages",
        "/debts",
        "/incidents/dq-000000/postmortem",
    ],
)
def test_a_very_bad_night_still_fits_a_page(face: Face, store: Store, client: TestClient, path: str) -> None:
    crowded(face, store)
    log_in(client, "operator")
    answer = client.get(path)
    assert answer.status_code == 200
    assert len(answer.content) < MOST, path


def hostile(face: Face, store: Store) -> None:
    """Markup wherever a text can come from outside."""
    labels = scope_of({"provider": EVIL})
    incident = rows.incident(
        "po-evilll",
        scope=labels,
        severity="critical",
        findings=(FindingRecord(EVIL, 1.0, EVIL, 90.0, EVIL),),
        impact=Impact(1, 1, EVIL),
        playbook=EVIL,
        detected_at=scene.NOW - 50,
        began_at=scene.NOW - 60,
    )
    data = {"rung": EVIL, "allowed": False, "gates": [{"name": EVIL, "allowed": False, "reason": EVIL}]}
    with store.write() as uow:
        uow.apply(
            Change(
                incident=incident,
                run=rows.run(
                    "po-evilll",
                    playbook=EVIL,
                    reason=EVIL,
                    evidence={EVIL: Evidence(1.0, ok=False, error=EVIL, body={EVIL: EVIL})},
                ),
                escalation=rows.escalation("po-evilll", acked_by=EVIL, level=1),
                attempts=(
                    rows.attempt("po-evilll/1", incident="po-evilll", rung=EVIL, action=EVIL, targets=(EVIL,), output=EVIL, started_at=1.0),
                ),
                debts=(rows.debt("debt-evil", incident="po-evilll", kind=EVIL, rung=EVIL, note=EVIL, scope=labels),),
                deliveries=(
                    rows.delivery("evil", incident="po-evilll", person=EVIL, channel=EVIL, error=EVIL, receipt=EVIL),
                ),
                events=tuple(Event("po-evilll", scene.NOW - 20, kind, EVIL, data, EVIL) for kind in Kind),
            )
        )  # fmt: skip
        uow.mutes.save(rows.mute("evil", owner=EVIL, reason=EVIL, matchers={"provider": EVIL}, ends_at=None))
    assert face.live is not None
    face.live = replace(
        face.live,
        environment=EVIL,
        leader=EVIL,
        refused=(EVIL,),
        paused=(EVIL,),
        sources=(SourceView(EVIL, EVIL, EVIL, EVIL, None, EVIL),),
        due=(Due(scene.NOW, EVIL, EVIL),),
        cells={
            "provider_outage": (Cell(EVIL, labels, EVIL, 1.0, EVIL, 1.0, spark=(1.0, 2.0)),),
            "data_quality": (Cell("values-missing", labels, "firing", 1.0, EVIL, 1.0, spark=(1.0, 2.0)),),
        },
    )
    face.known = replace(face.known, files=(EVIL,), digest=EVIL, data={EVIL: {EVIL: EVIL}})


@pytest.mark.parametrize(
    "path",
    [*PAGES, "/incidents/po-evilll", "/incidents/po-evilll/postmortem", "/incidents/po-evilll?show=people"],
)
def test_markup_from_outside_stays_text(face: Face, store: Store, client: TestClient, path: str) -> None:
    hostile(face, store)
    log_in(client, "operator")
    answer = client.get(path)
    assert answer.status_code == 200
    read = Reader()
    read.feed(answer.text)
    assert "img" not in read.tags
    assert read.tags.count("script") == (1 if path != "/login" or "frame" in read.ids else 0)
    assert read.inline == []


def test_markup_from_outside_is_shown_as_it_was_written(face: Face, store: Store, client: TestClient) -> None:
    hostile(face, store)
    log_in(client, "operator")
    page = client.get("/incidents/po-evilll").text
    assert html.unescape(page).count(EVIL) > 50
    assert EVIL not in page


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/%3Cscript%3Ealert(1)%3C/script%3E",
        "/incidents/x?show=%3Cscript%3E",
        "/history?before=%3Cscript%3E",
        "/login?back=%22%3E%3Cscript%3E",
        "/?taken=%3Cscript%3E",
        "/?taken=99999999999999999999999999",
        "/%3Cscript%3E",
    ],
)
def test_an_address_is_echoed_as_text_or_not_at_all(client: TestClient, path: str) -> None:
    log_in(client, "operator")
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code in {200, 404}
    assert "<script>" not in answer.text.replace('<script type="module"', "")


def test_no_secret_is_on_any_page(face: Face, client: TestClient) -> None:
    log_in(client, "admin")
    paths = [*PAGES, "/api/v1/config", "/api/v1/status", "/api/v1/oncall", "/metrics", "/api/v1/openapi.json"]
    for path in paths:
        page = client.get(path).text
        assert "not-so-secret" not in page, path
        assert "fm_test-token" not in page, path
        assert face.keys[0].decode() not in page, path


def test_files_outside_of_the_static_folder_are_not_served(client: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert client.get(path).status_code == 404, path
