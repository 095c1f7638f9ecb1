"""A loopback server that misbehaves as told: for the contract of the HTTP door."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

Behaviour = Callable[[socket.socket, bytes, threading.Event], None]
"""Gets the connection, the request read so far (head and body), and an event that ends every wait."""


def reply(status: int = 200, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class RawServer:
    """One behaviour for every request; `requests` holds each as read, `connections` counts accepted ones."""

    def __init__(self, behaviour: Behaviour, path: Path | None = None) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self._stop = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                with contextlib.suppress(OSError):
                    while (data := _read_request(self.request)) and not outer._stop.is_set():
                        outer.requests.append(data)
                        outer.behaviour(self.request, data, outer._stop)

        class Tcp(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        class Unix(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server: socketserver.BaseServer
        if path is None:
            tcp = Tcp(("127.0.0.1", 0), Handler)
            self._server, self.url = tcp, f"http://127.0.0.1:{tcp.socket.getsockname()[1]}"
        else:
            self._server, self.url = Unix(str(path), Handler), f"unix://{path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def serving(behaviour: Behaviour, path: Path | None = None) -> Iterator[RawServer]:
    server = RawServer(behaviour, path)
    try:
        yield server
    finally:
        server.close()


def replying(data: bytes) -> Behaviour:
    return lambda connection, _request, _stop: connection.sendall(data)


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
