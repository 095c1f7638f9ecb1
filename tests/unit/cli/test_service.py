"""check, schema, token: what a configuration is told, and what a token is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.unit.cli.conftest import Place, Run

FIVE_MISTAKES = """version: 1
pack: none
poll_intervall: 15s
autonomy: sometimes
telemetry:
  main: {type: prometheus}
people:
  ana: {name: Ana, timezone: Europe/Pariss, channels: [{console: {}}]}
retention: {timeline: soon}
"""

METRICS = b"""# TYPE packets counter
packets_total{provider="navixy"} 3
"""

WATCHING = """version: 1
pack: none
telemetry:
  main: {{type: scrape, targets: ["http://127.0.0.1:{port}/metrics"]}}
detectors:
  silent:
    failure_mode: provider_outage
    signal: {{increase: {{of: {metric}, by: [provider], window: 1m}}}}
    fire: {{equals: 0, for: 5m}}
    clear: {{above: 0, for: 1m}}
"""


@pytest.fixture
def exporter() -> Iterator[int]:
    """A target that serves one counter; its port."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(METRICS)))
            self.end_headers()
            self.wfile.write(METRICS)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_with_five_mistakes_gives_five_located_lines(fleetmend: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(FIVE_MISTAKES, encoding="utf-8")
    said = fleetmend("check", file)
    assert (said.code, said.out) == (2, "")
    lines = [line for line in said.err.splitlines() if "[warning]" not in line]
    assert [line.split(":")[1] for line in lines] == ["3", "4", "6", "8", "9"]
    assert all(line.startswith(f"{file}:") for line in lines)
    assert "did you mean 'poll_interval'" in lines[0]


def test_check_as_json_is_json_and_nothing_else(fleetmend: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(FIVE_MISTAKES, encoding="utf-8")
    said = fleetmend("check", file, "--json")
    problems = [row for row in json.loads(said.out)["problems"] if row["severity"] == "error"]
    assert (said.code, said.err, [row["line"] for row in problems]) == (2, "", [3, 4, 6, 8, 9])
    assert [*problems[0]] == ["file", "line", "path", "severity", "problem", "hint", "code"]


def test_warnings_are_said_and_are_no_error(
    fleetmend: Run, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_SET_HERE", "a secret that is set")
    said = fleetmend("check", place.config)
    assert said.code == 0
    assert said.out.startswith("ok: 0 errors, ")
    assert "[warning]" in said.err


def test_a_missing_secret_is_an_error_of_check(fleetmend: Run, place: Place) -> None:
    said = fleetmend("check", place.config)
    assert said.code == 2
    assert "NOT_SET_HERE is not set" in said.err


def test_a_finding_carries_the_code_of_its_check(fleetmend: Run, tmp_path: Path) -> None:
    file = tmp_path / "hasty.yaml"
    file.write_text(
        WATCHING.format(port=1, metric="packets_total").replace("for: 5m", "for: 0s"), encoding="utf-8"
    )
    (row,) = [
        row
        for row in json.loads(fleetmend("check", file, "--json").out)["problems"]
        if row["path"].endswith("for")
    ]
    assert (row["code"], row["severity"]) == ("hold-under-scrapes", "warning")
    said = fleetmend("check", file)
    assert said.code == 0, "a hold of nothing loads"
    assert f"{file}:9: detectors.silent.fire.for: " in said.err
    assert " [hold-under-scrapes]; " in said.err


def test_a_check_is_explained_by_its_code(fleetmend: Run) -> None:
    said = fleetmend("check", "--explain", "window-over-hold")
    assert said.code == 0
    assert all(word in said.out for word in ("## window-over-hold", "window <= for / 5", "# lint: ignore"))
    listed = fleetmend("check", "--explain", "all").out.splitlines()
    assert len(listed) > 40
    assert any(line.startswith("bound-off-edge ") for line in listed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--explain", "window-over-holt"), "did you mean 'window-over-hold'?"),
        ((), "Missing argument"),
        (("--live", "--history", "soon", __file__), "--history: "),
    ],
)
def test_check_asked_wrongly_is_a_usage_error(fleetmend: Run, arguments: tuple[str, ...], words: str) -> None:
    said = fleetmend("check", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_check_of_no_file_is_a_usage_error(fleetmend: Run, tmp_path: Path) -> None:
    said = fleetmend("check", tmp_path / "nowhere.yaml")
    assert (said.code, said.out) == (2, "")
    assert "no such file" in said.err


@pytest.mark.parametrize(
    ("metric", "code", "words"),
    [
        ("packets_total", 0, "0 questions without an answer"),
        ("pakets_total", 1, "source main returns no pakets_total"),
    ],
)
def test_check_live_asks_whether_each_signal_has_series(
    fleetmend: Run, tmp_path: Path, exporter: int, metric: str, code: int, words: str
) -> None:
    file = tmp_path / "live.yaml"
    file.write_text(WATCHING.format(port=exporter, metric=metric), encoding="utf-8")
    said = fleetmend("check", file, "--live")
    assert said.code == code
    assert words in said.out + said.err
    assert fleetmend("check", file).code == 0, "without --live nobody is asked"


def test_check_live_says_when_a_source_does_not_answer(fleetmend: Run, tmp_path: Path) -> None:
    file = tmp_path / "live.yaml"
    text = WATCHING.format(port=1, metric="packets_total")
    text = text.replace(
        '{type: scrape, targets: ["http://127.0.0.1:1/metrics"]}', '{type: file, path: "/nowhere"}'
    )
    file.write_text(text, encoding="utf-8")
    said = fleetmend("check", file, "--live")
    assert said.code == 1
    assert "telemetry.main: the source gave nothing" in said.err


def test_the_schema_is_one_json_document(fleetmend: Run) -> None:
    said = fleetmend("schema")
    schema = json.loads(said.out)
    assert said.code == 0
    assert {"detectors", "playbooks", "tokens", "storm"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


def test_a_token_is_printed_once_with_what_to_configure(fleetmend: Run) -> None:
    said = fleetmend("token", "ci", "--role", "viewer", "--json")
    made = json.loads(said.out)
    assert (made["name"], made["role"]) == ("ci", "viewer")
    assert hashlib.sha256(made["token"].encode()).hexdigest() == made["sha256"]
    in_words = fleetmend("token", "ci").out
    assert "export CI_TOKEN_SHA256=" in in_words
    assert made["token"] not in in_words


def test_a_role_that_is_none_is_a_usage_error(fleetmend: Run) -> None:
    said = fleetmend("token", "ci", "--role", "root")
    assert (said.code, said.out) == (2, "")


def test_the_version_is_the_distributions(fleetmend: Run) -> None:
    said = fleetmend("--version")
    assert (said.code, said.out.split()[0]) == (0, "fleetmend")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("demo", "--scenario", "some"), "--scenario: expected one of"),
        (("demo", "--source", "carrier-pigeon"), "--source: expected one of"),
        (("demo", "--json"), "go with --scenario"),
        (("demo", "--scenario", "all", "--only", "nothing:at-all"), "no variant 'nothing:at-all'"),
        (("demo", "break"), "Missing argument"),
        (("page", "test"), "say where: --config FILE"),
        (("token", "no name!"), "a token's name"),
    ],
)
def test_usage_errors_start_nothing(fleetmend: Run, arguments: tuple[str, ...], words: str) -> None:
    said = fleetmend(*arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
