"""The one door out for processes: no shell, a session of its own, only the environment given, nothing left behind.

A program runs in its own process group. When it ends by itself the rest of its group is ended too: a background
child that holds the output, or outlives its parent, is a leak, not a service (what has to stay must start a session
of its own). At the deadline the whole group gets TERM, then, after `GRACE`, KILL; so a call returns at most
`GRACE + REAP_WAIT` seconds after its deadline.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import selectors
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import IO

from remediations.ports import Clock, Command, Exit, Processes, Unreachable

GRACE = 2.0
"""Seconds between TERM and KILL."""
REAP_WAIT = 1.0
"""Seconds after KILL to see the group gone; a process in an uninterruptible wait may outlast that."""
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")
"""The only variables of the daemon's own environment that a program sees."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_STEP = 0.02
_ENDED = frozenset({b"Z", b"X"})
_READ = 65_536


class ProcessDoor:
    """Fits `remediations.ports.Processes`. `environ`: the daemon's own environment, read once at start."""

    def __init__(self, clock: Clock, environ: Mapping[str, str], *, grace: float = GRACE) -> None:
        self._clock = clock
        self._environment = {"PATH": DEFAULT_PATH} | {
            name: environ[name] for name in INHERITED if name in environ
        }
        self._grace = grace
        self._guard = threading.Lock()
        self._groups: set[int] = set()
        self._under_way = 0
        self._stops = 0

    def run(self, command: Command, *, deadline: float) -> Exit:
        """Run to the end or to the deadline. Raises `Unreachable` when the program cannot be started at all."""
        started = self._clock.monotonic()
        if deadline <= started:
            raise Unreachable(f"{command.argv[:1]}: the deadline had passed before it was started")
        with self._guard:
            self._under_way += 1
            stops = self._stops
        try:
            return self._run(command, deadline, started, stops)
        finally:
            with self._guard:
                self._under_way -= 1

    def _run(self, command: Command, deadline: float, started: float, stops: int) -> Exit:
        process, output = self._start(command)
        captured = _Capture(command.max_output)
        with self._guard:
            self._groups.add(process.pid)
            stopped = self._stops != stops  # while it was being started, when nobody could signal it yet
        try:
            with output, os.fdopen(os.pidfd_open(process.pid), "rb", buffering=0) as exited:
                ended = stopped or self._follow(exited.fileno(), output, captured, deadline)
                self._end_group(process)
                _drain(output, captured)
        finally:
            if process.returncode is None:  # an error of ours in between: leave nothing behind
                self._end_group(process)
            with self._guard:
                self._groups.discard(process.pid)
        code = process.returncode if ended else None
        return Exit(code, captured.text(), self._clock.monotonic() - started, timed_out=not ended)

    def end_all(self) -> int:
        """Stop now: TERM for every running group, KILL after the grace. Returns how many there were.

        The calls that wait for them return by themselves, their programs ended by a signal; so does a call whose
        program is only being started.
        """
        with self._guard:
            self._stops += 1
            asked = self._under_way
        self._signal_all(signal.SIGTERM)
        until = self._clock.monotonic() + self._grace
        pause = threading.Event()
        while self._under_way and self._clock.monotonic() < until:
            pause.wait(_STEP)
        self._signal_all(signal.SIGKILL)
        return asked

    def _signal_all(self, number: signal.Signals) -> None:
        with self._guard:
            for group in self._groups:
                _signal(group, number)

    def _start(self, command: Command) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        if not command.argv:
            raise Unreachable("a command without words cannot be started")
        try:
            user, group = _identity(command.user)
            process = subprocess.Popen(  # noqa: S603 - an argument vector from the configuration, never a shell
                command.argv,
                cwd=command.cwd,
                env={**self._environment, **command.env},
                user=user,
                group=group,
                extra_groups=None if user is None else (),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise Unreachable(f"{command.argv[0]}: cannot be started: {error}") from error
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        return process, process.stdout

    def _follow(self, exited: int, output: IO[bytes], captured: _Capture, deadline: float) -> bool:
        """Collect output until the program ends (True) or the deadline comes (False); does not reap it."""
        with selectors.DefaultSelector() as selector:
            selector.register(exited, selectors.EVENT_READ)
            selector.register(output, selectors.EVENT_READ)
            while (left := deadline - self._clock.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                if exited in ready:
                    return True
                if output.fileno() in ready and not captured.take(output):
                    selector.unregister(output)  # closed by the program; it may run on
        return False

    def _end_group(self, process: subprocess.Popen[bytes]) -> None:
        """TERM, then KILL whoever is left of the group, and reap.

        The first signal goes out before the leader is reaped: until then its number cannot have been given to
        anybody else.
        """
        _signal(process.pid, signal.SIGTERM)
        if self._gone(process, self._grace):
            return
        _signal(process.pid, signal.SIGKILL)
        self._gone(process, REAP_WAIT)

    def _gone(self, process: subprocess.Popen[bytes], within: float) -> bool:
        """Whether leader and group have ended within that time; reaps what is ours to reap."""
        until = self._clock.monotonic() + within
        pause = threading.Event()
        while True:
            leader_gone = process.poll() is not None
            if leader_gone and not _alive(process.pid):
                # only now: by the time all have ended, all orphans have come to us
                _reap_adopted(process.pid)
                return True
            if self._clock.monotonic() >= until:
                return False
            pause.wait(_STEP)


_WORD = 4_096
"""Bytes of a word at most: of a longer one, such as one endless line, only so much is left out."""


class _Capture:
    """Keeps the first and the last half of what a program prints: the cause stands at either end."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def take(self, output: IO[bytes]) -> bool:
        """Read what is there; False at the end of the output. Raises `BlockingIOError` when nothing is there."""
        data = os.read(output.fileno(), _READ)
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(0, room) :]
        if (excess := len(self._tail) - self._half) > 0:
            del self._tail[:excess]
            self._left_out += excess
        return bool(data)

    def text(self) -> str:
        """The output; where bytes were left out both sides end at white space, so no word (a secret) is cut in two."""
        if not self._left_out:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = bytes(self._head[:-_WORD]) + re.sub(rb"\S*$", b"", self._head[-_WORD:])
        tail = re.sub(rb"^\S*", b"", self._tail[:_WORD]) + bytes(self._tail[_WORD:])
        left_out = self._left_out + len(self._head) - len(head) + len(self._tail) - len(tail)
        kept = b"%b[... %d bytes left out ...]%b" % (head, left_out, tail)
        return kept.decode("utf-8", "replace")


def _drain(output: IO[bytes], captured: _Capture) -> None:
    """Take what the ended group left in the pipe (at most what a pipe holds, whoever may still write)."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(16):
            if not captured.take(output):
                return


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _alive(group: int) -> bool:
    """Whether anybody of the group still runs; who has ended and waits for a slow parent to notice does not count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return any(found == group and state not in _ENDED for state, found in _all_states())


def _all_states() -> list[tuple[bytes, int]]:
    """(state, process group) of every process; proc(5), `stat`."""
    found = []
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = _read(f"{entry.path}/stat").rpartition(b")")[2].split(maxsplit=3)
                    found.append((fields[0], int(fields[2])))
    return found


def _read(path: str) -> bytes:
    """A small file at one stroke: there is one for every process of the machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _WORD)
    finally:
        os.close(descriptor)


def _reap_adopted(group: int) -> None:
    """Reap orphans of the group that fell to us, as they do when the daemon is process 1 of a container."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass


def _identity(user: str | None) -> tuple[int | None, int | None]:
    if user is None:
        return None, None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ValueError(f"no user {user!r} here") from None
    return entry.pw_uid, entry.pw_gid


def _fits(door: ProcessDoor) -> Processes:
    """The type checker proves here that the door fits its port."""
    return door
