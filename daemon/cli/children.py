"""Processes the demo starts: each in a group of its own, and ended by its own id, never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.errors import FleetmendError

STOP_WITHIN = 30.0


class Child:
    """A running process; what it says goes to `log`."""

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._argv, self._environment = tuple(argv), dict(environment)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._process = self._started()

    @property
    def name(self) -> str:
        return " ".join(Path(word).name for word in self._argv[:4])

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.stop()
        self._process = self._started()

    def reread(self) -> None:
        """Have it read its configuration anew."""
        self._process.send_signal(signal.SIGHUP)

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own programs, no shell
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def must_run(self) -> None:
        """Raises `FleetmendError` with the end of its log when it has ended."""
        if self.ended:
            with suppress(OSError):
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise FleetmendError(
                    f"{self.name} ended with {self._process.returncode}; {self.log} ends:\n{tail}"
                )
            raise FleetmendError(f"{self.name} ended with {self._process.returncode}")

    def stop(self, within: float = STOP_WITHIN) -> None:
        """TERM to it, then KILL to its group; always reaped."""
        if not self.ended:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(within)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def kept(child: Child) -> Iterator[Child]:
    """The child, ended on the way out whatever happens."""
    try:
        yield child
    finally:
        child.stop()


def run(argv: Sequence[str], environment: Mapping[str, str], *, timeout: float) -> str:
    """Run to the end and return its stdout. Raises `FleetmendError` with what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - our own programs, no shell
            argv, capture_output=True, text=True, env=dict(environment), timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise FleetmendError(f"{' '.join(argv[1:5])} did not end within {timeout:.0f} s") from None
    if done.returncode != 0:
        raise FleetmendError(
            done.stderr.strip()[-2000:] or f"{' '.join(argv[1:5])} ended with {done.returncode}"
        )
    return done.stdout


def fleetmend_argv() -> list[str]:
    """The console script of this very environment."""
    script = Path(sys.executable).with_name("fleetmend")
    if script.is_file():
        return [sys.executable, str(script)]
    return [sys.executable, "-c", "import sys; from daemon.cli.main import main; sys.exit(main())"]
