"""The one door out for HTTP, and the only importer of requests and tenacity.

What requests alone does not give, and this door does:

- A **total** deadline. Every read and write of a socket gets only the time that is left, so a server that sends a
  byte now and then cannot hold a worker. Only the resolver's own time is outside of it.
- Knowledge of whether anything was **written**. Nothing written is `Unreachable` (safe to try again), something
  written and not answered is `Ambiguous`. Guessing that from exception types is wrong for TLS and kept connections.
- Methods that may change something open a connection of their own: a kept-alive one that the peer has just closed
  would make a harmless refusal look ambiguous.
- A byte cap on the decoded body, no redirects, no proxy or `.netrc` from the environment, no cookies kept.
- `unix:///path/to.sock` addresses, with the path of the resource in `Request.path`.
"""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter
from tenacity.stop import stop_base
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from remediations.ports import Ambiguous, Clock, Http, PortError, Request, Response, TooLarge, Unreachable

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
USER_AGENT = "fleetmend"
UNIX = "unix://"
CHUNK = 65_536
POOL = 32
RETRIED_STATUS = frozenset({429, 502, 503, 504})


class HttpDoor:
    """Fits `remediations.ports.Http`. Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept = _session(POOL)

    def send(self, request: Request, *, deadline: float, max_bytes: int = 1_000_000) -> Response:
        """Send once, never retry. Raises `Unreachable`, `Ambiguous` or `TooLarge`."""
        started = self._clock.monotonic()
        where = f"{request.method} {_shown(request)}"
        if deadline <= started:
            raise Unreachable(f"{where}: the deadline had passed before anything was sent")
        with self._session_for(request.method) as session, _budget(self._clock, deadline):
            try:
                status, headers, body = self._exchange(session, request, max_bytes)
            except TooLarge as error:
                raise TooLarge(f"{where}: {error}") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise self._what_happened(where, error, deadline) from error
        return Response(status, headers, body, self._clock.monotonic() - started)

    def close(self) -> None:
        """Close the kept connections."""
        self._kept.close()

    @contextmanager
    def _session_for(self, method: str) -> Iterator[requests.Session]:
        if method.upper() in SAFE_METHODS:
            yield self._kept
            return
        session = _session(1)
        try:
            yield session
        finally:
            session.close()

    def _exchange(
        self, session: requests.Session, request: Request, max_bytes: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = session.request(
            request.method,
            _address(request),
            headers={"User-Agent": USER_AGENT, **request.headers},
            data=request.body,
            auth=request.basic_auth,
            verify=request.tls.get("ca") or True,
            cert=_client_certificate(request.tls),
            timeout=None,  # every socket operation asks the budget instead
            allow_redirects=False,
            stream=True,
        )
        body = bytearray()
        try:
            while chunk := answer.raw.read(CHUNK, decode_content=True):
                body += chunk
                if len(body) > max_bytes:
                    answer.raw.close()
                    raise TooLarge(f"the answer is larger than {max_bytes} bytes")
        finally:
            answer.close()
        return answer.status_code, dict(answer.headers), bytes(body)

    def _what_happened(self, where: str, error: Exception, deadline: float) -> PortError:
        late = self._clock.monotonic() >= deadline
        reason = "no answer within the deadline" if late else _reason(error)
        if _now.written:
            return Ambiguous(f"{where}: {reason}")
        return Unreachable(f"{where}: {'not reached within the deadline' if late else reason}")


def get_with_retry(
    http: Http, clock: Clock, request: Request, *, deadline: float, max_bytes: int = 1_000_000, tries: int = 3
) -> Response:
    """Ask a safe question again while the deadline leaves time for the pause and another try.

    Repeats on lost connections and on 429, 502, 503, 504; the last answer or error is the caller's. Raises
    `ValueError` for a method that may change something: such a retry is a row with a due time, not a loop.
    """
    if request.method.upper() not in SAFE_METHODS:
        raise ValueError(f"{request.method} is not safe to repeat")

    def last(state: tenacity.RetryCallState) -> Response:
        assert state.outcome is not None
        return cast("Response", state.outcome.result())

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((Unreachable, Ambiguous))
        | tenacity.retry_if_result(lambda response: response.status in RETRIED_STATUS),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
        stop=tenacity.stop_after_attempt(tries) | _OutOfTime(clock, deadline),
        sleep=tenacity.sleep_using_event(threading.Event()),
        retry_error_callback=last,
    )
    return retrying(http.send, request, deadline=deadline, max_bytes=max_bytes)


class _OutOfTime(stop_base):
    """Stop when the pause before the next try would outlast the deadline."""

    def __init__(self, clock: Clock, deadline: float) -> None:
        self._clock = clock
        self._deadline = deadline

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        return self._clock.monotonic() + state.upcoming_sleep >= self._deadline


def _address(request: Request) -> str:
    if request.url.startswith(UNIX):
        return f"{UNIX}{quote(request.url.removeprefix(UNIX), safe='')}{request.path}"
    return request.url


def _shown(request: Request) -> str:
    """The address for messages: without query and user, which hold tokens more often than facts."""
    if request.url.startswith(UNIX):
        return f"{request.url}{request.path}"
    return re.sub(r"//[^/@]*@", "//", request.url).partition("?")[0]


def _client_certificate(tls: Mapping[str, str]) -> tuple[str, str] | str | None:
    certificate, key = tls.get("cert"), tls.get("key")
    if certificate and key:
        return certificate, key
    return certificate or None


def _reason(error: BaseException) -> str:
    """The innermost cause in words; the layers around it repeat the address and add nothing."""
    seen = {id(error)}
    while (inner := error.__cause__ or error.__context__) is not None and id(inner) not in seen:
        seen.add(id(inner))
        error = inner
    return f"{type(error).__name__}: {error}"


def _session(size: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for prefix, adapter in (
        ("https://", _Adapter(size)),
        ("http://", _Adapter(size)),
        (UNIX, _UnixAdapter(size)),
    ):
        session.mount(prefix, adapter)
    return session


# ---- the budget of the request a thread is carrying out ----


class _Now(threading.local):
    """Per thread: until when the request may last, and whether a byte of it has been written."""

    clock: Clock | None = None
    deadline = 0.0
    written = False


_now = _Now()


@contextmanager
def _budget(clock: Clock, deadline: float) -> Iterator[None]:
    _now.clock, _now.deadline, _now.written = clock, deadline, False
    try:
        yield
    finally:
        _now.clock = None


def _left() -> float:
    """Seconds left for the current request. Raises `TimeoutError` when there are none."""
    assert _now.clock is not None, "a socket of this door is used outside of send()"
    left = _now.deadline - _now.clock.monotonic()
    if left <= 0:
        raise TimeoutError("deadline reached")
    return left


class _BudgetSocket:
    """A connected socket whose every operation gets only the time that is left; counts its readers like a socket."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._readers = 0
        self._closed = False

    def sendall(self, data: Any) -> None:
        self._inner.settimeout(_left())
        _now.written = True
        self._inner.sendall(data)

    def recv_into(self, buffer: Any) -> int:
        self._inner.settimeout(_left())
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

    def __init__(self, source: _BudgetSocket) -> None:
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


def _connect(host: str, port: int, options: Any) -> socket.socket:
    """Try every address of the host within one budget. Raises `OSError`."""
    last: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(_left())
            for option in options or ():
                link.setsockopt(*option)
            link.connect(address)
            link.settimeout(_left())  # a TLS handshake follows on the bare socket
        except OSError as error:
            link.close()
            last = error
        else:
            return link
    raise last


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self._dns_host, self.port, self.socket_options)

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", _BudgetSocket(self.sock))


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self._dns_host, self.port, self.socket_options)

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", _BudgetSocket(cast("socket.socket", self.sock)))


class _UnixConnection(HTTPConnection):
    def __init__(self, *args: Any, socket_path: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._socket_path = socket_path

    def _new_conn(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(_left())
            link.connect(self._socket_path)
        except OSError:
            link.close()
            raise
        return link

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", _BudgetSocket(self.sock))


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _UnixPool(HTTPConnectionPool):
    ConnectionCls = _UnixConnection


class _Adapter(HTTPAdapter):
    def __init__(self, size: int) -> None:
        super().__init__(pool_connections=size, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Without a CA of its own a request trusts what the system trusts, not a bundle inside a package."""
        if not url.lower().startswith("https"):
            return
        own = None if verify is True else Path(verify)
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = str(own) if own and not own.is_dir() else None
        conn.ca_cert_dir = str(own) if own and own.is_dir() else None
        conn.cert_file, conn.key_file = cert if isinstance(cert, tuple) else (cert, None)


class _UnixAdapter(_Adapter):
    """A pool per socket in the file system, which requests does not know; the URL holds its quoted path."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._size = size
        self._sockets: dict[str, _UnixPool] = {}
        self._guard = threading.Lock()

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        del verify, proxies, cert
        path = unquote(urlsplit(request.url).netloc)
        with self._guard:
            if path not in self._sockets:
                self._sockets[path] = _UnixPool("localhost", maxsize=self._size, socket_path=path)
            return self._sockets[path]

    def request_url(self, request: Any, proxies: Any) -> str:
        del proxies
        parts = urlsplit(request.url)
        return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"

    def close(self) -> None:
        super().close()
        for pool in self._sockets.values():
            pool.close()


def _fits(door: HttpDoor) -> Http:
    """The type checker proves here that the door fits its port."""
    return door
