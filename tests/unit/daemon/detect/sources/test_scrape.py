"""Direct scraping: what the fetch of several targets says about each of them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from daemon.detect.sources.base import Wanted
from daemon.detect.sources.scrape import Scrape
from detectors.samples import UP, Batch, Block
from detectors.spec import ScrapeSource
from remediations.ports import Ambiguous, Request, Response, Unreachable
from tests.fakes.ports import EPOCH, FakeHttp, answer

URL = "http://ingest-1:9100/metrics"
WANTED = Wanted(frozenset({"received_total"}))


def text(value: int = 5, lines: int = 100, **more: Any) -> str:
    rows = [f'received_total{{provider="navixy"}} {value}\n', *(f"other_{n} 1\n" for n in range(lines - 1))]
    rows += [f"{name} {number}\n" for name, number in more.items()]
    return "".join(rows)


def scrape(http: FakeHttp, *targets: Any, **spec: Any) -> Scrape:
    section = {"type": "scrape", "targets": list(targets) or [URL], **spec}
    return Scrape("edge", ScrapeSource.model_validate(section), http, http.clock)


def fetch(asked: Scrape, http: FakeHttp, at: float = EPOCH, wanted: Wanted = WANTED) -> Batch:
    got = asked.fetch(wanted, None, at, http.clock.monotonic() + 5)
    assert isinstance(got, Batch)
    return got


def only(got: Batch) -> Block:
    (block,) = got.blocks
    return block


def test_target_labels_are_joined_and_up_is_made_up() -> None:
    http = FakeHttp().on("GET", URL, answer(200, text()))
    block = only(fetch(scrape(http, {"url": URL, "labels": {"site": "eu"}}), http))
    target = {"job": "edge", "instance": "ingest-1:9100", "site": "eu"}
    assert dict(block.target) == target
    assert [(item.name, dict(item.labels)) for item in block.series] == [
        (UP, target),
        ("received_total", {**target, "provider": "navixy"}),
    ]
    np.testing.assert_array_equal(block.times, [EPOCH])
    np.testing.assert_array_equal(block.values, [[1, 5]])


def test_target_labels_win_over_labels_of_the_same_name() -> None:
    body = 'received_total{job="x",exported_job="y",instance="z"} 1\n'
    block = only(fetch(scrape(http := FakeHttp().on("GET", URL, answer(200, body))), http))
    labels = dict(block.series[1].labels)
    assert labels["job"] == "edge"
    assert labels["instance"] == "ingest-1:9100"
    assert labels["exported_instance"] == "z"
    assert sorted(value for name, value in labels.items() if name.startswith("exported")) == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Unreachable("refused"), "nobody listens"),
        (Ambiguous("no answer within the deadline"), "silence"),
        (answer(500, text()), "an error page is no exposition"),
        (answer(200, b'received_total{p="\xff"} 1\n'), "not UTF-8"),
        (answer(200, "received_total one\n"), "a wanted line makes no sense"),
        (answer(200, text() + 'received_total{provider="oem'), "cut off in the middle of a line"),
    ],
)
def test_a_target_that_gives_nothing_usable_is_down(said: Any, why: str) -> None:
    http = FakeHttp().on("GET", URL, said)
    got = fetch(scrape(http), http)
    assert [item.name for item in only(got).series] == [UP], why
    np.testing.assert_array_equal(only(got).values, [[0.0]])
    assert got.warnings
    assert got.complete, "the other targets of the source still count"


def scraped(http: FakeHttp, bodies: list[str]) -> list[float]:
    """`up` after each of the bodies, scraped one after the other."""
    http.on("GET", URL, *(answer(200, body) for body in bodies))
    asked = scrape(http)
    return [float(only(fetch(asked, http, EPOCH + 15 * n)).values[0, 0]) for n in range(len(bodies))]


def test_a_scrape_with_less_than_half_of_the_usual_lines_is_unknown() -> None:
    assert scraped(FakeHttp(), [text()] * 5 + [text(lines=49)] + [text()]) == [1, 1, 1, 1, 1, 0, 1]


def test_a_scrape_with_half_of_the_usual_lines_counts() -> None:
    assert scraped(FakeHttp(), [text()] * 5 + [text(lines=50)]) == [1] * 6


def test_a_process_that_was_restarted_may_begin_with_fewer_lines() -> None:
    before, after = ({"process_start_time_seconds": at} for at in (1000, 2000))
    assert scraped(FakeHttp(), [text(**before)] * 5 + [text(lines=10, **after)]) == [1] * 6


def test_a_lasting_loss_of_lines_becomes_the_usual() -> None:
    ups = scraped(FakeHttp(), [text()] * 10 + [text(lines=10)] * 15)
    assert ups[10] == 0
    assert ups[-1] == 1


@pytest.mark.parametrize(("age", "taken"), [(0, True), (29, True), (31, False), (-29, True), (-31, False)])
def test_a_sample_that_the_exporter_repeats_from_memory_is_left_out(age: float, taken: bool) -> None:
    http = FakeHttp().on("GET", URL, answer(200, f"received_total 5 {(EPOCH - age) * 1000:.0f}\n"))
    assert len(only(fetch(scrape(http, every="15s"), http)).series) == (2 if taken else 1)


def test_the_first_of_two_lines_for_one_series_counts() -> None:
    http = FakeHttp().on("GET", URL, answer(200, "received_total 1\nreceived_total 2\n"))
    np.testing.assert_array_equal(only(fetch(scrape(http), http)).values, [[1, 1]])


def test_what_is_wanted_may_change_between_scrapes() -> None:
    http = FakeHttp().on("GET", URL, answer(200, "received_total 1\nother 2\n"))
    asked = scrape(http)
    fetch(asked, http)
    block = only(fetch(asked, http, wanted=Wanted(frozenset({"other"}))))
    assert [item.name for item in block.series] == [UP, "other"]


def test_two_targets_on_one_host_stay_apart() -> None:
    http = (
        FakeHttp()
        .on("GET", "http://h:1/a", answer(200, text(1)))
        .on("GET", "http://h:1/b", answer(200, text(2)))
    )
    targets = [block.target for block in fetch(scrape(http, "http://h:1/a", "http://h:1/b"), http).blocks]
    assert len(set(targets)) == 2


def test_the_port_of_the_scheme_is_part_of_the_instance() -> None:
    http = FakeHttp()
    instances = [
        dict(block.target)["instance"]
        for block in fetch(
            scrape(http, "http://a/metrics", "https://b/metrics", "http://[::1]:9/m"), http
        ).blocks
    ]
    assert instances == ["a:80", "b:443", "[::1]:9"]


class SlowHttp:
    """The dead target answers only when the living one has been answered."""

    def __init__(self, http: FakeHttp) -> None:
        self.http = http
        self.living_answered = threading.Event()
        self.deadlines: list[float] = []

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        self.deadlines.append(deadline)
        if "dead" in request.url:
            assert self.living_answered.wait(5), "the dead target held up the living one"
            raise Ambiguous("no answer within the deadline")
        got = self.http.send(request, deadline=deadline, max_bytes=max_bytes)
        self.living_answered.set()
        return got


def test_a_dead_target_does_not_delay_the_others() -> None:
    http = FakeHttp().on("GET", URL, answer(200, text()))
    slow = SlowHttp(http)
    section = {"type": "scrape", "targets": ["http://dead:1/metrics", URL], "timeout": "2s"}
    asked = Scrape("edge", ScrapeSource.model_validate(section), slow, http.clock)
    got = asked.fetch(WANTED, None, EPOCH, http.clock.monotonic() + 60)
    asked.close()
    assert isinstance(got, Batch)
    assert [float(block.values[0, 0]) for block in got.blocks] == [0, 1]
    assert slow.deadlines == [http.clock.monotonic() + 2] * 2, "each has its own deadline"
