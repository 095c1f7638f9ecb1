"""The transformer's side of the converter: a child process that may be stopped, killed or slow."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from demo import clock

CONVERTER = Path(__file__).parents[1] / "converter.py"
STUCK_AFTER = 2  # unanswered requests in a row


class Converter:
    """One request at a time; a late answer to an earlier request is passed over. A dead child stays dead."""

    def __init__(self, state: Path, timeout: float, timeout_stuck: float) -> None:
        self.timeout, self.timeout_stuck = timeout, timeout_stuck
        self.unanswered, self.number, self.rest = 0, 0, b""
        argv = [sys.executable, "-I", "-S", str(CONVERTER), "--state", str(state)]
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.to, self.back = self.child.stdin.fileno(), self.child.stdout.fileno()
        os.set_blocking(self.to, False)

    @property
    def stuck(self) -> bool:
        return self.unanswered >= STUCK_AFTER

    def convert(self, how: str, values: list[float]) -> list[float] | None:
        """The converted values, or None when the child gave no answer in time."""
        self.number += 1
        end = clock.monotonic() + (self.timeout_stuck if self.stuck else self.timeout)
        try:
            os.write(self.to, (json.dumps({"id": self.number, "how": how, "values": values}) + "\n").encode())
            answer = self._line(end)
        except OSError:
            answer = None
        self.unanswered = 0 if answer is not None else self.unanswered + 1
        return answer

    def end(self) -> None:
        self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()

    def _line(self, end: float) -> list[float] | None:
        while True:
            line, found, rest = self.rest.partition(b"\n")
            if found:
                self.rest = rest
                answer = json.loads(line)
                if answer["id"] == self.number:
                    return list(answer["values"])
                continue
            ready, _, _ = select.select([self.back], [], [], max(0.0, end - clock.monotonic()))
            more = os.read(self.back, 65536) if ready else b""
            if not more:
                return None
            self.rest += more
