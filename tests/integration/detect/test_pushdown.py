"""A signal's query says on a real server what our own evaluation of the raw samples says; where it does not, how much.

On clean data (scrapes on time, counters that only grow, targets that answer) the two agree for every kind of signal.
Each divergence stands here with its numbers, and in docs/howto/add-a-detector.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from config.scope import WHOLE, Scope, scope_of
from daemon.clock import SystemClock
from daemon.detect.plan import Sections, pushed_down
from daemon.detect.sources.base import Query, Wanted
from daemon.detect.sources.prometheus import Prometheus
from daemon.http.door import HttpDoor
from daemon.replay.backtest import backtest
from detectors.promql import promql
from detectors.rings import Rings
from detectors.rule import Signal, rule_of
from detectors.samples import Batch, Failed, Floats, Series
from detectors.signals import measure
from detectors.spec import KINDS as SIGNALS
from detectors.spec import DetectorSpec, PrometheusSource
from detectors.values import Quality, Values
from tests.fakes import servers
from tests.fakes.prometheus import open_metrics, scrapes

pytestmark = pytest.mark.live

STEP, SCRAPES = 15.0, 241
"""One hour of scrapes every 15 s."""
COUNTED = ("writes_total", "errors_total")
MINUTE = 4
"""Scrapes in a minute."""


def series(name: str, **labels: str) -> Series:
    return Series(name, tuple(sorted(labels.items())))


def growing(each: float, start: float = 1_000.0) -> list[float]:
    return [start + each * n for n in range(SCRAPES)]


def clean(start: float) -> dict[Series, list[tuple[float, float]]]:
    """Two targets that count for two tiers, and two whose clocks and depths differ."""
    found: dict[Series, list[tuple[float, float]]] = {}
    for index, instance in enumerate(("clean:1", "clean:2")):
        rows: dict[Series, Sequence[float | None]] = {}
        for tier, errors, total in (("hot", 7.0, 100.0), ("cold", 1.0, 3.0)):
            rows[series("writes_total", tier=tier)] = growing(total + index)
            rows[series("errors_total", tier=tier)] = growing(errors)
            for edge, share in (("0.5", 0.9), ("2", 0.98), ("+Inf", 1.0)):
                rows[series("took_seconds_bucket", tier=tier, le=edge)] = growing(total * share)
            rows[series("depth", tier=tier)] = [10.0 * index + n % 7 for n in range(SCRAPES)]
            rows[series("rising", tier=tier)] = growing(total + index, 20.0)
            rows[series("backup_at", tier=tier)] = [
                start - 500 * (index + 1) + 60 * (n // 40) for n in range(SCRAPES)
            ]
        found |= scrapes(rows, [True] * SCRAPES, begin=start, step=STEP, instance=instance)
    return found


def odd(start: float) -> dict[Series, list[tuple[float, float]]]:
    """What is not clean, each on a target of its own."""
    flat = [5_000.0] * SCRAPES
    burst = [*flat[:120], *[5_010.0] * (SCRAPES - 120)]
    dipped = [1_000_000.0 + 30 * n - (40 if n >= 120 else 0) for n in range(SCRAPES)]
    dipped[121:] = [1_000_000.0 + 30 * n for n in range(121, SCRAPES)]
    restarted = [30.0 * n if n < 121 else 30.0 * (n - 121) for n in range(SCRAPES)]
    born: list[float | None] = [None] * 120 + [2_700.0] * (SCRAPES - 120)
    gone = [n < 120 or n >= 160 for n in range(SCRAPES)]
    idle = [1_000.0 + 100 * min(n, 120) for n in range(SCRAPES)]
    up = [True] * SCRAPES
    found: dict[Series, list[tuple[float, float]]] = {}
    written: list[tuple[str, list[float] | list[float | None], list[bool]]] = [
        ("burst_total", burst, up),
        ("dipped_total", dipped, up),
        ("restarted_total", restarted, up),
        ("born_total", born, up),
        ("level", [700.0] * SCRAPES, gone),
        ("idle_total", idle, up),
        ("idle_errors_total", [value / 10 for value in idle], up),
    ]
    for number, (name, values, ups) in enumerate(written):
        beside = {series("other", of=name): [1.0] * SCRAPES}
        instance = f"odd:{min(number, 5)}"
        rows: dict[Series, Sequence[float | None]] = {series(name): values, **(beside if number < 6 else {})}
        found |= scrapes(rows, ups, begin=start, step=STEP, instance=instance)
    return found


@dataclass
class Both:
    """Raw samples as the daemon reads them, and the server that evaluates queries."""

    start: float
    source: Prometheus
    rings: Rings

    def ticks(self, first: int, last: int, *, off: float = 0.0) -> Floats:
        """Evaluations at these scrapes' instants, or `off` seconds after them."""
        return self.start + STEP * np.arange(first, last + 1, dtype=np.float64) + off

    def own(self, signal: Signal, ticks: Floats) -> Values:
        return measure(signal, self.rings, ticks)

    def pushed(self, text: str, ticks: Floats) -> dict[Scope, Floats]:
        """The server's answer, NaN where it has none."""
        deadline = SystemClock().monotonic() + 20
        block = self.source.answer(Query("promql:q", text), ticks.tolist(), STEP, deadline, [])
        return {
            scope_of(one.labels): block.values[:, place]
            for place, one in enumerate(block.series)
            if one.name == "promql:q"
        }


@pytest.fixture(scope="module")
def start() -> float:
    return SystemClock().now() // 3600 * 3600 - 86_400


@pytest.fixture(scope="module")
def samples(start: float) -> dict[Series, list[tuple[float, float]]]:
    return clean(start) | odd(start)


@pytest.fixture(scope="module")
def door() -> Iterator[HttpDoor]:
    opened = HttpDoor(SystemClock())
    yield opened
    opened.close()


def both(url: str, door: HttpDoor, start: float, samples: dict[Series, list[tuple[float, float]]]) -> Both:
    source = Prometheus("main", PrometheusSource(type="prometheus", url=url), door)
    rings = Rings("main", retention=math.inf, max_series=1_000, interval=STEP)
    names = frozenset(one.name for one in samples)
    clock = SystemClock()
    end = start + STEP * SCRAPES
    got = source.fetch(Wanted(names, look_back=STEP * SCRAPES + 60), None, end, clock.monotonic() + 20)
    assert isinstance(got, Batch), got
    rings.add(got)
    return Both(start, source, rings)


@pytest.fixture(scope="module")
def prometheus(
    start: float,
    samples: dict[Series, list[tuple[float, float]]],
    door: HttpDoor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("pushed")
    (folder / "series.om").write_text(open_metrics(samples))
    servers.blocks_from(folder / "series.om", folder / "data")
    with servers.prometheus(folder) as url:
        yield both(url, door, start, samples)


@pytest.fixture(scope="module")
def victoria(
    start: float,
    samples: dict[Series, list[tuple[float, float]]],
    door: HttpDoor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Both]:
    with servers.victoria_metrics(tmp_path_factory.mktemp("pushed")) as url:
        text = re.sub(r" (\d{10})\.(\d{3})$", r" \1\2", open_metrics(samples), flags=re.MULTILINE)
        servers.imported(url, text)
        yield both(url, door, start, samples)


@dataclass(frozen=True)
class Soon:
    """Fits `Source`; a backtest waits for ever, and the door for no longer than a clock can count."""

    source: Prometheus

    @property
    def name(self) -> str:
        return self.source.name

    def fetch(self, wanted: Wanted, since: float | None, now: float, deadline: float) -> Batch | Failed:
        return self.source.fetch(wanted, since, now, SystemClock().monotonic() + 20)

    def close(self) -> None:
        self.source.close()


def signal(minimum: dict[str, Any] | None = None, **section: Any) -> Signal:
    spec = {"failure_mode": "storage_failure", "signal": section, "fire": {"above": 1}}
    spec |= {"minimum": minimum} if minimum else {}
    return rule_of("d", DetectorSpec.model_validate(spec), default_source="main", step=STEP).signal


BY = {"by": ["tier"], "window": "2m"}
KINDS: dict[str, dict[str, Any]] = {
    "rate": {"rate": {"of": "writes_total", **BY}},
    "increase": {"increase": {"of": "writes_total", **BY}},
    "increase of two": {"increase": {"of": list(COUNTED), **BY}},
    "increase of all": {"increase": {"of": "writes_total", "window": "2m"}},
    "ratio": {"ratio": {"of": "errors_total", "to": "writes_total", **BY}},
    "ratio to two": {"ratio": {"of": "errors_total", "to": list(COUNTED), **BY}},
    "ratio where": {"ratio": {"of": "errors_total", "to": "writes_total", "where": {"tier": "hot"}, **BY}},
    "share over": {"share_over": {"of": "took_seconds", "bound": 0.5, **BY}},
    "quantile": {"quantile": {"of": "took_seconds", "q": 0.95, **BY}},
    "gauge max": {"gauge": {"of": "depth", "by": ["tier"]}},
    "gauge min": {"gauge": {"of": "depth", "by": ["tier"], "agg": "min"}},
    "gauge sum": {"gauge": {"of": "depth", "by": ["tier"], "agg": "sum"}},
    "gauge avg": {"gauge": {"of": "depth", "by": ["tier"], "agg": "avg"}},
    "age": {"age": {"of": "backup_at", "by": ["tier"]}},
    "growth": {"growth": {"of": "rising", "by": ["tier"], "window": "5m"}},
    "burn rate": {
        "burn_rate": {
            "of": "errors_total",
            "to": "writes_total",
            "by": ["tier"],
            "objective": "99.9%",
            "windows": [
                {"long": "8m", "short": "1m", "burn": 14.4},
                {"long": "4m", "short": "2m", "burn": 6},
            ],
        }
    },
}


NOT_COMPARED = {
    "probe": "the daemon asks",
    "promql": "is a query itself",
    "peers": "compared here, never at the source",
    "baseline": "one of the others, compared here with its past",
}


def test_every_kind_that_a_source_can_compute_is_compared() -> None:
    assert {next(iter(section)) for section in KINDS.values()} == set(SIGNALS) - set(NOT_COMPARED)


@pytest.mark.parametrize("server", ["prometheus", "victoria"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("off", [0.0, 7.0])
def test_on_clean_data_the_query_says_what_our_own_evaluation_says(
    request: pytest.FixtureRequest, server: str, kind: str, off: float
) -> None:
    """At the scrapes' instants, and between them."""
    there: Both = request.getfixturevalue(server)
    one = signal(**KINDS[kind])
    ticks = there.ticks(40, 230, off=off)
    own, pushed = there.own(one, ticks), there.pushed(promql(one), ticks)
    assert set(pushed) == set(own.scopes)
    for place, scope in enumerate(own.scopes):
        assert (np.broadcast_to(own.quality, own.value.shape)[:, place] == Quality.OK).all()
        np.testing.assert_allclose(pushed[scope], own.value[:, place], rtol=1e-9, err_msg=f"{kind} {scope}")


@pytest.mark.parametrize("server", ["prometheus", "victoria"])
def test_a_minimum_is_pushed_down_with_its_widening_windows(
    request: pytest.FixtureRequest, server: str
) -> None:
    """A minute has 804 attempts of the hot tier and 28 of the cold one (14 scrapes' worth of 3 and 4)."""
    there: Both = request.getfixturevalue(server)
    ticks = there.ticks(80, 90)
    section = {"ratio": {"of": "errors_total", "to": "writes_total", "by": ["tier"], "window": "1m"}}
    for events, widen, tiers in ((100, "1m", {"hot"}), (100, "4m", {"hot", "cold"}), (1_000, "1m", set())):
        one = signal(minimum={"events": events, "widen_to": widen}, **section)
        own, pushed = there.own(one, ticks), there.pushed(pushed_down(one).text, ticks)
        good = (np.broadcast_to(own.quality, own.value.shape) == Quality.OK).all(axis=0)
        assert {dict(scope)["tier"] for scope, well in zip(own.scopes, good, strict=True) if well} == tiers
        assert {dict(scope)["tier"] for scope in pushed} == tiers
        for scope, answer in pushed.items():
            np.testing.assert_allclose(answer, own.value[:, own.scopes.index(scope)], rtol=1e-9)


# ------------------------------------------------------------------ divergences


def at(found: dict[Scope, Floats], place: int = 0) -> float:
    """The server's value at a tick; NaN when it gives none."""
    return float(found[WHOLE][place]) if WHOLE in found else math.nan


def differing(there: Both, scrape: int, *, off: float = 0.0, **section: Any) -> tuple[float, float, Quality]:
    """(the server's value, our own, our quality) at one instant."""
    one = signal(**section)
    ticks = there.ticks(scrape, scrape, off=off)
    own = there.own(one, ticks)
    return at(there.pushed(promql(one), ticks)), float(own.value[0, 0]), Quality(int(own.quality[0, 0]))


def test_prometheus_stretches_growth_to_the_edges_of_its_window(prometheus: Both, victoria: Both) -> None:
    """Ten events within one scrape, asked 7 s after it: four samples over 45 s stand for 60 s, so they become 13.3."""
    section = {"increase": {"of": "burst_total", "window": "1m"}}
    pushed, own, quality = differing(prometheus, 120, off=7.0, **section)
    assert (round(pushed, 2), own, quality) == (13.33, 10.0, Quality.OK)
    assert differing(victoria, 120, off=7.0, **section)[0] == 10.0


def test_a_small_dip_is_a_restart_to_prometheus_and_a_glitch_to_us(prometheus: Both, victoria: Both) -> None:
    """30 more every 15 s from 1 000 000 on, one sample 10 lower than the one before: 2 a second, or 3 343."""
    section = {"rate": {"of": "dipped_total", "window": "5m"}}
    pushed, own, _ = differing(prometheus, 122, **section)
    assert own == pytest.approx(2.0, rel=0.1)
    assert pushed == pytest.approx(3_343, rel=0.01)
    assert differing(victoria, 122, **section)[0] == pytest.approx(2.0, rel=0.1), "as we see it"


def test_a_restart_is_one_to_both(prometheus: Both, victoria: Both) -> None:
    """… 3 570, 3 600, 0, 30: 30 of each scrape, none for the one at which it began again."""
    section = {"increase": {"of": "restarted_total", "window": "1m"}}
    for there in (prometheus, victoria):
        pushed, own, _ = differing(there, 122, **section)
        assert (pushed, own) == (90.0, 90.0)


def test_the_first_burst_of_a_series_is_seen_by_us_alone(prometheus: Both, victoria: Both) -> None:
    """Its target was scraped before and did not have it: it began at 0. A query knows of no scrape without it."""
    section = {"increase": {"of": "born_total", "window": "2m"}}
    first, later = differing(prometheus, 120, **section), differing(prometheus, 122, **section)
    assert (math.isnan(first[0]), first[1:]) == (True, (2_700.0, Quality.OK))
    assert later == (0.0, 2_700.0, Quality.OK)
    assert [differing(victoria, scrape, **section)[0] for scrape in (120, 122)] == [0.0, 0.0]


def test_a_query_repeats_the_last_sample_for_five_minutes(prometheus: Both, victoria: Both) -> None:
    """Scrapes fail from the 120th to the 159th. We know of nothing then; the server, of what was before."""
    section = {"gauge": {"of": "level"}}
    for there in (prometheus, victoria):
        blind = [differing(there, scrape, **section) for scrape in (120, 138, 140)]
        assert [one[0] for one in blind[:2]] == [700.0, 700.0]
        assert math.isnan(blind[2][0])
        assert {one[2] for one in blind} == {Quality.DOWN}


def test_without_traffic_a_query_says_nothing_and_we_say_that_there_is_none(prometheus: Both) -> None:
    """So to a pushed-down ratio an idle night is missing telemetry, and `no_data` tells of it."""
    section = {"ratio": {"of": "idle_errors_total", "to": "idle_total", "window": "1m"}}
    pushed, own, quality = differing(prometheus, 140, **section)
    assert math.isnan(pushed)
    assert math.isnan(own)
    assert quality is Quality.NO_TRAFFIC


def test_a_zero_test_that_is_pushed_down_waits_for_its_window_too(prometheus: Both) -> None:
    """Growth ends with the 120th scrape. We count `for` from it; a query is 0 only once it has left the window."""
    fired = {}
    for pushdown in (False, True):
        section = {"increase": {"of": "idle_total", "window": "2m"}, "pushdown": pushdown}
        spec = {
            "failure_mode": "ingestion_stopped",
            "signal": section,
            "fire": {"equals": 0, "for": "5m"},
            "clear": {"above": 0},
        }
        sections = Sections(
            {"main": PrometheusSource(type="prometheus", url="http://there", scrape_interval="15s")},
            {"silent": DetectorSpec.model_validate(spec)},
        )
        told = backtest(
            sections,
            {"main": Soon(prometheus.source)},
            prometheus.start + 60 * STEP,
            prometheus.start + 200 * STEP,
        )
        (event,) = (one for one in told.events if one.state == "fired")
        fired[pushdown] = event.at - (prometheus.start + 120 * STEP)
    assert fired == {False: 300.0, True: 300.0 + 120.0}
