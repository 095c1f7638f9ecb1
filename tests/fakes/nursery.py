"""Starts real daemons quickly: imports the product once, then forks a child for each that is asked for.

    python -m tests.fakes.nursery

One JSON line in (`argv`, `env`, `log`, optionally `doom` and `max_file`), one line with the child's process id out. The
child is `fleetmend` with these arguments; its output and, at the end, its exit code go to files beside `log`. With
`doom` it is killed as `tests.fakes.doomed` says.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import daemon.app.live
import daemon.cli.remote
import daemon.web.app  # noqa: F401 - imported here, so that no child has to
from daemon.cli.main import invoke
from tests.fakes.doomed import doom


def child(order: dict[str, Any]) -> int:
    """What a forked child does; its exit code."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["env"])
    if order.get("max_file"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["max_file"], resource.RLIM_INFINITY))
    if order.get("doom"):
        doom(order["doom"])
    return invoke(order["argv"])


def serve() -> None:
    """Fork one child a line, until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; ends are seen through pidfds
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = child(order)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                Path(f"{order['log']}.exit").write_text(str(code), encoding="ascii")
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
