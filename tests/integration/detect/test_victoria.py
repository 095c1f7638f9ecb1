"""A real VictoriaMetrics holds the same past as a real Prometheus: raw samples, queries and backtests agree.

It keeps values to 13 digits or so, no sample that is no number, and has bounds of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.cli.main import invoke
from daemon.clock import SystemClock
from daemon.detect.sources.base import Query, Wanted
from daemon.detect.sources.prometheus import Prometheus
from daemon.http.door import HttpDoor
from daemon.replay.cache import Cached
from detectors.samples import Batch, Block, Failed
from detectors.spec import PrometheusSource
from tests.fakes import servers
from tests.integration.replay.test_backtest_live import CONFIG, COUNT, QUERY, STEP, exposition, fired

pytestmark = pytest.mark.live

NAMES = frozenset({"writes_total", "write_errors_total", "packets_total", "latency"})
PUSHED = """  pushed:
    failure_mode: storage_failure
    signal: {ratio: {of: write_errors_total, to: writes_total, by: [tier], window: 5m}, pushdown: true}
    fire: {above: 5%, for: 10m}
    clear: {below: 2%, for: 5m}
    minimum: {events: 20, widen_to: 30m}
    no_data: {for: 10m}
"""


@pytest.fixture
def door() -> Iterator[HttpDoor]:
    opened = HttpDoor(SystemClock())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def start() -> int:
    """Some days ago, so that all of it is settled."""
    return int(SystemClock().now() // 3600 * 3600) - 3 * 86_400 + 1_020


@pytest.fixture(scope="module")
def past(start: int) -> str:
    """Without the samples that are no number: a VictoriaMetrics keeps none of them."""
    return "".join(line for line in exposition(start).splitlines(keepends=True) if " NaN " not in line)


@pytest.fixture(scope="module")
def both(past: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of the two, by name."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("prometheus", "victoria")}
    servers.program("victoria-metrics")
    (folders["prometheus"] / "past.om").write_text(past)
    servers.blocks_from(folders["prometheus"] / "past.om", folders["prometheus"] / "data")
    with (
        servers.prometheus(folders["prometheus"]) as prometheus,
        servers.victoria_metrics(folders["victoria"]) as victoria,
    ):
        servers.imported(victoria, re.sub(r" (\d{10})$", r" \g<1>000", past, flags=re.MULTILINE))
        yield {"prometheus": prometheus, "victoria": victoria}


def source(url: str, door: HttpDoor, **spec: Any) -> Prometheus:
    return Prometheus(
        "main", PrometheusSource.model_validate({"type": "prometheus", "url": url, **spec}), door
    )


def fetched(asked: Prometheus, wanted: Wanted, at: float, since: float | None = None) -> Batch | Failed:
    return asked.fetch(wanted, since, at, SystemClock().monotonic() + 20)


def columns(blocks: tuple[Block, ...]) -> dict[Any, tuple[list[float], list[float]]]:
    """(target, series) -> times and values; the order of series is the server's own affair."""
    return {
        (block.target, series): (block.times.tolist(), block.values[:, place].tolist())
        for block in blocks
        for place, series in enumerate(block.series)
    }


def same(one: Batch, other: Batch) -> None:
    mine, theirs = columns(one.blocks), columns(other.blocks)
    assert mine.keys() == theirs.keys()
    assert len(mine) > 6
    for key, (times, values) in mine.items():
        assert times == theirs[key][0], key
        np.testing.assert_allclose(values, theirs[key][1], rtol=1e-12, err_msg=str(key))


@pytest.mark.parametrize(
    ("begin", "minutes", "why"),
    [
        (0, 600, "clean"),
        (690, 60, "scrapes that failed: up is 0 and nothing else is there"),
        (1490, 60, "a gap, in which nothing was written at all"),
        (1990, 20, "a restart"),
    ],
)
def test_raw_samples_are_the_same_from_both(
    both: dict[str, str], door: HttpDoor, start: int, begin: int, minutes: int, why: str
) -> None:
    wanted = Wanted(NAMES, look_back=minutes * 60.0)
    at = start + (begin + minutes) * 60.0 - 0.001
    one, other = (fetched(source(both[name], door), wanted, at) for name in ("prometheus", "victoria"))
    assert isinstance(one, Batch), why
    assert isinstance(other, Batch), why
    same(one, other)


Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, start: int, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The command over the whole past; its JSON."""

    def run(*arguments: str | Path, url: str = "http://127.0.0.1:1") -> Any:
        config = tmp_path / "fleetmend.yaml"
        config.write_text(CONFIG.format(url=url, response="64MB") + QUERY + PUSHED)
        span = ("--start", start, "--end", start + STEP * (COUNT - 1))
        line = ("backtest", "--config", config, *span, *arguments, "--no-cache", "--json")
        capsys.readouterr()
        code = invoke([str(word) for word in line])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    return run


def test_a_backtest_says_the_same_from_both_and_from_a_file(
    ask: Ask, both: dict[str, str], past: str, tmp_path: Path
) -> None:
    """Evaluated by us in all three; a query, by the server."""
    (tmp_path / "past.om").write_text(past)
    told = {name: ask("--prometheus", url, url=url) for name, url in both.items()}
    recorded = ask("--series", tmp_path / "past.om")
    for detector in ("storage-writes", "silent", "api-slow"):
        assert len(fired(recorded, detector)) > 4
        for name, found in told.items():
            assert fired(found, detector) == fired(recorded, detector), (name, detector)
    assert judged(told["victoria"]) == judged(told["prometheus"]) == judged(recorded, "api-slow")
    assert {name: found["missing"] for name, found in told.items()} == {"prometheus": [], "victoria": []}


def judged(found: Any, detector: str = "by-query") -> list[Any]:
    return [one for one in fired(found, detector) if one[1] in {"fired", "cleared"}]


def test_a_query_stops_answering_when_its_server_says_so(ask: Ask, both: dict[str, str]) -> None:
    """Scrapes fail from minute 700 on. Prometheus repeats the last sample for five minutes, VictoriaMetrics for one
    scrape interval; our own evaluation asks for a scrape not older than two of them. `no_data` comes 10 min later.
    """
    dark = {}
    for name, url in both.items():
        found = ask("--prometheus", url, url=url)
        dark[name] = {
            detector: next(seconds(at) for at, state, _ in fired(found, detector) if state == "no_data")
            for detector in ("by-query", "api-slow")
        }
    assert dark["prometheus"]["by-query"] - dark["victoria"]["by-query"] == 4 * STEP
    assert dark["prometheus"]["api-slow"] == dark["victoria"]["api-slow"]


def test_what_is_pushed_down_fires_when_our_own_evaluation_does(ask: Ask, both: dict[str, str]) -> None:
    """Within one evaluation: the servers reckon growth from other samples at the edges of a window."""
    for name, url in both.items():
        found = ask("--prometheus", url, url=url)
        own, pushed = (
            [(at, scope) for at, state, scope in fired(found, detector) if state == "fired"]
            for detector in ("storage-writes", "pushed")
        )
        assert [scope for _, scope in pushed] == [scope for _, scope in own], name
        assert len(own) > 2
        for (one, _), (other, _) in zip(own, pushed, strict=True):
            assert abs(seconds(one) - seconds(other)) <= STEP, name


def seconds(text: str) -> float:
    return float(np.datetime64(text.rstrip("Z")).astype("datetime64[ms]").astype(np.int64)) / 1000


def test_a_query_answers_of_now_and_not_of_half_a_minute_ago(both: dict[str, str], door: HttpDoor) -> None:
    """Left to itself, VictoriaMetrics answers with what was 30 s before, and says that it is of now."""
    clock = SystemClock()
    now = round(clock.now(), 3)
    times = [now - 10.0 * back for back in range(12, -1, -1)]
    lines = [f"fresh_depth {count} {at * 1000:.0f}\n" for count, at in enumerate(times)]
    servers.imported(both["victoria"], "".join(lines))
    query = Query("promql:fresh", "max(fresh_depth)")
    asked = source(both["victoria"], door)
    wanted = Wanted(frozenset(), (query,), look_back=100.0, step=10.0)
    for since in (None, now - 20.0, now - 10.0):
        got = fetched(asked, wanted, now, since)
        assert isinstance(got, Batch)
        block = got.blocks[-1]
        np.testing.assert_array_equal(block.values[:, 1], 12 - (now - block.times) / 10)
    spec = PrometheusSource(type="prometheus", url=both["victoria"])
    past = Cached(asked, spec, clock, None).fetch(wanted, now - 100.0, now, math.inf)
    assert isinstance(past, Batch)
    block = past.blocks[-1]
    assert len(block.times) == 10
    np.testing.assert_array_equal(block.values[:, 1], 12 - (now - block.times) / 10, "a backtest up to now")


def test_more_than_the_server_allows_is_a_failure_with_its_reason(
    both: dict[str, str], door: HttpDoor, start: int
) -> None:
    """Its bound on the length of a query (16 kB) is the first that a large configuration would meet."""
    names = frozenset(f"a_metric_with_a_rather_long_name_of_number_{n:04}_total" for n in range(400))
    got = fetched(source(both["victoria"], door), Wanted(names, look_back=60.0), float(start))
    assert isinstance(got, Failed)
    assert "maxQueryLen" in got.reason
