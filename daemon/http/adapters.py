"""How requests and urllib3 are made to use budgeted sockets, the system's trust store and sockets in the file system."""

from __future__ import annotations

import socket
import threading
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from daemon.http.budget import BudgetSocket, connect_to, left
from remediations.ports import Request

UNIX = "unix://"


def session(size: int) -> requests.Session:
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


def address(request: Request) -> str:
    """The URL to hand to such a session."""
    if request.url.startswith(UNIX):
        return f"{UNIX}{quote(request.url.removeprefix(UNIX), safe='')}{request.path}"
    return request.url


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return connect_to(self._dns_host, self.port, self.socket_options)

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", BudgetSocket(self.sock))


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return connect_to(self._dns_host, self.port, self.socket_options)

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", BudgetSocket(cast("socket.socket", self.sock)))


class _UnixConnection(HTTPConnection):
    def __init__(self, *args: Any, socket_path: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._socket_path = socket_path

    def _new_conn(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(left())
            link.connect(self._socket_path)
        except OSError:
            link.close()
            raise
        return link

    def connect(self) -> None:
        super().connect()
        self.sock = cast("socket.socket", BudgetSocket(self.sock))


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
