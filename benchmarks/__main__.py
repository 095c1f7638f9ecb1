"""`python -m benchmarks [NAME…]`: all figures, or some of them. Exit code 1 when one that has an aim misses it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping

from benchmarks import (
    alert,
    cycle,
    decode,
    flip,
    memory,
    paging,
    recorder,
    replay,
    scrape_parse,
    store,
    storm,
)
from benchmarks.figure import Figure, table

ALL: Mapping[str, Callable[[], list[Figure]]] = {
    "cycle": cycle.figures,
    "scrape": scrape_parse.figures,
    "decode": decode.figures,
    "replay": replay.figures,
    "store": store.figures,
    "recorder": recorder.figures,
    "flip": flip.figures,
    "alert": alert.figures,
    "memory": memory.figures,
    "storm": storm.figures,
    "paging": paging.figures,
}
BUSY = 0.5
"""Load per core above which figures say more about the neighbours than about the product."""


def main() -> int:
    """Measure one after the other, print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Figures of the product on this machine."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; all when left out")
    chosen = parser.parse_args().names or list(ALL)
    if unknown := set(chosen) - set(ALL):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    print(f"{cores} cores, load {load:.1f} before the first figure")
    if load > BUSY * cores:
        print("this machine is busy: times are longer than they need be")
    figures: list[Figure] = []
    for name in chosen:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += ALL[name]()
    print(table(figures))
    return 0 if all(one.met for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
