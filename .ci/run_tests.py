"""All tests, in phases: quick ones, packaging, stories on a virtual clock, real processes, the demo's scenarios.

Every test belongs to exactly one phase. The first phase that fails ends the run. With FLEETMEND_CI set a skipped
test is a failure (`tests/conftest.py`), no variant of the demo may be left out, and every one of them is played.
`--soak` plays the long forms as well. `--only NAME` (may repeat) runs single phases.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import scenarios

ROOT = Path(__file__).parents[1]
IN_CI, SOAK = "FLEETMEND_CI", "FLEETMEND_SOAK"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a phase ended; `closing`: the line that says so."""

    good: bool
    closing: str


@dataclass(frozen=True, slots=True)
class Phase:
    """`run` returns how it ended; its own output is shown as it comes."""

    name: str
    run: Callable[[], Ended]


def phases(*, soak: bool) -> list[Phase]:
    """What runs, in this order."""
    elsewhere = ("--ignore=tests/packaging", "--ignore=tests/acceptance")
    side_by_side = ("-n", "2", "--dist", "worksteal")
    # real processes wait half of the time, scenarios (for polls and holds) most of it; of these the longest stand
    # first and are handed out one by one
    half_waiting = ("-n", "3", "--dist", "worksteal")
    waiting = ("-n", "4", "--dist", "load", "--maxschedchunk", "1")
    told, real = ("-m", "not live and not slow"), ("-m", "live or slow")
    long = [Phase("scenarios", demo)] if soak else []
    return [
        Phase("quick", lambda: pytest(("tests", *elsewhere, *told, *side_by_side))),
        Phase("packaging", lambda: pytest(("tests/packaging", *side_by_side))),
        Phase("stories", lambda: pytest(("tests/acceptance", *told, *side_by_side))),
        Phase("live", lambda: pytest(("tests", *elsewhere, *real, *half_waiting))),
        Phase("acceptance", lambda: pytest(("tests/acceptance", *real, *waiting))),
        *long,
    ]


def pytest(arguments: Sequence[str]) -> Ended:
    """One run of pytest. Its last line is kept for the report."""
    command = [sys.executable, "-m", "pytest", "-q", "--durations=8", "--durations-min=5", *arguments]
    closing = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            closing = line.strip() or closing
    return Ended(child.returncode == 0, closing)


def demo() -> Ended:
    """The long forms of the demo's scenarios: every variant through both kinds of source, ten quiet minutes."""
    wrong = scenarios.play(ROOT, scenarios.SOAK, complete=bool(os.environ.get(IN_CI)))
    for line in wrong:
        print(line)
    return Ended(not wrong, f"{len(wrong)} wrong" if wrong else "as the runbooks ask")


def run(chosen: Sequence[Phase]) -> int:
    """Run phases until one fails; report what each took."""
    report = []
    good = True
    for phase in chosen:
        print(f"== {phase.name}", flush=True)
        began = time.monotonic()
        ended = phase.run()
        report.append(f"{phase.name:<12}{time.monotonic() - began:7.1f} s  {ended.closing}")
        good = ended.good
        if not good:
            break
    print("\n== report", *report, sep="\n", flush=True)
    return 0 if good else 1


def main() -> int:
    """Parse, choose, run."""
    parser = argparse.ArgumentParser(description="All tests, in phases.")
    parser.add_argument("--soak", action="store_true", help="the long forms as well")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PHASE", help="only this phase; may repeat"
    )
    told = parser.parse_args()
    known = phases(soak=told.soak)
    if unknown := set(told.only) - {phase.name for phase in known}:
        parser.error(f"no phase is named {', '.join(sorted(unknown))}")
    if told.soak:
        os.environ[SOAK] = "1"
    return run([phase for phase in known if not told.only or phase.name in told.only])


if __name__ == "__main__":
    sys.exit(main())
