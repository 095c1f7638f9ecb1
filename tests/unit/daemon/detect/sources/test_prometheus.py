"""The query API as a source: payloads written by hand, one per way it can answer."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import orjson
import pytest

from config.secrets import Environment
from daemon.detect.sources.base import OVERLAP, Query, Wanted
from daemon.detect.sources.prometheus import MOST_SINGLY, Ours, Prometheus
from detectors.rings import Rings
from detectors.samples import Batch, Block, Failed, Series
from detectors.spec import PrometheusSource
from remediations.ports import Ambiguous, Request, Response, TooLarge, Unreachable
from tests.fakes.ports import EPOCH, FakeHttp, answer

URL = "http://prom:9090"
QUERY = f"{URL}/api/v1/query"
WANTED = Wanted(frozenset({"writes_total"}), look_back=600.0, step=15.0)
TARGET = {"job": "storage", "instance": "a:1"}


def series(name: str, values: list[tuple[float, str]], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **TARGET, **labels}, "values": [list(pair) for pair in values]}


def matrix(*result: dict[str, Any], **more: Any) -> Response:
    data = {"resultType": "matrix", "result": list(result)}
    return answer(200, orjson.dumps({"status": "success", "data": data, **more}))


def source(http: FakeHttp, **spec: Any) -> Prometheus:
    return Prometheus(
        "main", PrometheusSource.model_validate({"type": "prometheus", "url": URL, **spec}), http
    )


def fetch(http: FakeHttp, wanted: Wanted = WANTED, since: float | None = None, **spec: Any) -> Batch | Failed:
    return source(http, **spec).fetch(wanted, since, EPOCH, http.clock.monotonic() + 5)


def batch(http: FakeHttp, wanted: Wanted = WANTED, since: float | None = None, **spec: Any) -> Batch:
    got = fetch(http, wanted, since, **spec)
    assert isinstance(got, Batch)
    return got


def arguments(request: Request) -> dict[str, str]:
    text = (request.body or b"").decode() if request.method == "POST" else urlsplit(request.url).query
    return {name: values[0] for name, values in parse_qs(text).items()}


def test_a_target_becomes_one_block_with_its_up() -> None:
    up = series("up", [(EPOCH - 30, "1"), (EPOCH - 15, "1"), (EPOCH, "0")])
    writes = series("writes_total", [(EPOCH - 30, "10"), (EPOCH - 15, "12")], tier="hot")
    got = batch(FakeHttp().on("GET", QUERY, matrix(up, writes)))
    (block,) = got.blocks
    assert dict(block.target) == TARGET
    assert [item.name for item in block.series] == ["up", "writes_total"]
    np.testing.assert_array_equal(block.times, [EPOCH - 30, EPOCH - 15, EPOCH])
    np.testing.assert_array_equal(block.values, [[1, 10], [1, 12], [0, np.nan]])
    assert got.complete


def test_the_first_fetch_takes_the_whole_look_back_and_the_next_only_the_tail() -> None:
    http = FakeHttp().on("GET", QUERY, matrix())
    for since, seconds in ((None, 600.0), (EPOCH - 15, 15.0 + OVERLAP), (EPOCH - 9000, 600.0)):
        fetch(http, since=since)
        asked = arguments(http.requests[-1])
        assert asked["query"] == f'{{__name__=~"up|writes_total"}}[{seconds * 1000:.0f}ms]'
        assert float(asked["time"]) == EPOCH


def test_samples_are_looked_at_as_late_as_the_delay_says() -> None:
    http = FakeHttp().on("GET", QUERY, matrix())
    got = batch(http, delay="15s")
    assert got.at == EPOCH - 15
    assert float(arguments(http.requests[-1])["time"]) == EPOCH - 15


def test_a_warning_makes_the_answer_incomplete() -> None:
    got = batch(FakeHttp().on("GET", QUERY, matrix(warnings=["store 10.0.0.3 did not answer"])))
    assert not got.complete
    assert got.warnings == ("store 10.0.0.3 did not answer",)


def test_advice_about_the_query_is_no_warning() -> None:
    assert batch(FakeHttp().on("GET", QUERY, matrix(infos=["metric might not be a counter"]))).complete


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            answer(503, b'{"status":"error","errorType":"timeout","error":"query timed out"}'),
            "timeout: query",
        ),
        (answer(502, b"<html>bad gateway</html>"), "HTTP 502 without an answer"),
        (
            answer(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}'),
            "expected a matrix",
        ),
        (answer(200, b'{"status":"success","data":{"resultType":"matrix","result":[{}]}}'), "cannot read"),
        (answer(200, b'{"status":"success"'), "HTTP 200 without"),
        (answer(200, b"[]"), "HTTP 200 without"),
        (Unreachable("refused"), "refused"),
        (Ambiguous("no answer within the deadline"), "deadline"),
        (TooLarge("the answer is larger than 64000000 bytes"), "larger"),
    ],
)
def test_whatever_is_no_answer_is_a_failure_with_its_reason(said: Any, reason: str) -> None:
    got = fetch(FakeHttp().on("GET", QUERY, said))
    assert isinstance(got, Failed)
    assert reason in got.reason


def test_an_answer_over_the_byte_cap_is_a_failure() -> None:
    http = FakeHttp().on("GET", QUERY, matrix(series("up", [(EPOCH, "1")])))
    small = Prometheus("main", PrometheusSource(type="prometheus", url=URL), http, max_bytes=10)
    assert isinstance(small.fetch(WANTED, None, EPOCH, http.clock.monotonic() + 5), Failed)


def test_credentials_and_headers_travel_and_are_shown_nowhere() -> None:
    environment = Environment({"TOKEN": "s3cret-token", "TENANT": "tenant-value"})
    spec = PrometheusSource.model_validate(
        {
            "type": "prometheus",
            "url": URL,
            "auth": {"bearer": {"env": "TOKEN"}},
            "headers": {"X-Scope-OrgID": {"env": "TENANT"}, "X-Plain": "yes"},
            "tls": {"ca": "/etc/ca.pem"},
        },
        context=environment.context,
    )
    http = FakeHttp().on("GET", QUERY, Unreachable("refused"))
    asked = Prometheus("main", spec, http)
    got = asked.fetch(WANTED, None, EPOCH, http.clock.monotonic() + 5)
    request = http.requests[0]
    assert request.headers["Authorization"] == "Bearer s3cret-token"
    assert request.headers["X-Scope-OrgID"] == "tenant-value"
    assert request.headers["X-Plain"] == "yes"
    assert request.tls == {"ca": "/etc/ca.pem"}
    assert "s3cret" not in f"{got} {vars(asked)}"


def test_basic_authentication_travels_as_such() -> None:
    environment = Environment({"PASSWORD": "s3cret-word"})
    spec = PrometheusSource.model_validate(
        {
            "type": "prometheus",
            "url": URL,
            "auth": {"basic": {"username": "u", "password": {"env": "PASSWORD"}}},
        },
        context=environment.context,
    )
    http = FakeHttp().on("GET", QUERY, matrix())
    Prometheus("main", spec, http).fetch(WANTED, None, EPOCH, http.clock.monotonic() + 5)
    assert http.requests[0].basic_auth == ("u", "s3cret-word")


def test_a_query_too_long_for_an_address_goes_by_post() -> None:
    names = frozenset(f"a_metric_with_a_long_name_{n:04}_total" for n in range(300))
    http = FakeHttp().on("POST", QUERY, matrix())
    assert isinstance(fetch(http, Wanted(names)), Batch)
    assert "a_metric_with_a_long_name_0299_total" in arguments(http.requests[0])["query"]


def test_up_of_targets_that_never_had_anything_wanted_is_left_out() -> None:
    ours, other = series("up", [(EPOCH, "1")]), series("up", [(EPOCH, "1")])
    other["metric"]["instance"] = "b:1"
    writes = series("writes_total", [(EPOCH, "10")])
    down = series("up", [(EPOCH + 15, "0")])
    http = FakeHttp().on("GET", QUERY, matrix(ours, other, writes), matrix(down, other))
    asked = source(http)
    deadline = http.clock.monotonic() + 5
    first, second = (asked.fetch(WANTED, None, at, deadline) for at in (EPOCH, EPOCH + 15))
    assert isinstance(first, Batch)
    assert isinstance(second, Batch)
    assert [dict(block.target) for block in first.blocks] == [TARGET]
    assert [dict(block.target) for block in second.blocks] == [TARGET], (
        "a target of ours that is down is kept"
    )


def test_a_target_that_begins_to_deliver_brings_the_scrapes_before_it_along() -> None:
    """A scrape a minute ago, long before what is asked for again, worked and had no such series: it began at 0."""
    ups = [series("up", [(EPOCH + at, value)]) for at, value in ((0, "0"), (60, "1"), (120, "1"))]
    writes = series("writes_total", [(EPOCH + 120, "2700")])
    http = FakeHttp().on("GET", QUERY, *(matrix(up) for up in ups[:2]), matrix(ups[2], writes))
    asked = source(http)
    deadline = http.clock.monotonic() + 5
    batches = [
        asked.fetch(WANTED, since, EPOCH + at, deadline)
        for since, at in ((None, 0), (EPOCH, 60), (EPOCH + 60, 120))
    ]
    (block,) = [block for one in batches if isinstance(one, Batch) for block in one.blocks]
    assert (block.times - EPOCH).tolist() == [0, 60, 120]
    assert block.values[:, [one.name for one in block.series].index("up")].tolist() == [0, 1, 1]
    rings = Rings("main", retention=math.inf, max_series=10)
    rings.add(Batch("main", EPOCH + 120, (block,)))
    (ring,) = rings
    assert ring.growth[-1].tolist() == [2700]


def test_of_other_targets_no_more_is_kept_than_is_looked_back_on() -> None:
    ours = Ours()
    target = tuple(sorted(TARGET.items()))
    for at in range(0, 6000, 15):
        up = Block(target, np.array([float(at)]), (Series("up", target),), np.ones((1, 1)))
        assert ours.of([up], 600.0) == ()
    names = (Series("up", target), Series("writes_total", target))
    (block,) = ours.of([Block(target, np.array([6000.0]), names, np.ones((1, 2)))], 600.0)
    assert 600 / 15 <= len(block.times) <= 2 * 600 / 15 + 3
    assert block.times[-2:].tolist() == [5985.0, 6000.0]


def test_native_histograms_and_empty_series_are_passed_over() -> None:
    histogram = {"metric": {"__name__": "h", **TARGET}, "histograms": [[EPOCH, {}]]}
    got = batch(FakeHttp().on("GET", QUERY, matrix(histogram, series("up", [(EPOCH, "1")]))))
    assert got.blocks == ()


PROMQL = Wanted(frozenset(), (Query("promql:abc", "sum by (tier) (x)"),), look_back=60.0, step=15.0)


def vector(*values: tuple[dict[str, str], str], at: float = EPOCH) -> Response:
    result = [{"metric": metric, "value": [at, value]} for metric, value in values]
    body = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return answer(200, orjson.dumps(body))


def queries(http: FakeHttp) -> list[str]:
    return [arguments(request)["query"] for request in http.requests]


def by_query(raw: Response, promql: Any) -> Any:
    def said(request: Request) -> Response:
        got = raw if "__name__" in arguments(request)["query"] else promql
        if isinstance(got, Exception):
            raise got
        return got

    return said


def last(got: Batch) -> Block:
    return got.blocks[-1]


def test_a_query_is_delivered_as_a_series_of_its_own() -> None:
    http = FakeHttp().on(
        "GET", QUERY, by_query(matrix(), vector(({"tier": "hot"}, "3"), ({"tier": "cold"}, "4")))
    )
    block = last(batch(http, PROMQL, since=EPOCH - 15))
    assert queries(http)[-1] == "sum by (tier) (x)"
    assert block.series[1:] == (
        Series("promql:abc", (("tier", "hot"),)),
        Series("promql:abc", (("tier", "cold"),)),
    )
    np.testing.assert_array_equal(block.values, [[1, 3, 4]])


RANGE = f"{URL}/api/v1/query_range"


def test_the_history_of_a_query_is_read_back_at_the_start() -> None:
    """Half a minute and older by range; newer than that one by one, since a range may repeat older values there."""
    said = matrix({"metric": {"tier": "hot"}, "values": [[EPOCH - 30, "1"]]})
    now = {EPOCH - 15: "2", EPOCH: "3"}
    http = FakeHttp().on("GET", RANGE, said)
    http.on("GET", QUERY, lambda request: one_of(now, request))
    block = last(batch(http, PROMQL))
    (ranged,) = http.sent("GET", RANGE)
    asked = arguments(ranged)
    assert (float(asked["start"]), float(asked["end"])) == (EPOCH - 45, EPOCH - 30)
    np.testing.assert_array_equal(block.times, EPOCH - np.array([45.0, 30.0, 15.0, 0.0]))
    np.testing.assert_array_equal(block.values[:, 1], [np.nan, 1, 2, 3])


def one_of(values: dict[float, str], request: Request) -> Response:
    """The samples of the selector: none; the query: what stands at its time."""
    asked = arguments(request)
    raw = "__name__" in asked["query"]
    at = float(asked["time"])
    return matrix() if raw else vector(({"tier": "hot"}, values[at]), at=at)


def test_so_many_instants_are_asked_for_one_by_one_and_no_more() -> None:
    """At 0.25 s a step 120 lie in the newest half minute: what is left out stays unknown, and is not guessed."""
    http = FakeHttp().on("GET", RANGE, matrix()).on("GET", QUERY, by_query(matrix(), vector()))
    block = last(batch(http, Wanted(frozenset(), PROMQL.queries, look_back=60.0, step=0.25)))
    assert len(http.requests) - len(http.sent("GET", RANGE)) == 1 + MOST_SINGLY
    assert len(block.times) == 120 + MOST_SINGLY


def test_no_server_is_to_answer_a_query_from_rounded_instants() -> None:
    http = FakeHttp().on("GET", RANGE, matrix()).on("GET", QUERY, by_query(matrix(), vector()))
    batch(http, PROMQL)
    assert all(arguments(one)["nocache"] == "1" for one in http.requests[1:])


@pytest.mark.parametrize("status", [401, 403])
def test_a_source_that_lets_nobody_in_is_told_by_number_and_never_by_its_own_words(status: int) -> None:
    echo = b'{"status":"error","errorType":"unauthorized","error":"bad token s3cret-token"}'
    got = fetch(FakeHttp().on("GET", QUERY, answer(status, echo)))
    assert isinstance(got, Failed)
    assert got.reason.startswith(f"HTTP {status}: not let in")
    assert "s3cret" not in got.reason


@pytest.mark.parametrize(
    "said",
    [Ambiguous("late"), answer(422, b'{"status":"error","errorType":"execution","error":"many-to-many"}')],
)
def test_a_query_that_fails_is_unknown_and_takes_nothing_else_along(said: Any) -> None:
    raw = matrix(series("up", [(EPOCH, "1")]), series("writes_total", [(EPOCH, "10")]))
    got = batch(FakeHttp().on("GET", QUERY, by_query(raw, said)), PROMQL, since=EPOCH - 15)
    assert got.complete
    assert len(got.blocks) == 2
    np.testing.assert_array_equal(last(got).values, [[0.0]])
    assert got.warnings[0].startswith("sum by (tier) (x): "), "and says which, and why"


def test_a_scalar_is_a_series_without_labels() -> None:
    body = {"status": "success", "data": {"resultType": "scalar", "result": [EPOCH, "7"]}}
    http = FakeHttp().on("GET", QUERY, by_query(matrix(), answer(200, orjson.dumps(body))))
    assert last(batch(http, PROMQL, since=EPOCH - 15)).series[1] == Series("promql:abc", ())
