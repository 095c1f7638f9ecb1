"""backtest: what a configuration would have seen, as a table, as JSON, and when there is nothing to see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from daemon.cli.instants import parse_instant
from daemon.clock import SystemClock, rfc3339
from daemon.errors import UsageError
from remediations.ports import PortError, Request
from tests.fakes.history import History
from tests.unit.cli.conftest import Run, Said

CONFIG = """version: 1
pack: none
poll_interval: 1m
telemetry:
  main: {{type: prometheus, url: "{url}", auth: {{bearer: {{env: PROM_TOKEN}}}}}}
  edge: {{type: scrape, targets: ["http://127.0.0.1:1/metrics"]}}
detectors:
  depth-high:
    failure_mode: storage_failure
    source: main
    signal: {{gauge: {{of: depth, by: [tier]}}}}
    fire: {{above: 10, for: 5m}}
    clear: {{below: 10, for: 2m}}
    no_data: {{for: 5m}}
  edge-silent:
    failure_mode: provider_outage
    source: edge
    signal: {{increase: {{of: packets_total, by: [provider], window: 2m}}}}
    fire: {{equals: 0, for: 5m}}
    clear: {{above: 0, for: 1m}}
  status-page:
    failure_mode: provider_outage
    signal: {{probe: status}}
    fire: {{equals: 0, for: 1m}}
    clear: {{above: 0, for: 1m}}
probes:
  status: {{http: {{url: "http://127.0.0.1:1/"}}, ok: "status == 200"}}
"""
BEGIN = 1_790_000_000
"""2026-09-21T14:13:20Z"""


def series(minutes: int = 60, *, high: range = range(20, 40), eof: bool = True) -> str:
    lines = [
        f'depth{{tier="hot",instance="a:1",job="x"}} {50 if n in high else 1} {BEGIN + 60 * n}'
        for n in range(minutes)
    ]
    return "\n".join(["# TYPE depth gauge", *lines, *(["# EOF"] if eof else []), ""])


@dataclass
class Bench:
    """A configuration, a file, and the command."""

    config: Path
    file: Path
    run: Run

    def __call__(self, *arguments: str | Path) -> Said:
        return self.run("backtest", "--config", self.config, *arguments)

    def recorded(self, *arguments: str | Path, text: str = "") -> Said:
        self.file.write_text(text or series())
        return self("--series", self.file, *arguments)


@pytest.fixture
def bench(tmp_path: Path, fleetmend: Run, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("PROM_TOKEN", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    config = tmp_path / "fleetmend.yaml"
    config.write_text(CONFIG.format(url="http://127.0.0.1:1"))
    return Bench(config, tmp_path / "series.om", fleetmend)


def document(said: Said) -> dict[str, Any]:
    assert said.code == 0, said.err
    loaded: dict[str, Any] = json.loads(said.out)
    return loaded


def test_events_are_told_as_the_contract_says(bench: Bench) -> None:
    said = bench.recorded("--json")
    found = document(said)
    assert said.err == "", "nobody sits at a terminal"
    assert found["events"] == [
        {
            "detector": "depth-high",
            "failure_mode": "storage_failure",
            "scope": {"tier": "hot"},
            "state": state,
            "at": rfc3339(BEGIN + 60 * minute),
        }
        for state, minute in (("fired", 25), ("cleared", 42))
    ]


def test_detectors_are_summed_up_and_what_was_not_judged_is_said(bench: Bench) -> None:
    found = document(bench.recorded("--json"))
    assert found["detectors"] == [
        {
            "detector": "depth-high",
            "fired": 1,
            "scopes": 1,
            "firing_s": 17 * 60.0,
            "unknown": 0.0,
            "unknown_scopes": 0,
        }
    ]
    assert found["not_judged"] == {
        "edge-silent": "no series named packets_total",
        "status-page": "a probe's answers are not recorded",
    }
    assert (found["start"], found["end"]) == (rfc3339(BEGIN), rfc3339(BEGIN + 59 * 60))
    assert (found["step_s"], found["ticks"], found["missing"]) == (60.0, 60, [])


def test_the_table_has_events_a_line_per_detector_and_what_was_not_judged(bench: Bench) -> None:
    out = bench.recorded().out
    for text in (
        "2026-09-21 14:38:20Z  depth-high  tier=hot  fired    50",
        "2 events in 59m",
        "depth-high  1      1       17.0",
        "edge-silent  no series named packets_total",
    ):
        assert text in out


def test_time_without_telemetry_is_a_share_of_the_whole(bench: Bench) -> None:
    """Samples stop after 20 minutes of 40, and count as fresh for a little longer."""
    end = str(BEGIN + 40 * 60)
    said = bench.recorded("--json", "--end", end, text=series(20, high=range(0)))
    (row,) = document(said)["detectors"]
    assert 0.4 < row["unknown"] < 0.5
    assert row["unknown_scopes"] == 1
    assert "% at 1 scope" in bench.recorded("--end", end, text=series(20, high=range(0))).out


def test_a_span_may_be_chosen(bench: Bench) -> None:
    start = rfc3339(BEGIN + 30 * 60)
    found = document(bench.recorded("--json", "--start", start, "--end", str(BEGIN + 45 * 60)))
    assert [(event["state"], event["at"]) for event in found["events"]] == [
        ("fired", start),
        ("cleared", rfc3339(BEGIN + 42 * 60)),
    ], "what fired before fires at the start"
    assert found["ticks"] == 16


def test_only_one_source_may_be_replaced(bench: Bench) -> None:
    found = document(bench.recorded("--json", "--source", "main"))
    assert found["not_judged"]["edge-silent"] == "its source 'edge' is not read here"
    assert len(found["events"]) == 2


def test_a_file_that_breaks_off_is_said_beside_the_answer(bench: Bench) -> None:
    said = bench.recorded("--json", text=series(eof=False))
    assert "does not end with # EOF" in said.err
    assert len(document(said)["events"]) == 2


def test_more_events_than_fit_are_counted(bench: Bench) -> None:
    often = [n for start in range(0, 5040, 20) for n in range(start, start + 6)]
    said = bench.recorded(text=series(5040, high=often))  # type: ignore[arg-type]
    assert "more; --json has them all" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--series", "FILE", "--prometheus", "http://x"), "one of --series FILE and --prometheus URL"),
        ((), "one of --series FILE and --prometheus URL"),
        (("--series", "/nowhere/x.om"), "/nowhere/x.om: no such file"),
        (("--series", "FILE", "--start", "yesterday"), "--start: "),
        (("--series", "FILE", "--end", "-30"), "--end: "),
        (("--series", "FILE", "--start", "2026-01-05T09:00:00"), "no offset from UTC"),
        (("--series", "FILE", "--start", "now"), "lies before the start"),
        (("--series", "FILE", "--start", "0"), "ticks: shorten the span"),
        (("--series", "FILE", "--source", "mian"), "known are main, edge"),
        (("--prometheus", "http://127.0.0.1:2"), "--start is needed"),
        (("--prometheus", "main", "--start", "-1h"), "write an address"),
        (("--prometheus", "file:///etc/passwd", "--start", "-1h"), "write an address"),
        (("--prometheus", "http://127.0.0.1:1/", "--start", "-1h"), "a secret that the configuration names"),
    ],
)
def test_a_slip_is_a_usage_error(bench: Bench, arguments: tuple[str, ...], said: str) -> None:
    if "--start" in arguments and "0" in arguments:
        bench.config.write_text(bench.config.read_text().replace("poll_interval: 1m", "poll_interval: 1s"))
    bench.file.write_text(series())
    got = bench(*(str(bench.file) if word == "FILE" else word for word in arguments))
    assert got.code == 2
    assert said in got.err
    assert got.out == ""


@pytest.mark.parametrize(
    ("text", "said", "why"),
    [
        (series() + 'depth{tier="hot"} x 1\n', ":63: ", "a line that cannot be read"),
        (series() + 'depth{tier="hot"} 1\n', ":63: a sample of depth has no timestamp", "no time"),
        ("# EOF\n", "has no metric that a detector", "nothing in it"),
        ("other 1 1000\n# EOF\n", "has no metric that a detector", "nothing of ours in it"),
    ],
)
def test_a_file_of_no_use_is_refused_with_its_line(bench: Bench, text: str, said: str, why: str) -> None:
    got = bench.recorded(text=text)
    assert got.code == 2
    assert f"{bench.file}" in got.err
    assert said in got.err


def test_a_configuration_with_mistakes_is_refused(bench: Bench) -> None:
    bench.config.write_text(bench.config.read_text().replace("poll_interval: 1m", "poll_intervall: 1m"))
    got = bench.recorded()
    assert got.code == 2
    assert "poll_intervall" in got.err


class Proxy:
    """A fake history behind a real socket. `seen`: the Authorization headers of its requests."""

    def __init__(self, history: History) -> None:
        self.seen: list[str | None] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.seen.append(self.headers.get("Authorization"))
                try:
                    answer = history.send(Request("GET", self.path), deadline=1e18, max_bytes=10**9)
                    status, body = answer.status, answer.body
                except PortError as error:
                    status, body = 400, str(error).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def history() -> Iterator[tuple[Proxy, History]]:
    """`depth` is high in the first quarter of every hour."""
    depth = {"up": lambda _: 1, "depth": lambda at: 50 if at % 3600 < 900 else 1}
    past = History(series=depth, labels={"tier": "hot"})
    proxy = Proxy(past)
    thread = Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield proxy, past
    proxy.server.shutdown()
    thread.join()
    proxy.server.server_close()


def hours_ago(count: int) -> float:
    return SystemClock().now() // 3600 * 3600 - 3600.0 * count


def test_the_history_of_a_prometheus_is_read_and_kept(
    bench: Bench, history: tuple[Proxy, History], tmp_path: Path
) -> None:
    proxy, _ = history
    start = hours_ago(30)
    span = ("--prometheus", proxy.url, "--start", str(start), "--end", str(start + 86400), "--json")
    for folder, given in (
        (tmp_path / "caches" / "fleetmend", ()),
        (tmp_path / "mine", ("--cache", tmp_path / "mine")),
    ):
        before = len(proxy.seen)
        first = document(bench(*span, *given))
        sent = len(proxy.seen)
        assert sent > before
        assert len([event for event in first["events"] if event["state"] == "fired"]) == 24
        assert document(bench(*span, *given)) == first
        assert len(proxy.seen) == sent, "answered from the folder"
        assert [*folder.glob("*.npz")]
    document(bench(*span, "--no-cache"))
    assert len(proxy.seen) > sent


def test_times_may_be_relative_to_now(bench: Bench, history: tuple[Proxy, History]) -> None:
    found = document(bench("--prometheus", history[0].url, "--start", "-3h", "--end", "now-1h", "--json"))
    assert found["ticks"] == 121
    assert found["events"]


def test_credentials_go_only_to_the_address_they_are_for(
    bench: Bench, history: tuple[Proxy, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, _ = history
    monkeypatch.setenv("PROM_TOKEN", "s3cret-token")
    for url, expected in (("http://127.0.0.1:1", None), (f"{proxy.url}/", "Bearer s3cret-token")):
        bench.config.write_text(CONFIG.format(url=url))
        proxy.seen.clear()
        said = bench("--prometheus", proxy.url, "--start", "-1h", "--json", "--no-cache")
        document(said)
        assert set(proxy.seen) == {expected}
        assert "s3cret" not in said.out + said.err


def test_a_prometheus_that_is_gone_is_no_answer(bench: Bench) -> None:
    said = bench(
        "--prometheus", "http://127.0.0.1:2", "--start", "-30m", "--source", "main", "--json", "--no-cache"
    )
    assert said.code == 1
    found = json.loads(said.out)
    assert found["events"] == []
    assert found["detectors"] == []
    assert "could not be read" in found["not_judged"]["depth-high"]
    (missing,) = found["missing"]
    assert missing["source"] == "main"
    assert "refused" in missing["reason"]
    assert "unknown from" in said.err


def test_a_cache_that_cannot_be_written_is_said(
    bench: Bench, history: tuple[Proxy, History], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    start = str(hours_ago(10))
    said = bench(
        "--prometheus", history[0].url, "--start", start, "--cache", tmp_path / "taken" / "x", "--json"
    )
    assert document(said)["events"]
    assert "answers are not kept for the next time" in said.err


NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW),
        ("-30d", NOW - 30 * 86400),
        ("now-1h30m", NOW - 5400),
        ("1789999999.5", 1_789_999_999.5),
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T16:13:20+02:00", NOW),
    ],
)
def test_instants_are_read_as_people_write_them(text: str, at: float) -> None:
    assert parse_instant("--start", text, NOW) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "now-",
        "--",
        "-1",
        "-99999d",
        "now+1h",
        "1e9",
        "nan",
        "yesterday",
        "99999999999999",
        "999999999999",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--start: "):
        parse_instant("--start", text, NOW)
