"""The HTTP door over TLS: trust, and the total deadline there too."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.http.door import HttpDoor
from remediations.ports import Ambiguous, Request, Unreachable
from tests.fakes import certificates
from tests.fakes.server import reply

CLOCK = SystemClock()


@pytest.fixture
def door() -> Iterator[HttpDoor]:
    made = HttpDoor(CLOCK)
    yield made
    made.close()


def soon(seconds: float = 5.0) -> float:
    return CLOCK.monotonic() + seconds


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificates.made_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def over_tls(connection: socket.socket, stop: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            data = secure.recv(65_536)
            if b"/drip" in data:
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                while not stop.wait(0.02):
                    secure.sendall(b"x")
            secure.sendall(reply(200, b"secret"))

    with _listening(over_tls) as port:
        yield f"https://127.0.0.1:{port}"


def test_a_server_with_an_unknown_certificate_is_unreachable(door: HttpDoor, tls_server: str) -> None:
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        door.send(Request("POST", tls_server, body=b"password"), deadline=soon())


def test_a_server_with_the_given_ca_answers(
    door: HttpDoor, tls_server: str, certificate: tuple[Path, Path]
) -> None:
    request = Request("GET", tls_server, tls={"ca": str(certificate[0])})
    assert door.send(request, deadline=soon()).body == b"secret"


def test_the_deadline_is_total_over_tls_too(
    door: HttpDoor, tls_server: str, certificate: tuple[Path, Path]
) -> None:
    request = Request("GET", f"{tls_server}/drip", tls={"ca": str(certificate[0])})
    started = time.monotonic()
    with pytest.raises(Ambiguous, match="deadline"):
        door.send(request, deadline=started + 0.5)
    assert time.monotonic() - started < 5, "without the deadline it would not end"


def test_a_handshake_that_never_comes_ends_at_the_deadline(door: HttpDoor) -> None:
    with _listening(lambda _c, stop: stop.wait(30)) as port:
        started = time.monotonic()
        with pytest.raises(Unreachable, match="deadline"):
            door.send(Request("POST", f"https://127.0.0.1:{port}/", body=b"x"), deadline=started + 0.5)
        assert time.monotonic() - started < 5, "without the deadline it would not end"


class _listening:  # noqa: N801 - reads as a word in a with statement
    """Bare connections on a loopback port, each handed to `behave`."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], object]) -> None:
        self._behave = behave
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> int:
        self._threads.append(threading.Thread(target=self._accept, daemon=True))
        self._threads[0].start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._behave(connection, self._stop)
            except OSError:
                return
