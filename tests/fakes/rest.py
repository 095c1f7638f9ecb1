"""A fake that answers HTTP: behind `FakeHttp` without a socket, or behind a real one on loopback or in the file system."""

from __future__ import annotations

import contextlib
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from remediations.ports import Request, Response
from tests.fakes.ports import FakeHttp


@dataclass(frozen=True)
class Asked:
    """A request as it arrived. `query`: the last value of each name."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Said:
    """`body`: JSON data, or bytes as they are."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refused(Exception):
    """An answer that ends what was asked."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.said = Said(status, body)


class Service(Protocol):
    def answer(self, asked: Asked) -> Said: ...


def asked(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Asked:
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Asked(method, parts.path, query, {name.lower(): value for name, value in headers.items()}, body)


def behind(http: FakeHttp, url: str, service: Service) -> None:
    """Everything below the address is answered by the service."""

    def respond(request: Request) -> Response:
        target = request.path if url.startswith("unix://") else request.url.removeprefix(url)
        said = service.answer(asked(request.method, target, request.headers, request.body or b""))
        return Response(said.status, dict(said.headers), said.bytes, 0.01)

    for method in ("GET", "POST", "PATCH"):
        http.on(method, url, respond)


@contextlib.contextmanager
def listening(
    service: Service, path: Path | None = None, certificate: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """A real server in front of it: the address. `path`: of a unix socket; `certificate`: (certificate, key) for TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            said = service.answer(
                asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            )
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.bytes)))
            self.end_headers()
            self.wfile.write(said.bytes)

        do_GET = do_POST = do_PATCH = _any  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

        def address_string(self) -> str:
            return "client"  # a unix socket has no host to look up

    server: socketserver.BaseServer
    if path is not None:
        server, url = socketserver.ThreadingUnixStreamServer(str(path), Handler), f"unix://{path}"
    else:
        tcp = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            tcp.socket = context.wrap_socket(tcp.socket, server_side=True)
            scheme = "https"
        server, url = tcp, f"{scheme}://127.0.0.1:{tcp.server_address[1]}"
    server.daemon_threads = True  # type: ignore[attr-defined]  # both kinds have it
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
