"""A healthy pipeline as samples, and every way in which they may fail to tell: what each leaves of them for a while.

Ways that concern single targets change their scrapes (`Hurt`); those that concern a whole answer are named in `ANSWERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from urllib.parse import parse_qs, urlsplit

import numpy as np
import orjson

from daemon.replay.virtual import Time
from detectors.samples import UP, Block, Floats, Labels, Series
from remediations.ports import Request, Response, Unreachable
from tests.fakes.ports import EPOCH
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.world import UNITS, World

STEP = 15.0
Rows = slice


@dataclass(frozen=True)
class Tape:
    """One target's scrapes: `values[T, 1 + C]`, its `up` first, then `names[C]` with `labels[C]`. Taken from EPOCH on."""

    target: str
    names: tuple[str, ...]
    labels: tuple[Labels, ...]
    values: Floats

    @property
    def times(self) -> Floats:
        times: Floats = EPOCH + STEP * np.arange(len(self.values), dtype=np.float64)
        return times

    def hurt(self, hurt: Hurt, rows: Rows) -> Tape:
        """The same with these scrapes changed."""
        values = self.values.copy()
        hurt(self, values, rows)
        return Tape(self.target, self.names, self.labels, values)

    def block(self, rows: Rows, *, late: float = 0.0, **more: str) -> Block:
        """Some scrapes; those without `up` did not take place. `late`: seconds their times are wrong by."""
        target = tuple(sorted({"instance": self.target, **more}.items()))
        series = (Series(name, tuple(sorted((*own, *target)))) for name, own in self.series)
        took_place = ~np.isnan(self.values[rows, 0])
        return Block(
            target, self.times[rows][took_place] + late, (Series(UP, target), *series), self.values[rows][took_place]
        )  # fmt: skip

    def samples(self) -> Iterator[tuple[Series, list[tuple[float, float]]]]:
        """Each series as a Prometheus keeps it."""
        whole = self.block(slice(0, len(self.values)))
        for column, series in enumerate(whole.series):
            there = ~np.isnan(whole.values[:, column])
            points = np.column_stack([whole.times, whole.values[:, column]])[there]
            yield series, [(at, value) for at, value in points.tolist()]

    @property
    def series(self) -> zip[tuple[str, Labels]]:
        return zip(self.names, self.labels, strict=True)


Hurt = Callable[[Tape, Floats, Rows], None]
"""Changes `values` in these rows."""


@cache
def healthy(
    wanted: frozenset[str], count: int, left_out: frozenset[str] = frozenset(), *, failures: bool = True
) -> tuple[Tape, ...]:
    """So many scrapes of every program of a story's pipeline.

    `left_out`: label values that are not of interest. `failures`: a few of everything, below every threshold.
    """
    world = World(Time(EPOCH))
    if failures:
        _fail_a_little(world)
    seen: dict[str, list[Mapping[tuple[str, Labels], float]]] = {unit: [] for unit in UNITS}
    for index in range(count):
        world.time.set(EPOCH + STEP * index)
        world.flow()
        for unit in UNITS:
            seen[unit].append(dict(world.counters[unit]))
    tapes = []
    for unit, scrapes in seen.items():
        keys = [
            key for key in scrapes[-1] if key[0] in wanted and not left_out & {value for _, value in key[1]}
        ]
        values = [[1.0, *(scrape.get(key, np.nan) for key in keys)] for scrape in scrapes]
        if keys:
            tapes.append(
                Tape(unit, tuple(key[0] for key in keys), tuple(key[1] for key in keys), np.array(values))
            )
    return tuple(tapes)


def _fail_a_little(world: World) -> None:
    for consumer in world.consumers.values():
        consumer.errors = 0.05
    for tier in world.tiers.values():
        tier.error_share = 0.003
    world.api.errors = 0.01
    world.api.slow = {"live": 0.01, "history": 0.01}
    world.transformer.mapping_failures = dict.fromkeys(world.consumers, 0.01)
    world.transformer.missing = {(provider, "speed"): 0.01 for provider in world.consumers}


def _every_scrape_failed(tape: Tape, values: Floats, rows: Rows) -> None:
    values[rows, 0], values[rows, 1:] = 0.0, np.nan


def _one_scrape_failed(tape: Tape, values: Floats, rows: Rows) -> None:
    """Of another program at each position, so that each has its turn."""
    if tape.target == UNITS[rows.start % len(UNITS)]:
        values[rows, 0], values[rows, 1:] = 0.0, np.nan


def _not_scraped(tape: Tape, values: Floats, rows: Rows) -> None:
    values[rows] = np.nan


def _absent(first: int, every: int) -> Hurt:
    def hurt(tape: Tape, values: Floats, rows: Rows) -> None:
        values[rows, 1 + first :: every] = np.nan

    return hurt


def standing_still(names: frozenset[str]) -> Hurt:
    """These count nothing, and then go on from where they stood."""

    def hurt(tape: Tape, values: Floats, rows: Rows) -> None:
        for column, name in enumerate(tape.names, start=1):
            if name in names:
                before, last = values[rows.start - 1, column], values[rows.stop - 1, column]
                values[rows, column] = before
                values[rows.stop :, column] -= last - before

    return hurt


HALVES: Mapping[str, Hurt] = {
    "every second series is absent": _absent(0, 2),
    "the other half is absent": _absent(1, 2),
}
TARGETS: Mapping[str, Hurt] = {
    "every scrape failed": _every_scrape_failed,
    "one scrape failed": _one_scrape_failed,
    "no sample is new": _not_scraped,
    "every series is absent": _absent(0, 1),
    **HALVES,
}
FUTURE = "samples are of the future"
ANSWERS = ("the query failed", "the answer is partial")
AHEAD = 3600.0
"""Seconds by which clocks are wrong."""


@dataclass
class Disturbed:
    """A Prometheus over tapes, for a fake of HTTP. `kind`: what is wrong with its answers, in the scrapes of `spans`.

    For a kind of `ANSWERS` or `FUTURE` alone: other kinds are in the tapes.
    """

    tapes: Sequence[Tape]
    kind: str
    spans: Sequence[Rows]

    def __call__(self, request: Request) -> Response:
        now = float(
            parse_qs(request.body.decode() if request.body else urlsplit(request.url).query)["time"][0]
        )
        wrong = any(span.start <= round((now - EPOCH) / STEP) < span.stop for span in self.spans)
        if wrong and self.kind == ANSWERS[0]:
            raise Unreachable("no answer within 10 s")
        said = self._prometheus.send(request, deadline=math.inf)
        if not wrong or self.kind not in {ANSWERS[1], FUTURE}:
            return said
        body = orjson.loads(said.body)
        if self.kind == FUTURE:
            for one in body["data"]["result"]:
                one["values"] = [[now + AHEAD, value] for _, value in one["values"][-1:]]
        else:
            body |= {"warnings": ["a store did not answer"]}
            body["data"]["result"] = body["data"]["result"][::2]
        return Response(200, said.headers, orjson.dumps(body), said.elapsed)

    @cached_property
    def _prometheus(self) -> FakePrometheus:
        return FakePrometheus({name: points for tape in self.tapes for name, points in tape.samples()})
