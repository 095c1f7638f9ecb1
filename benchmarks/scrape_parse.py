"""How long a scrape of 100 000 lines takes when one line in a hundred is wanted; first scrape and every later one."""

from __future__ import annotations

import statistics
import time

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.figure import Figure, ms
from daemon.detect.sources.exposition import Decoder, Tally
from detectors.samples import Labels, Series

LINES = 100_000
RUNS = 7
AIM = 0.3


def figures() -> list[Figure]:
    """One line in a hundred wanted, and all of them."""
    found = []
    peer = library()
    for wanted_every, aim in ((100, f"<= {ms(AIM)}"), (1, "")):
        first, later, samples = measure(wanted_every)
        what = f"scrape of {LINES} lines, {samples} wanted"
        beside = f"the first one {ms(first)}; prometheus_client's parser {ms(peer)}, {peer / later:.0f} x"
        found.append(Figure(what, ms(later), aim, later <= AIM, beside))
    return found


def exposition(lines: int = LINES, wanted_every: int = 100) -> str:
    """Text as an exporter with four labels per series shows it."""
    return "".join(
        f"{'telemetry_wanted_total' if n % wanted_every == 0 else f'other_metric_{n % 37}_total'}"
        f'{{provider="p{n % 50}",customer="c{n}",tier="hot",region="eu-west-{n % 3}"}} {n * 17}\n'
        for n in range(lines)
    )


def measure(wanted_every: int) -> tuple[float, float, int]:
    """(first scrape, median of later ones) in seconds, and how many samples each gave."""
    text = exposition(wanted_every=wanted_every)
    decoder = Decoder(frozenset({"telemetry_wanted_total"}), _joined)
    seconds = []
    samples = 0
    for _ in range(RUNS):
        began = time.perf_counter()
        samples = sum(1 for _ in decoder.read(text, Tally()))
        seconds.append(time.perf_counter() - began)
    return seconds[0], statistics.median(seconds[1:]), samples


def library() -> float:
    """Seconds of the library's own parser over the same text."""
    text = exposition()
    began = time.perf_counter()
    count = sum(len(family.samples) for family in text_string_to_metric_families(text))
    took = time.perf_counter() - began
    if count != LINES:
        raise RuntimeError(f"{count} samples: something else was measured")
    return took


def _joined(name: str, labels: Labels) -> Series:
    return Series(name, tuple(sorted((*labels, ("instance", "a:1"), ("job", "x")))))
