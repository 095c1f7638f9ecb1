"""A row of the table, and the table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value`: what was measured; `aim`: what it has to meet, empty where it only stands beside another; `met`: whether."""

    what: str
    value: str
    aim: str = ""
    met: bool = True
    beside: str = ""


def ms(seconds: float) -> str:
    """Milliseconds in three digits."""
    return f"{seconds * 1000:.3g} ms"


def spread(seconds: Sequence[float]) -> str:
    """Median, 95th percentile and maximum."""
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return f"median {ms(statistics.median(ordered))}, p95 {ms(p95)}, max {ms(ordered[-1])}"


def table(figures: Sequence[Figure]) -> str:
    """Plain text, columns aligned."""
    head = ("what", "measured", "aim", "", "beside")
    rows = [
        (one.what, one.value, one.aim, ("met" if one.met else "MISSED") if one.aim else "", one.beside)
        for one in figures
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
