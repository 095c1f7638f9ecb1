"""Telling systemd that the daemon has started and that its loop still comes round.

Source of the protocol: systemd, `sd_notify(3)` and `sd_watchdog_enabled(3)`: datagrams of `NAME=value` lines to the socket
that `NOTIFY_SOCKET` names. The loop itself says that it lives, so one that hangs is restarted although its process runs.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

READY, STOPPING, ALIVE = b"READY=1", b"STOPPING=1", b"WATCHDOG=1"
SHARE = 3
"""Said so many times within the time that systemd waits."""


class Systemd:
    """Says nothing where systemd does not ask. A socket that is gone is no trouble of ours."""

    def __init__(self, environment: Mapping[str, str], pid: int | None = None) -> None:
        """`environment`: the process's. A watchdog meant for another process is not ours to feed."""
        path = environment.get("NOTIFY_SOCKET", "")
        self._path = f"\0{path[1:]}" if path.startswith("@") else path
        self._every = _seconds(environment, os.getpid() if pid is None else pid) / SHARE
        self._said_at: float | None = None

    def ready(self) -> None:
        self._say(READY)

    def stopping(self) -> None:
        self._say(STOPPING)

    def alive(self, now: float) -> None:
        """The loop has come round. `now`: monotonic seconds."""
        if self._every and (self._said_at is None or now - self._said_at >= self._every):
            self._said_at = now
            self._say(ALIVE)

    def _say(self, what: bytes) -> None:
        if self._path:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
                speaker.setblocking(False)
                speaker.sendto(what, self._path)


def _seconds(environment: Mapping[str, str], pid: int) -> float:
    """How long systemd waits for the next word; 0 where it does not wait."""
    asked, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(pid))
    mine = whose == str(pid) and asked.isascii() and asked.isdigit()
    return int(asked) / 1e6 if mine else 0.0
