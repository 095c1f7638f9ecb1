"""The daemon itself, with every round of its loop written down: `python -m benchmarks.timed FILE run --config …`.

A line a round: when it began (unix seconds), how long it took, and how much of that was processor time (seconds).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from daemon.cli.main import invoke
from daemon.loop.core import Loop
from daemon.loop.messages import Message

_STEP = Loop.step


def main() -> int:
    """Exit code of the program."""
    with Path(sys.argv[1]).open("w", buffering=1, encoding="ascii") as rounds:

        def step(loop: Loop, message: Message, now: float, *, also: Sequence[Message] = ()) -> float:
            began, used = time.perf_counter(), time.thread_time()
            try:
                return _STEP(loop, message, now, also=also)
            finally:
                took, used = time.perf_counter() - began, time.thread_time() - used
                rounds.write(f"{now:.3f} {took:.6f} {used:.6f}\n")

        Loop.step = step  # type: ignore[method-assign, assignment]  # this program is the daemon and its own observer
        return invoke(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
