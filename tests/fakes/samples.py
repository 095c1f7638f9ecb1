"""Telemetry made by hand: scraped series in a short notation, and observations as letters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from config.scope import Scope, scope_of
from detectors.observe import BREACH, OK, UNKNOWN, Observations
from detectors.rings import Rings
from detectors.samples import UP, Batch, Block, Floats, Labels, Series
from detectors.values import Quality, Values

STEP = 30.0
GAP = None
"""No sample: the series is missing from a scrape that worked."""
STALE = "stale"
"""The scrape failed."""

Sample = float | int | str | None


def labels(**pairs: str) -> Labels:
    return tuple(sorted(pairs.items()))


def ticks(count: int, *, step: float = STEP, start: float = 0.0) -> Floats:
    return start + step * np.arange(count, dtype=np.float64)


def block(
    samples: Mapping[Series, Sequence[Sample]],
    *,
    step: float = STEP,
    start: float = 0.0,
    target: Labels = (("instance", "a"),),
) -> Block:
    """One target's scrapes, `step` seconds apart; a STALE sample in any series fails the whole scrape."""
    length = max(len(column) for column in samples.values())
    failed = np.array(
        [any(c[i : i + 1] == [STALE] for c in map(list, samples.values())) for i in range(length)]
    )
    columns = [
        [math.nan if s is GAP or s == STALE or failed[i] else float(s) for i, s in enumerate(column)]
        + [math.nan] * (length - len(column))
        for column in samples.values()
    ]
    values = np.column_stack([(~failed).astype(np.float64), *(np.array(column) for column in columns)])
    return Block(target, ticks(length, step=step, start=start), (Series(UP, target), *samples), values)


def rings_of(*blocks: Block, source: str = "main", interval: float | None = None) -> Rings:
    """Rings that have taken in these blocks in one fetch, after the last of them."""
    rings = Rings(source, retention=math.inf, max_series=100_000, interval=interval)
    at = max(float(one.times[-1]) for one in blocks)
    rings.add(Batch(source, at, blocks))
    return rings


def running(*growth: tuple[float, int], start: float = 0.0) -> list[Sample]:
    """A counter: `(growth per sample, how many samples)` pairs, after a first sample at `start`."""
    total = start
    samples: list[Sample] = [total]
    for step, count in growth:
        for _ in range(count):
            total += step
            samples.append(total)
    return samples


LETTERS = {"B": BREACH, "O": OK, "U": UNKNOWN, "N": UNKNOWN, "-": OK}
"""B breach; O fine and clear; - fine but not clear; U telemetry missing; N nothing to judge (no traffic)."""


def seen(
    *rows: str, at: Floats, scopes: Sequence[Scope] | None = None, interval: float = STEP
) -> tuple[Observations, Values]:
    """One string of letters per scope, one letter per tick."""
    names = tuple(scopes or (scope_of({"scope": str(index)}) for index in range(len(rows))))
    letters = np.array([list(row) for row in rows]).T
    fire = np.vectorize(LETTERS.__getitem__)(letters).astype(np.int8)
    clear = np.where(letters == "-", BREACH, fire).astype(np.int8)
    dark = letters == "U"
    known = np.where(fire == UNKNOWN, np.nan, at[:, None])
    index = np.maximum.accumulate(np.where(np.isnan(known), 0, np.arange(len(at))[:, None]), axis=0)
    observed = np.take_along_axis(known, index, axis=0)
    none = np.zeros(fire.shape, dtype=bool)
    quality = np.where(dark, Quality.DOWN, np.where(letters == "N", Quality.NO_TRAFFIC, Quality.OK)).astype(
        np.int8
    )
    values = Values(
        names,
        fire.astype(np.float64),
        none * 0.0,
        quality,
        observed,
        observed * np.nan,
        none,
        ~none,
        interval,
    )
    return Observations(names, fire, clear, dark, none, observed * np.nan), values
