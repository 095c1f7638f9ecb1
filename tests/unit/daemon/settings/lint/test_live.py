"""Live checks: each is triggered by its own example beside a source that answers as it says, and not by its remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from config.problems import Gravity, Problem
from daemon.cli.live import DAY, check_live
from daemon.escalate.ical import Entry, write
from daemon.settings.lint.live.registry import LIVE_CHECKS
from daemon.settings.lint.live.seen import LiveCheck
from detectors.samples import Series
from remediations.actions.managers.manager import Manager, ManagerFault, Order, Standing, UnitState, Work
from remediations.outcome import OutcomeState
from remediations.ports import Request, Response, Unreachable
from tests.fakes.linted import BARE, ENVIRONMENT, lines, loaded
from tests.fakes.ports import FakeClock
from tests.fakes.prometheus import FakePrometheus, Samples, scrapes

WATCHING = """detectors:
  queue-deep:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
"""
HISTORY = 7 * DAY


@dataclass
class World:
    """A Prometheus at `host`. `takes`: seconds of every answer; `padding`: bytes added to it; `warns`: its warnings."""

    samples: Samples
    clock: FakeClock
    host: str = ""
    takes: float = 0.0
    padding: int = 0
    warns: Sequence[str] = ()
    managers: Mapping[str, Manager] = field(default_factory=dict)
    calendar: bytes = b""

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        if request.url == ENVIRONMENT["ONCALL_CALENDAR"]:
            return Response(200, {}, self.calendar, 0.1)
        if self.host and urlsplit(request.url).hostname != self.host:
            raise Unreachable("connection refused")
        self.clock.advance(self.takes)
        told = FakePrometheus(self.samples).send(request, deadline=deadline, max_bytes=max_bytes)
        asked = not self.host or urlsplit(request.url).hostname == self.host
        body = orjson.loads(told.body) | ({"warnings": [*self.warns]} if self.warns and asked else {})
        return replace(told, body=orjson.dumps(body) + b" " * self.padding)


class Manages:
    """A process manager that knows these units; without any, nobody answers."""

    def __init__(self, *units: str) -> None:
        self.units, self.asked = units, list[str]()

    def state(self, unit: str, *, deadline: float) -> UnitState:
        self.asked.append(unit)
        if not self.units:
            raise Unreachable("connection refused")
        if unit not in self.units:
            raise ManagerFault(f"no unit {unit}")
        return UnitState(unit, Standing.RUNNING, "running", "7")

    def carry_out(self, order: Order, work: Work) -> OutcomeState:
        raise AssertionError("a check changes nothing")


def series(name: str, **labels: str) -> Series:
    return Series(name, tuple(sorted(labels.items())))


def steady(
    named: Iterable[Series], *, step: float = 15.0, span: float = 3600.0, late: float = 0.0
) -> Samples:
    """Counters that grow by one a scrape, up to now."""
    count = int(span / step) + 1
    begin = FakeClock().now() - late - step * (count - 1)
    rows = {one: [float(index) for index in range(count)] for one in named}
    return scrapes(rows, [True] * count, begin=begin, step=step)


def week(value: Callable[[float], float]) -> Samples:
    """`queue_depth` over a week and a bit, by seconds since its beginning."""
    count = int((HISTORY + 7200) / 60) + 1
    values = {series("queue_depth"): [value(60.0 * index) for index in range(count)]}
    return scrapes(values, [True] * count, begin=FakeClock().now() - 60.0 * (count - 1), step=60)


EDGES = [series("write_duration_seconds_bucket", le=edge) for edge in ("0.1", "0.5", "1", "+Inf")]
DEPTH = steady([series("queue_depth")])
TIERS = steady([series("writes_total", tier="hot"), series("writes_total", tier="warm")])
MANY = steady([series("queue_depth", queue=str(index)) for index in range(2500)], span=30)


def entered(*turns: tuple[str, float, float]) -> bytes:
    """A calendar: (title, begins, ends) each, in days from now."""
    entries = [
        Entry("x", FakeClock().now() + begins * DAY, FakeClock().now() + ends * DAY, title, title)
        for title, begins, ends in turns
    ]
    written = write("on call", entries, 0.0)
    return re.sub(rb"SUMMARY:On call: (.*?) \(x\)", rb"SUMMARY:\1", written)


WORLDS: Mapping[str, World] = {
    "source-silent": World(DEPTH, FakeClock(), host="prometheus.example.org"),
    "source-partial": World(DEPTH, FakeClock(), host="thanos", warns=["no store matched"]),
    "series-missing": World(steady([series("write_errors_total"), series("writes_total")]), FakeClock()),
    "selects-nothing": World(TIERS, FakeClock()),
    "label-never-seen": World(steady([series("writes_total", storage_tier="hot")]), FakeClock()),
    "bound-off-edge": World(steady(EDGES), FakeClock()),
    "quantile-over-buckets": World(steady(EDGES), FakeClock()),
    "quantile-between-edges": World(steady(EDGES), FakeClock()),
    "many-series": World(MANY, FakeClock()),
    "series-over-limit": World(MANY, FakeClock()),
    "fetch-slow": World(DEPTH, FakeClock(), takes=9.0),
    "fetch-large": World(DEPTH, FakeClock(), padding=40_000_000),
    "interval-differs": World(steady([series("queue_depth")], step=60.0), FakeClock()),
    "samples-late": World(steady([series("queue_depth")], late=120.0), FakeClock()),
    "threshold-never-near": World(week(lambda at: at % 40), FakeClock()),
    "fires-often": World(week(lambda at: 200.0 if at % 7200 < 600 else 20.0), FakeClock()),
    "manager-silent": World(
        DEPTH, FakeClock(), managers={"old": Manages(), "pipeline": Manages("storage-writer-hot")}
    ),
    "unit-unknown": World(DEPTH, FakeClock(), managers={"pipeline": Manages("storage-writer-hot")}),
    "calendar-unread": World(DEPTH, FakeClock(), calendar=b"<html>log in</html>"),
    "calendar-stranger": World(
        DEPTH, FakeClock(), calendar=entered(("Ana", 0, 100), ("Duty phone", 100, 120))
    ),
    "calendar-overlap": World(DEPTH, FakeClock(), calendar=entered(("Ana", 0, 100), ("Ben", 7, 14))),
    "calendar-gap": World(DEPTH, FakeClock(), calendar=entered(("Ana", -1, 7))),
}
"""By code: what the check's own text says that the source gives."""
OVER_HISTORY = frozenset({"threshold-never-near", "fires-often"})
MINUTELY = BARE.replace(':9090"', ':9090", scrape_interval: 1m, delay: 1m').replace(
    "poll_interval: 15s", "poll_interval: 1m"
)


def asked(folder: Path, piece: str, world: World, *, history: float = 0.0, bare: str = BARE) -> list[Problem]:
    """What `check --live` adds, on a fresh clock. A piece without detectors is laid over one that reads a gauge."""
    clock = FakeClock()
    under = bare if "detectors:" in piece else bare + WATCHING
    there = replace(world, clock=clock)
    return check_live(loaded(folder, piece, under), there, clock, history=history, managers=world.managers)


def asked_as_told(folder: Path, piece: str, code: str, world: World) -> list[Problem]:
    """Beside the source that the check's text describes."""
    if code in OVER_HISTORY:
        return asked(folder, piece, world, history=HISTORY, bare=MINUTELY)
    return asked(folder, piece, world)


def test_every_live_check_has_a_source_that_triggers_it() -> None:
    assert set(WORLDS) == {check.code for check in LIVE_CHECKS}


@pytest.mark.parametrize("check", LIVE_CHECKS, ids=[check.code for check in LIVE_CHECKS])
def test_the_example_triggers_the_check_at_its_line(tmp_path: Path, check: LiveCheck) -> None:
    problems = asked_as_told(tmp_path, check.example, check.code, WORLDS[check.code])
    assert lines(problems, check.code) == [check.marked_line]
    assert {one.severity for one in problems if one.code == check.code} == {check.gravity}


@pytest.mark.parametrize("check", LIVE_CHECKS, ids=[check.code for check in LIVE_CHECKS])
def test_the_remedy_does_not_trigger_it(tmp_path: Path, check: LiveCheck) -> None:
    world = WORLDS[check.code]
    if check.code == "source-partial":
        world = replace(world, warns=[], host="prometheus")
    problems = asked_as_told(tmp_path, check.better, check.code, world)
    assert [one for one in problems if one.code == check.code] == []


def test_a_healthy_source_is_told_nothing(tmp_path: Path) -> None:
    assert asked(tmp_path, "", World(DEPTH, FakeClock())) == []


def ratio(by: str = "[]", where: str = "{}") -> str:
    signal = f"{{ratio: {{of: errors_total, to: writes_total, by: {by}, where: {where}, window: 1m}}}}"
    return (
        f"detectors:\n  writes:\n    failure_mode: storage_failure\n"
        f"    signal: {signal}\n    fire: {{above: 5%, for: 5m}}\n    clear: {{below: 3%, for: 5m}}\n"
        "    minimum: {events: 50}\n"
    )


BOTH = [series("errors_total", tier="hot", op="put"), series("writes_total", tier="hot", op="put")]


@pytest.mark.parametrize(
    ("piece", "named", "codes", "reason"),
    [
        (ratio("[tier]"), BOTH, [], "both sides have the label"),
        (
            ratio("[tier]"),
            [BOTH[0], series("writes_total", op="put")],
            ["label-never-seen"],
            "attempts lack it",
        ),
        (ratio("[tier]", "{op: put}"), BOTH, [], "both are selected"),
        (ratio("[tier]", "{op: get}"), BOTH, ["selects-nothing", "selects-nothing"], "neither is"),
        (ratio("[tier]"), [BOTH[1]], ["series-missing"], "failures were never counted"),
    ],
)
def test_both_sides_of_a_ratio_are_looked_at(
    tmp_path: Path, piece: str, named: list[Series], codes: list[str], reason: str
) -> None:
    problems = asked(tmp_path, piece, World(steady(named), FakeClock()))
    assert [one.code for one in problems] == codes, reason


def test_a_series_known_to_be_missing_is_silenced(tmp_path: Path) -> None:
    piece = ratio("[tier]").replace(
        "writes:", "writes:   # lint: ignore series-missing (counted from the first error)"
    )
    assert asked(tmp_path, piece, World(steady([BOTH[1]]), FakeClock())) == []


@pytest.mark.parametrize(("hours", "codes"), [(20, []), (25, ["threshold-never-near"])])
def test_less_than_a_day_of_history_is_not_judged(tmp_path: Path, hours: float, codes: list[str]) -> None:
    begin = FakeClock().now() - hours * 3600
    known = {
        one: [sample for sample in samples if sample[0] >= begin]
        for one, samples in WORLDS["threshold-never-near"].samples.items()
    }
    problems = asked(tmp_path, "", World(known, FakeClock()), history=HISTORY, bare=MINUTELY)
    assert [one.code for one in problems] == codes


@pytest.mark.parametrize(("every", "codes"), [(43_200, ["fires-often"]), (172_800, [])])
def test_twice_a_day_is_often_and_every_other_day_is_not(
    tmp_path: Path, every: int, codes: list[str]
) -> None:
    samples = week(lambda at: 2000.0 if at % every < 600 else 300.0)
    problems = asked(tmp_path, "", World(samples, FakeClock()), history=HISTORY, bare=MINUTELY)
    assert [one.code for one in problems] == codes


def test_history_is_asked_for_in_pieces_that_answers_bear(tmp_path: Path) -> None:
    spans: list[float] = []

    class Counting(World):
        def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
            (query,) = parse_qs(urlsplit(request.url).query)["query"]
            spans.append(float(query.rpartition("[")[2].removesuffix("ms]")) / 1000)
            return super().send(request, deadline=deadline, max_bytes=max_bytes)

    world = Counting(WORLDS["threshold-never-near"].samples, FakeClock())
    asked(tmp_path, "", world, history=HISTORY, bare=MINUTELY)
    assert len(spans) == 2 + 2 + 28, (
        "now, the tail, where it begins, what is looked back, a week in quarters of a day"
    )
    assert max(spans) < 7 * 3600


def test_only_errors_make_the_answer_no() -> None:
    weights = {check.code: check.gravity for check in LIVE_CHECKS}
    warnings = {code for code, gravity in weights.items() if gravity is Gravity.WARNING}
    assert warnings == {
        "quantile-between-edges",
        "many-series",
        "fetch-slow",
        "fetch-large",
        "interval-differs",
        "samples-late",
        "threshold-never-near",
        "fires-often",
        "unit-unknown",
        "calendar-gap",
        "calendar-overlap",
        "calendar-stranger",
    }


WITNESSES = """inventory: {provider: [navixy, oem-a]}
managers: {pipeline: {type: supervisor, url: "unix:///run/supervisor.sock"}, cluster: {type: kubernetes, namespace: p}}
probes: {x: {http: {url: "http://x/health"}}}
detectors:
  down:
    failure_mode: ingestion_stopped
    signal: {gauge: {of: queue_depth, by: [provider]}}
    fire: {above: 1000, for: 5m}
    clear: {below: 500, for: 1m}
    corroborate: {any: [{manager: pipeline, unit: "ingestion-{{ scope.provider }}", is: down}]}
playbooks:
  book:
    failure_mode: ingestion_stopped
    escalation: external
    diagnose: {x: {probe: x}}
    ladder:
      - {name: all, do: {service: {manager: pipeline, restart: "ingestion-*"}}}
      - {name: one, do: {service: {manager: pipeline, restart: "ingestion-{{ scope.provider }}"}}}
      - {name: told, when: "true", do: {service: {manager: pipeline, restart: "{{ facts.x.body.unit }}"}}}
      - {name: more, do: {service: {manager: pipeline, scale: ingestion, to: 3}}}
      - {name: back, do: {service: {manager: cluster, undo: ingestion}}}
"""


def test_units_are_asked_for_by_every_name_that_the_inventory_gives(tmp_path: Path) -> None:
    pipeline, cluster = Manages("ingestion-navixy"), Manages("ingestion")
    world = World(DEPTH, FakeClock(), managers={"pipeline": pipeline, "cluster": cluster})
    found = [one for one in asked(tmp_path, WITNESSES, world) if one.code == "unit-unknown"]
    assert set(pipeline.asked) == {"ingestion-navixy", "ingestion-oem-a"}
    assert cluster.asked == ["ingestion"]
    assert [one.path for one in found] == [
        "detectors.down.corroborate.any[0].unit",
        "playbooks.book.ladder[1].do.service.restart",
    ]
    assert all("ingestion-oem-a" in one.problem for one in found)


def test_a_manager_that_does_not_answer_is_asked_once_and_told_once(tmp_path: Path) -> None:
    pipeline = Manages()
    world = World(DEPTH, FakeClock(), managers={"pipeline": pipeline, "cluster": Manages("ingestion")})
    codes = [
        one.code for one in asked(tmp_path, WITNESSES, world) if "manager" in one.code or "unit" in one.code
    ]
    assert codes == ["manager-silent"]
    assert len(pipeline.asked) == 1
