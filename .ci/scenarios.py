"""The demo's scenarios as child processes: two pipelines side by side, each with its own daemon, judged by the demo.

`fleetmend demo --scenario` judges every row against the runbooks and the effect logs and says so by its exit code;
here is only who plays what, how long it may take, and that no row is missing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.expectations import chosen

EACH_S = 60.0
"""The longest a variant may take on average before the whole is given up; a usual one takes 15 s."""
UP_AND_DOWN_S = 120.0
SIDE_BY_SIDE = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """`scenarios`: names the demo knows, one after the other. `quiet_s`: 0 leaves the quiet time out."""

    scenarios: tuple[str, ...]
    quiet_s: float = 0.0
    source: str = "scrape"


SOAK = (Wanted(("every",), quiet_s=600.0), Wanted(("every",), source="prometheus"))


@dataclass(slots=True)
class Playing:
    """One demo under way. `rows`: how many it owes."""

    title: str
    process: subprocess.Popen[str]
    rows: int
    within_s: float
    log: Path


def play(root: Path, plan: Sequence[Wanted], *, complete: bool) -> list[str]:
    """Play everything; what was wrong, in sentences. `complete`: a variant that is left out is wrong too."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fm-") as folder:
        for wanted in plan:
            for name in wanted.scenarios:
                keys = [f"{mode}:{variant}" for mode, variant in chosen(name)]
                lanes = [keys[lane::SIDE_BY_SIDE] for lane in range(SIDE_BY_SIDE)]
                wrong += _together(
                    [
                        _start(root, Path(folder), f"{name}-{lane}", name, wanted.source, only=only)
                        for lane, only in enumerate(lanes)
                    ],
                    complete=complete,
                )
            if wanted.quiet_s:
                quiet = _start(root, Path(folder), "quiet", "quiet", wanted.source, lasts=wanted.quiet_s)
                wrong += _together([quiet], complete=complete)
    return wrong


def _start(
    root: Path, folder: Path, title: str, name: str, source: str, only: Sequence[str] = (), lasts: float = 0.0
) -> Playing:
    script = str(Path(sys.executable).with_name("fleetmend"))
    command = [
        script,
        "demo",
        "--scenario",
        name,
        "--source",
        source,
        "--json",
        "--state",
        str(folder / title),
    ]
    command += [word for key in only for word in ("--only", key)]
    command += ["--lasts", str(lasts)] if lasts else []
    log = folder / f"{title}.told"
    with log.open("w", encoding="utf-8") as told:
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=told, text=True, start_new_session=True
        )
    within = UP_AND_DOWN_S + EACH_S * len(only) + 2 * lasts
    return Playing(title, process, len(only) or 1, within, log)


def _together(playing: Sequence[Playing], *, complete: bool) -> list[str]:
    return [line for one in playing for line in _judge(one, complete=complete)]


def _judge(one: Playing, *, complete: bool) -> list[str]:
    try:
        said, _ = one.process.communicate(timeout=one.within_s)
    except subprocess.TimeoutExpired:
        os.killpg(one.process.pid, signal.SIGTERM)
        said, _ = one.process.communicate(timeout=UP_AND_DOWN_S)
        return [f"{one.title}: not done within {one.within_s:.0f} s", *_told(one)]
    rows = json.loads(said)["rows"] if said.strip() else []
    for line in _told(one):
        print(line)
    wrong = []
    if one.process.returncode != 0:
        wrong.append(f"{one.title}: exit code {one.process.returncode}")
    if complete and len(rows) < one.rows:
        wrong.append(f"{one.title}: {len(rows)} of {one.rows} rows; nothing may be left out here")
    return wrong


def _told(one: Playing) -> list[str]:
    return [f"  {one.title}: {line}" for line in one.log.read_text(encoding="utf-8").splitlines()]
