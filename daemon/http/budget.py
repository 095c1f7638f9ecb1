"""The budget of the request a thread is carrying out: every socket operation gets only the time that is left.

The libraries above know time-outs per operation only, which a dripping server outlasts for ever. So their sockets are
wrapped, and what they set as a time-out is ignored.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from remediations.ports import Clock


class _Now(threading.local):
    """Per thread: until when the request may last, and whether a byte of it has been written."""

    clock: Clock | None = None
    deadline = 0.0
    written = False


_now = _Now()


@contextmanager
def budget(clock: Clock, deadline: float) -> Iterator[None]:
    _now.clock, _now.deadline, _now.written = clock, deadline, False
    try:
        yield
    finally:
        _now.clock = None


def written() -> bool:
    """Whether a byte of the request this thread carried out last went out."""
    return _now.written


def left() -> float:
    """Seconds left for the current request. Raises `TimeoutError` when there are none."""
    assert _now.clock is not None, "a socket of this door is used outside of send()"
    seconds = _now.deadline - _now.clock.monotonic()
    if seconds <= 0:
        raise TimeoutError("deadline reached")
    return seconds


class BudgetSocket:
    """A connected socket whose every operation gets only the time that is left; counts its readers like a socket."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._readers = 0
        self._closed = False

    def sendall(self, data: Any) -> None:
        self._inner.settimeout(left())
        _now.written = True
        self._inner.sendall(data)

    def recv_into(self, buffer: Any) -> int:
        self._inner.settimeout(left())
        return self._inner.recv_into(buffer)

    def makefile(self, *_args: Any, **_options: Any) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def settimeout(self, _seconds: float | None) -> None:
        """The budget decides, not the library."""

    def close(self) -> None:
        """Like a socket: really closed when no reader is left (http.client closes first and reads on)."""
        self._closed = True
        if self._readers <= 0:
            self._inner.close()

    def reader_closed(self) -> None:
        self._readers -= 1
        if self._closed:
            self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Reader(io.RawIOBase):
    """What http.client reads answers through."""

    def __init__(self, source: BudgetSocket) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._source.reader_closed()


def connect_to(host: str, port: int, options: Any) -> socket.socket:
    """Try every address of the host within one budget. Raises `OSError`."""
    last: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(left())
            for option in options or ():
                link.setsockopt(*option)
            link.connect(address)
            link.settimeout(left())  # a TLS handshake follows on the bare socket
        except OSError as error:
            link.close()
            last = error
        else:
            return link
    raise last
