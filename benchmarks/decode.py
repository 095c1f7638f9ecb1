"""A month of a hundred series out of a range answer, beside the plain decoder on the same text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np

from benchmarks.figure import Figure, ms
from daemon.detect.sources import matrix

SERIES, SAMPLES, STEP = 100, 43_200, 60
BEGIN = 1_790_000_000
FACTOR = 3.0
RUNS = 3


def figures() -> list[Figure]:
    """Best of three each, by turns."""
    text = answer()
    ours, plain = float("inf"), float("inf")
    for _ in range(RUNS):
        ours = min(ours, _took(lambda: matrix.tracks(matrix.decode(text)["data"]["result"])))
        plain = min(plain, _took(lambda: as_people_do(text)))
    ratio = plain / ours
    return [
        Figure(
            f"decoding {SERIES} series of 30 days at 1 min, {len(text) / 1e6:.0f} MB",
            ms(ours),
            f">= {FACTOR:g} x json",
            ratio >= FACTOR,
            f"json and floats into arrays {ms(plain)}, {ratio:.1f} x",
        )
    ]


def answer() -> bytes:
    """As Prometheus writes it."""
    result = [
        {
            "metric": {"__name__": "b", "id": str(one)},
            "values": [
                [BEGIN + STEP * n, f"{(n * 7919 + one * 31) % 1000 / 10000:g}"] for n in range(SAMPLES)
            ],
        }
        for one in range(SERIES)
    ]
    whole = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    return json.dumps(whole, separators=(",", ":")).encode()


def as_people_do(text: bytes) -> None:
    """The standard library, and two arrays of floats a series."""
    for one in json.loads(text)["data"]["result"]:
        np.array([float(pair[0]) for pair in one["values"]])
        np.array([float(pair[1]) for pair in one["values"]])


def _took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
