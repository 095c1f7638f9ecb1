"""A long history is fetched in parts that fit, once, and whatever does not come is unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from config.secrets import Environment
from daemon.detect.sources.base import Query, Wanted
from daemon.detect.sources.prometheus import Prometheus
from daemon.replay.cache import SETTLED, SPAN, Cached, Missing, joined
from daemon.replay.shelf import Shelf
from detectors.samples import Batch, Failed, Series
from detectors.spec import PrometheusSource
from remediations.ports import Ambiguous, PortError, Response, Unreachable
from tests.fakes.history import TARGET, History, error, minutes
from tests.fakes.ports import FakeClock

URL = "http://prom:9090"
NOW = 1_767_614_400.0
"""A turn of the grid of spans."""
BEGIN = NOW - 10 * SPAN
WANTED = Wanted(frozenset({"writes_total"}), look_back=600.0, step=60.0)
HOUR = 3600.0


@dataclass
class Place:
    """One folder and one clock; every `cached` is a run of its own."""

    folder: Path
    server: History = field(default_factory=History)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    waits: list[float] = field(default_factory=list)

    def cached(self, spec: PrometheusSource | None = None, *, shelf: bool = True) -> Cached:
        spec = spec or PrometheusSource(type="prometheus", url=URL)

        def pause(seconds: float) -> None:
            self.waits.append(seconds)
            self.clock.advance(seconds)

        source = Prometheus("main", spec, self.server)
        return Cached(source, spec, self.clock, Shelf(self.folder) if shelf else None, pause=pause)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "cache")


def fetch(
    source: Cached, begin: float, end: float, wanted: Wanted = WANTED
) -> dict[tuple[str, float], float]:
    """All samples, each of which may come once only."""
    got = source.fetch(wanted, begin, end, np.inf)
    assert isinstance(got, Batch), got
    found: dict[tuple[str, float], float] = {}
    for block in got.blocks:
        for row, column in zip(*np.nonzero(~np.isnan(block.values)), strict=True):
            key = (block.series[column].name, float(block.times[row]))
            assert key not in found
            found[key] = float(block.values[row, column])
    return found


def expected(begin: float, end: float) -> dict[tuple[str, float], float]:
    times = np.arange(np.floor(begin / 60) + 1, np.floor(end / 60) + 1) * 60.0
    return {(name, at): minutes(at) for name in ("up", "writes_total") for at in times.tolist()}


def test_samples_lie_after_since_and_up_to_now(place: Place) -> None:
    begin, end = BEGIN + 60, BEGIN + 2.5 * SPAN
    assert fetch(place.cached(), begin, end) == expected(begin, end)


def test_what_was_fetched_once_is_not_fetched_again_by_a_later_run(place: Place) -> None:
    begin, end = BEGIN + 7 * HOUR, BEGIN + 20 * HOUR
    first = fetch(place.cached(), begin, end)
    sent = len(place.server.requests)
    assert sent == 3, "one question per span of the grid"
    assert fetch(place.cached(), begin, end) == first
    assert fetch(place.cached(), begin + HOUR, end + HOUR) == expected(begin + HOUR, end + HOUR)
    assert len(place.server.requests) == sent


def test_any_chunking_brings_the_same_samples_once(place: Place) -> None:
    begin, end = BEGIN + 1000, NOW - 5
    for parts in (1, 3, 17):
        edges = np.linspace(begin, end, parts + 1).tolist()
        source = place.cached()
        found: dict[tuple[str, float], float] = {}
        for first, last in pairwise(edges):
            found |= fetch(source, first, last)
        assert found == expected(begin, end)


def test_the_newest_minutes_are_asked_for_anew(place: Place) -> None:
    """Late samples may still come."""
    for _ in range(2):
        assert fetch(place.cached(), NOW - 2 * HOUR, NOW) == expected(NOW - 2 * HOUR, NOW)
    assert len(place.server.requests) == 2
    assert place.files == []
    place.clock.advance(SETTLED)
    for _ in range(2):
        fetch(place.cached(), NOW - 2 * HOUR, NOW)
    assert len(place.server.requests) == 3
    assert len(place.files) == 1


def test_samples_are_looked_at_as_late_as_the_delay_says(place: Place) -> None:
    spec = PrometheusSource.model_validate({"type": "prometheus", "url": URL, "delay": "5m"})
    begin, end = BEGIN, BEGIN + HOUR
    assert fetch(place.cached(spec), begin, end + 300) == expected(begin, end)
    place.clock.advance(SETTLED)
    fetch(place.cached(spec), NOW - HOUR, NOW + 300)
    assert len(place.files) == 1, "settled only when late samples of a late source are in"


def test_nothing_is_asked_about_the_future(place: Place) -> None:
    fetch(place.cached(), NOW - HOUR, NOW + HOUR)
    times = [float(parse_qs(urlsplit(request.url).query)["time"][0]) for request in place.server.requests]
    assert max(times) <= NOW + HOUR


def test_an_empty_answer_is_asked_for_again(place: Place) -> None:
    """It costs little, and may have been filled in since; while nobody answers it holds."""
    place.server.series = {}
    assert fetch(place.cached(), BEGIN, BEGIN + HOUR) == {}
    place.server.troubles = [Unreachable("connection refused")] * 3
    assert fetch(place.cached(), BEGIN, BEGIN + HOUR) == {}
    place.server.series = History().series
    assert fetch(place.cached(), BEGIN, BEGIN + HOUR) == expected(BEGIN, BEGIN + HOUR)


@pytest.mark.parametrize(
    ("bounds", "why"),
    [({"most": 200}, "the server's bound on samples"), ({"most_bytes": 5_000}, "our own bound on bytes")],
)
def test_an_answer_over_a_bound_is_asked_for_in_halves(
    place: Place, bounds: dict[str, int], why: str
) -> None:
    place.server = History(**bounds)
    begin, end = BEGIN, BEGIN + 2 * SPAN
    assert fetch(place.cached(), begin, end) == expected(begin, end)
    sent = len(place.server.requests)
    assert place.server.refused < 6, "what did not fit once is not tried with the next span"
    assert fetch(place.cached(), begin, end) == expected(begin, end)
    assert len(place.server.requests) == sent, "halves are remembered too"


def test_what_does_not_even_fit_in_small_parts_is_unknown(place: Place) -> None:
    place.server.most = 1
    source = place.cached()
    got = source.fetch(WANTED, BEGIN, BEGIN + HOUR, np.inf)
    assert isinstance(got, Failed)
    assert "too many samples" in got.reason
    assert source.missing == [Missing(BEGIN, BEGIN + HOUR, got.reason)]
    assert len(place.server.requests) < 10


@pytest.mark.parametrize(
    "trouble",
    [
        Unreachable("connection refused"),
        Ambiguous("connection lost"),
        Response(502, {}, b"<html>", 0.01),
        Response(429, {}, b"slow down", 0.01),
        error(503, "unavailable", "starting up"),
    ],
)
def test_a_lost_answer_is_asked_for_again(place: Place, trouble: Response | PortError) -> None:
    source = place.cached()
    for begin, times in ((BEGIN, 2), (BEGIN + SPAN, 4)):
        place.server.troubles = [trouble] * times
        place.waits.clear()
        assert fetch(source, begin, begin + HOUR) == expected(begin, begin + HOUR)
        assert len(place.waits) == times
        assert place.waits == sorted(place.waits), "pauses grow"


def test_an_answer_that_does_not_come_is_unknown_and_ends_nothing(place: Place) -> None:
    place.server.troubles = [Unreachable("connection refused")] * 3
    source = place.cached()
    failed = source.fetch(WANTED, BEGIN, BEGIN + HOUR, np.inf)
    assert isinstance(failed, Failed)
    assert failed.reason == "connection refused"
    before = source.answered
    assert fetch(source, BEGIN + HOUR, BEGIN + 2 * HOUR) == expected(BEGIN + HOUR, BEGIN + 2 * HOUR)
    assert (before, source.answered) == (False, True)
    assert source.missing == [Missing(BEGIN, BEGIN + HOUR, "connection refused")]


def test_a_server_that_is_gone_is_waited_for_once_only(place: Place) -> None:
    place.server.troubles = [Unreachable("connection refused")] * 100
    source = place.cached()
    for number in range(10):
        source.fetch(WANTED, BEGIN + number * HOUR, BEGIN + (number + 1) * HOUR, np.inf)
    assert len(place.server.requests) == 3 + 9
    assert sum(place.waits) < 60


def test_no_try_outlasts_the_deadline(place: Place) -> None:
    place.server.troubles = [Unreachable("connection refused")] * 100
    begun = place.clock.monotonic()
    place.cached().fetch(WANTED, BEGIN, BEGIN + HOUR, begun + 2.0)
    assert place.clock.monotonic() < begun + 2.0


def test_a_question_that_makes_no_sense_is_asked_once(place: Place) -> None:
    place.server.troubles = [error(400, "bad_data", "parse error")]
    assert isinstance(place.cached().fetch(WANTED, BEGIN, BEGIN + HOUR, np.inf), Failed)
    assert len(place.server.requests) == 1
    assert place.waits == []


def test_an_answer_with_a_warning_is_partial_and_not_kept(place: Place) -> None:
    place.server.warnings = ["store 3 did not answer"]
    got = place.cached().fetch(WANTED, BEGIN, BEGIN + HOUR, np.inf)
    assert isinstance(got, Batch)
    assert not got.complete
    assert place.files == []


def test_up_of_targets_without_anything_wanted_is_left_out_whatever_was_remembered(place: Place) -> None:
    """The target is ours from the second span on, and down in the third."""
    turn = BEGIN + SPAN
    place.server.series = {"up": minutes, "writes_total": lambda at: 1 if turn < at <= turn + SPAN else None}
    for _ in range(2):
        source = place.cached()
        names = [
            {name for name, _ in fetch(source, BEGIN + n * SPAN, BEGIN + (n + 1) * SPAN)} for n in range(3)
        ]
        assert names == [set(), {"up", "writes_total"}, {"up"}]


PROMQL = Wanted(frozenset(), (Query("promql:abc", "sum by (tier) (x)"),), look_back=60.0, step=15.0)


def test_queries_are_evaluated_at_the_ticks_of_the_replay(place: Place) -> None:
    begin, end = BEGIN + 7.5, BEGIN + 7.5 + 13 * HOUR
    for _ in range(2):
        found = fetch(place.cached(), begin, end, PROMQL)
        times = [at for name, at in found if name == "promql:abc"]
        np.testing.assert_allclose(times, np.arange(begin + 15, end + 1, 15))
    sent = len(place.server.requests)
    fetch(place.cached(), begin + 5, end + 5, PROMQL)
    assert len(place.server.requests) == 2 * sent, "other ticks are another question"


def test_a_query_that_is_refused_is_unknown_and_takes_nothing_else_along(place: Place) -> None:
    place.server.refuse_queries = True
    wanted = Wanted(WANTED.names, PROMQL.queries, look_back=60.0, step=60.0)
    source = place.cached()
    got = source.fetch(wanted, BEGIN, BEGIN + HOUR, np.inf)
    assert isinstance(got, Batch)
    block = next(block for block in got.blocks if dict(block.target).get("query"))
    assert not block.values.any(), "up of the query is 0 at every instant"
    assert len(block.times) == 60
    assert "parse error" in source.missing[0].reason
    assert place.files == []


def test_a_step_so_short_that_a_span_has_too_many_points_is_asked_in_halves(place: Place) -> None:
    wanted = Wanted(frozenset(), PROMQL.queries, look_back=60.0, step=1.0)
    found = fetch(place.cached(), BEGIN, BEGIN + SPAN, wanted)
    assert len([1 for name, _ in found if name == "promql:abc"]) == SPAN


def test_no_cache_keeps_nothing(place: Place) -> None:
    fetch(place.cached(shelf=False), BEGIN, BEGIN + HOUR)
    assert place.files == []


def secret_spec(tenant: str = "plain") -> PrometheusSource:
    environment = Environment({"TOKEN": "s3cret-token", "TENANT": "s3cret-tenant"})
    spec = {
        "type": "prometheus",
        "url": "http://prom:9090",
        "auth": {"bearer": {"env": "TOKEN"}},
        "headers": {"X-Key": {"env": "TENANT"}, "X-Scope-OrgID": tenant},
    }
    return PrometheusSource.model_validate(spec, context=environment.context)


def test_no_secret_reaches_a_name_or_a_file(place: Place) -> None:
    fetch(place.cached(secret_spec()), BEGIN, BEGIN + HOUR)
    (path,) = place.files
    assert b"s3cret" not in path.name.encode() + path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert place.folder.stat().st_mode & 0o077 == 0


def test_another_tenant_is_another_question(place: Place) -> None:
    for tenant in ("one", "two"):
        fetch(place.cached(secret_spec(tenant)), BEGIN, BEGIN + HOUR)
    assert len(place.files) == 2


def test_missing_spans_that_touch_are_told_as_one() -> None:
    told = [Missing(60, 120, "a"), Missing(0, 59.9996, "a"), Missing(120, 180, "b"), Missing(300, 360, "a")]
    assert joined(told) == [Missing(0, 120, "a"), Missing(120, 180, "b"), Missing(300, 360, "a")]


def test_series_that_are_not_in_a_chunk_are_not_in_its_batch(place: Place) -> None:
    """As if it had been fetched for the chunk alone: a column of nothing would look like a series that vanished."""
    place.server.series = {**History().series, "writes_total": lambda at: 1 if at > BEGIN + HOUR else None}
    source = place.cached()
    assert isinstance(source.fetch(WANTED, BEGIN + HOUR, BEGIN + 2 * HOUR, np.inf), Batch)
    got = source.fetch(WANTED, BEGIN, BEGIN + HOUR, np.inf)
    assert isinstance(got, Batch)
    assert [block.series for block in got.blocks] == [(Series("up", tuple(TARGET.items())),)]
