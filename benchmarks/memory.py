"""Resident memory of the daemon in the demo, after it has watched the pipeline for a while."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from benchmarks.child import child, script
from benchmarks.figure import Figure
from benchmarks.peer_rules import megabytes

AIM_MB = 180
UP_WITHIN = 120.0
WATCH = 20.0


def figures() -> list[Figure]:
    """One sample at the end; the kernel's own high-water mark beside it."""
    with tempfile.TemporaryDirectory(prefix="fm-") as name:
        log = Path(name) / "log"
        with child([str(script()), "demo", "--state", f"{name}/demo"], log):
            daemon = _daemon(Path(name), log)
            threading.Event().wait(WATCH)
            now, most = megabytes(daemon, "VmRSS"), megabytes(daemon, "VmHWM")
    return [
        Figure(
            "resident memory in the demo",
            f"{now:.0f} MB",
            f"<= {AIM_MB} MB",
            now <= AIM_MB,
            f"at most {most:.0f} MB",
        )
    ]


def _daemon(state: Path, log: Path) -> int:
    """The process id of the `fleetmend run` that was started below this folder."""
    pause = threading.Event()
    for _ in range(int(UP_WITHIN)):
        if "console" in log.read_text(errors="replace"):
            for folder in Path("/proc").iterdir():
                words = _command(folder)
                if "run" in words and any(word.startswith(str(state)) for word in words):
                    return int(folder.name)
        pause.wait(1.0)
    raise RuntimeError(f"the demo did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def _command(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text().split("\0") if folder.name.isdigit() else []
    except OSError:
        return []
