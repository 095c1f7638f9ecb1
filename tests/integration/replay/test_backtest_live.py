"""A real Prometheus, filled with the past, and a file of the same samples say the same of it."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.cli.main import invoke
from daemon.clock import SystemClock
from tests.fakes.servers import free_port, wait_until

pytestmark = pytest.mark.live

DAYS = 2
STEP = 60
COUNT = DAYS * 86_400 // STEP
CONFIG = """version: 1
pack: none
poll_interval: 1m
telemetry:
  main: {{type: prometheus, url: "{url}"}}
limits: {{response: {response}}}
detectors:
  storage-writes:
    failure_mode: storage_failure
    signal: {{ratio: {{of: write_errors_total, to: writes_total, by: [tier], window: 5m}}}}
    fire: {{above: 5%, for: 10m}}
    clear: {{below: 2%, for: 5m}}
    minimum: {{events: 20, widen_to: 30m}}
    no_data: {{for: 10m}}
  silent:
    failure_mode: provider_outage
    signal: {{increase: {{of: packets_total, by: [provider], window: 5m}}}}
    fire: {{equals: 0, for: 10m}}
    clear: {{above: 0, for: 2m}}
  api-slow:
    failure_mode: api_degradation
    signal: {{gauge: {{of: latency, by: [endpoint], agg: max}}}}
    fire: {{above: 1, for: 5m}}
    clear: {{below: 1, for: 5m}}
"""
QUERY = """  by-query:
    failure_mode: api_degradation
    signal: {promql: "max by (endpoint) (latency)"}
    fire: {above: 1, for: 5m}
    clear: {below: 1, for: 5m}
"""


def exposition(start: int) -> str:
    """One target: a restart, scrapes that fail, a gap, a provider that falls silent, a value that is none."""
    random = np.random.default_rng(7)
    minute = np.arange(COUNT)
    up = ~((minute >= 700) & (minute < 730))
    scraped = ~((minute >= 1500) & (minute < 1530))
    bad = ((minute // 400) % 3 == 1) & (minute % 400 < 60)

    def counter(growth: Sequence[int] | np.ndarray[Any, Any]) -> list[float]:
        total = np.cumsum(np.broadcast_to(growth, COUNT))
        total[2000:] -= total[1999]
        return [float(value) for value in total]

    families: dict[str, dict[str, list[float]]] = {
        "up": {"": up.astype(float).tolist()},
        "writes_total": {
            'tier="hot"': counter(np.full(COUNT, 50)),
            'tier="cold"': counter(random.integers(0, 3, COUNT)),
        },
        "write_errors_total": {
            'tier="hot"': counter(np.where(bad, 10, 0)),
            'tier="cold"': counter(random.integers(0, 2, COUNT) * bad),
        },
        "packets_total": {
            'provider="a"': counter(np.where(minute % 900 < 45, 0, 30)),
            'provider="b"': counter(random.integers(1, 5, COUNT)),
        },
        "latency": {
            'endpoint="live"': np.where(minute % 500 < 20, 3.5, 0.1 + random.random(COUNT) / 7).tolist(),
            'endpoint="idle"': [math.nan] * COUNT,
        },
    }
    lines = []
    for name, members in families.items():
        lines.append(
            f"# TYPE {name.removesuffix('_total')} {'counter' if name.endswith('_total') else 'gauge'}"
        )
        lines += [
            f"{name}{{{','.join(filter(None, (labels, TARGET)))}}} {shown(value)} {start + STEP * n}"
            for labels, values in members.items()
            for n, value in enumerate(values)
            if scraped[n] and (up[n] or name == "up")
        ]
    return "\n".join([*lines, "# EOF", ""])


TARGET = 'instance="a:1",job="x"'


def shown(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)


@pytest.fixture(scope="module")
def start() -> int:
    """Some days ago, so that all of it is settled; off the grid of spans."""
    return int(SystemClock().now() // 3600 * 3600) - (DAYS + 1) * 86_400 + 1_020


@pytest.fixture(scope="module")
def file(start: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("past") / "series.om"
    path.write_text(exposition(start))
    return path


Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="module")
def serve(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Start a Prometheus on the blocks made of the file; its address."""
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if prometheus is None or promtool is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("tsdb")
    made = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(file), str(folder / "data")]
    subprocess.run(made, check=True, capture_output=True)
    (folder / "p.yml").write_text("global: {}\n")

    @contextmanager
    def started(*flags: str) -> Iterator[str]:
        port = free_port()
        arguments = [
            f"--config.file={folder}/p.yml",
            f"--storage.tsdb.path={folder}/data",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([prometheus, *arguments], stdout=log, stderr=subprocess.STDOUT)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: ready(url) or process.poll() is not None, 30)
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(10)

    return started


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(tmp_path: Path, start: int, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command over the whole of it; its JSON."""

    def run(
        *arguments: str | Path, url: str = "http://127.0.0.1:1", more: str = "", response: str = "64MB"
    ) -> Any:
        config = tmp_path / "fleetmend.yaml"
        config.write_text(CONFIG.format(url=url, response=response) + more)
        span = ("--start", start, "--end", start + STEP * (COUNT - 1))
        line = ("backtest", "--config", config, *span, *arguments, "--cache", tmp_path / "cache", "--json")
        capsys.readouterr()
        code = invoke([str(word) for word in line])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    return run


def fired(found: dict[str, Any], detector: str) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
    return [
        (event["at"], event["state"], tuple(event["scope"].items()))
        for event in found["events"]
        if event["detector"] == detector
    ]


def test_a_prometheus_and_a_file_of_the_same_samples_say_the_same(ask: Ask, serve: Serve, file: Path) -> None:
    recorded = ask("--series", file)
    states = {event["state"] for event in recorded["events"]}
    assert states == {"fired", "cleared", "no_data", "data_back"}, "a past in which much happened"
    assert {event["detector"] for event in recorded["events"]} == {"storage-writes", "silent", "api-slow"}
    with serve() as url:
        fetched = ask("--prometheus", url, url=url)
    assert fetched["events"] == recorded["events"]
    assert fetched["detectors"] == recorded["detectors"]
    assert fetched["missing"] == []
    again = ask("--prometheus", url, url=url)
    assert again == fetched, "the Prometheus is gone, and what it said was kept"


def test_a_server_with_a_small_bound_is_asked_in_parts_that_fit(ask: Ask, serve: Serve, file: Path) -> None:
    recorded = ask("--series", file)
    with serve("--query.max-samples=1500") as url:
        fetched = ask("--prometheus", url, "--no-cache")
        capped = ask("--prometheus", url, "--no-cache", response="20kB")
    assert fetched["missing"] == []
    assert fetched["events"] == capped["events"] == recorded["events"]


def test_a_query_is_evaluated_by_the_server_at_every_tick(ask: Ask, serve: Serve) -> None:
    """On a gauge a query sees what raw samples show."""
    with serve() as url:
        found = ask("--prometheus", url, more=QUERY)
        again = ask("--prometheus", url, more=QUERY)
    assert again == found
    assert len(fired(found, "by-query")) > 4
    assert [one for one in fired(found, "by-query") if one[1] == "fired"] == [
        one for one in fired(found, "api-slow") if one[1] == "fired"
    ]


def test_a_prometheus_that_dies_on_the_way_leaves_the_rest_known(
    ask: Ask, serve: Serve, start: int, file: Path
) -> None:
    """The first day was kept by a shorter run; the second cannot be read any more."""
    recorded = ask("--series", file)
    half = start + 86_400
    with serve() as url:
        ask("--prometheus", url, "--end", half)
    found = ask("--prometheus", url)
    known = [event for event in found["events"] if event["state"] in {"fired", "cleared"}]
    whole = [event for event in recorded["events"] if event["state"] in {"fired", "cleared"}]
    assert known
    assert known == whole[: len(known)]
    assert len(known) < len(whole)
    assert found["missing"]
    assert all(why.startswith("in part: ") for why in found["not_judged"].values())
    assert set(found["not_judged"]) == {"storage-writes", "silent", "api-slow"}
