"""A small HTTP/1.1 server and client for loopback: keep-alive, JSON bodies, one thread a connection.

The standard library's pair costs eight megabytes and a header parser a process; sixteen processes share two cores here.
"""

import json
import socket
import socketserver
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

LIMIT = 8 * 1024 * 1024  # bytes of one body
TEXTS = {200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
         409: "Conflict", 411: "Length Required", 413: "Content Too Large", 429: "Too Many Requests",
         500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}  # fmt: skip


class WireError(Exception):
    """The other side gave no usable answer."""


class NoAnswer(WireError):
    """The other side took longer than the timeout."""


class NoConnection(WireError):
    """The connection was refused, reset or ended early."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the server read it."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty body is an empty one. Raises ValueError or TypeError."""
        content = json.loads(self.body) if self.body.strip() else {}
        if not isinstance(content, dict):
            raise TypeError("the body must be a JSON object")
        return content


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sends back; `hang_up` closes the line without a word."""

    status: int = 200
    content: Any = None
    kind: str = "application/json"
    hang_up: bool = False

    def encode(self) -> bytes:
        body = self.content.encode() if isinstance(self.content, str) else json.dumps(self.content).encode()
        head = f"HTTP/1.1 {self.status} {TEXTS.get(self.status, 'Status')}\r\nContent-Type: {self.kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


Handler = Callable[[Call], Answer]


def _head(stream: BufferedIOBase | BinaryIO) -> tuple[str, dict[str, str]] | None:
    first = stream.readline(8192)
    if not first.strip():
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(8192)) not in {b"\r\n", b"\n", b""} and len(headers) < 100:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return first.decode("latin-1").strip(), headers


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        while True:
            try:
                head = _head(self.rfile)
                if head is None:
                    return
                answer, keep = self._answer(server.answer, *head)
                if answer.hang_up:
                    return
                self.wfile.write(answer.encode())
            except OSError:
                return
            if not keep:
                return

    def _answer(self, handler: Handler, first: str, headers: dict[str, str]) -> tuple[Answer, bool]:
        parts = first.split()
        if len(parts) != 3 or not parts[2].startswith("HTTP/1"):
            return Answer(400, {"error": "not an HTTP request"}), False
        if "transfer-encoding" in headers:
            return Answer(411, {"error": "a body needs a Content-Length"}), False
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LIMIT:
            return Answer(413, {"error": f"a body has at most {LIMIT} bytes"}), False
        body = self.rfile.read(int(length))
        target = urlsplit(parts[1])
        call = Call(parts[0], unquote(target.path), dict(parse_qsl(target.query)), headers, body)
        return handler(call), headers.get("connection", "").lower() != "close" and parts[2] == "HTTP/1.1"


class Server(socketserver.ThreadingTCPServer):
    """Listens at once; raises OSError when the port is taken."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Handler) -> None:
        self.answer = answer
        super().__init__(("127.0.0.1", port), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that ended badly concerns nobody else; a mistake of ours is shown by its traceback."""
        super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed names private aliases


class Peer:
    """The client's side: one kept connection, used by one thread."""

    def __init__(self, port: int, timeout: float, host: str = "127.0.0.1") -> None:
        self.address, self.timeout = (host, port), timeout
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return self.call("GET", path, None, headers)

    def post(self, path: str, content: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return self.call("POST", path, content, headers)

    def call(
        self, method: str, path: str, content: Any, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and decoded body. A kept connection that the other side has closed is opened once more.

        Raises NoAnswer or NoConnection.
        """
        body = b"" if content is None else json.dumps(content).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        data = head.encode() + body
        kept = self._socket is not None
        try:
            return self._exchange(data)
        except NoConnection:
            if not kept:
                raise
        return self._exchange(data)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._stream is not None:
            self._stream.close()
        self._socket = self._stream = None

    def _exchange(self, data: bytes) -> tuple[int, Any]:
        try:
            if self._socket is None or self._stream is None:
                self._socket = socket.create_connection(self.address, self.timeout)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._stream = self._socket.makefile("rb")
            self._socket.sendall(data)
            head = _head(self._stream)
            body = self._stream.read(int(head[1].get("content-length", "0"))) if head else b""
        except TimeoutError as error:
            self.close()
            raise NoAnswer(f"no answer within {self.timeout} s") from error
        except OSError as error:
            self.close()
            raise NoConnection(str(error)) from error
        if head is None:
            self.close()
            raise NoConnection("the connection ended before an answer")
        first, headers = head
        text = headers.get("content-type", "")
        return int(first.split()[1]), json.loads(body) if text.startswith(
            "application/json"
        ) else body.decode()
